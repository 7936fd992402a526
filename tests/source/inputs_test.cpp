#include "source/inputs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "codec/encode.hpp"
#include "image/image.hpp"

namespace pantile {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

/// A folder that goes when the test does.
class InputsTest : public testing::Test {
 protected:
  InputsTest() { fs::create_directories(root_); }
  ~InputsTest() override { fs::remove_all(root_); }

  void write(const std::string& path, std::string_view text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream{root_ / path, std::ios::binary} << text;
  }
  void draw(const std::string& path, Extent extent = {4, 6}) const {
    Image image{extent, 3, Depth::u8};
    std::fill(image.bytes().begin(), image.bytes().end(), std::byte{7});
    const Bytes file = encode_png(image.view(), 1);
    write(path, {reinterpret_cast<const char*>(file.data()), file.size()});
  }
  [[nodiscard]] Catalog build(InputSpec input = {}) const {
    input.path = root_ / input.path;
    return build_catalog(std::span{&input, 1}, 2);
  }
  [[nodiscard]] std::vector<std::string> paths(InputSpec input = {}) const {
    const Catalog catalog = build(std::move(input));
    std::vector<std::string> all;
    for (std::uint64_t at = 0; at < catalog.size(); ++at) {
      all.emplace_back(catalog.path(ItemId{at}));
    }
    return all;
  }
  template <class Call>
  static std::string usage_error(Call call) {
    try {
      call();
    } catch (const UsageError& error) {
      return error.what();
    }
    return "no UsageError";
  }

  fs::path root_ = fs::path{testing::TempDir()} / ("pantile_inputs_" + std::to_string(::getpid()) + "_" +
                                                   testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(InputsTest, ArePartedByTheirPathsAlone) {
  for (int at = 0; at < 200; ++at) {
    write("pages/" + std::to_string(at) + ".png", "x");
  }
  const auto part = [&](int number, int count) { return paths({.path = "pages", .part = {number, count}}); };
  std::vector<std::string> together;
  std::vector<std::vector<std::string>> parts;
  for (int number = 1; number <= 4; ++number) {
    parts.push_back(part(number, 4));
    EXPECT_GT(parts.back().size(), 30);
    EXPECT_LT(parts.back().size(), 70);
    together.insert(together.end(), parts.back().begin(), parts.back().end());
  }
  std::sort(together.begin(), together.end());
  EXPECT_EQ(together, paths({.path = "pages"}));

  write("pages/0-new.png", "x");
  fs::remove(root_ / "pages/100.png");
  for (int number = 1; number <= 4; ++number) {
    std::vector<std::string> now = part(number, 4);
    std::erase(now, "0-new.png");
    std::erase(parts[static_cast<std::size_t>(number) - 1], "100.png");
    EXPECT_EQ(now, parts[static_cast<std::size_t>(number) - 1]) << "what stays keeps its part";
  }
}

TEST_F(InputsTest, MayHaveAnEmptyPartButNotBeEmpty) {
  write("one/a.png", "x");
  EXPECT_EQ(paths({.path = "one", .part = {1, 2}}).size() + paths({.path = "one", .part = {2, 2}}).size(), 1);
  fs::create_directories(root_ / "none");
  EXPECT_NE(usage_error([&] {
              (void)paths({.path = "none", .part = {1, 2}});
            }).find("no image is found"),
            std::string::npos);
}

TEST_F(InputsTest, ListsImagesInTheOrderOfTheirPathsBytes) {
  for (const char* const path : {"b/2.png", "b/10.png", "a.png", "B.png", "b.png", "b-c/1.png", "ä.png"}) {
    draw(path);
  }
  EXPECT_THAT(paths(), ElementsAre("B.png", "a.png", "b-c/1.png", "b.png", "b/10.png", "b/2.png", "ä.png"));
}

TEST_F(InputsTest, TellsWhatTheHeadersSay) {
  draw("page.png", {14, 9});
  const Catalog catalog = build();
  const CatalogItem item = catalog.item(ItemId{0});
  EXPECT_EQ(item.extent, (Extent{14, 9}));
  EXPECT_EQ(item.channels, 3);
  EXPECT_EQ(item.bits, 8);
  EXPECT_EQ(item.format, ImageFormat::png);
  EXPECT_EQ(item.bytes, fs::file_size(root_ / "page.png"));
  EXPECT_GT(item.mtime_ns, 0);
  EXPECT_EQ(item.fault, Fault::none);
  EXPECT_EQ(catalog.place(ItemId{0}).container, root_ / "page.png");
}

TEST_F(InputsTest, KeepsWhatCannotBeReadWithItsFault) {
  draw("good.png");
  write("empty.png", "");
  write("text.jpg", "hello");
  const Catalog catalog = build();
  ASSERT_EQ(catalog.size(), 3U);
  EXPECT_EQ(catalog.item(ItemId{0}).fault, Fault::not_an_image);
  EXPECT_EQ(catalog.item(ItemId{0}).detail, "the file is empty");
  EXPECT_EQ(catalog.item(ItemId{1}).fault, Fault::none);
  EXPECT_EQ(catalog.item(ItemId{2}).detail, "the file does not begin like an image");
}

TEST_F(InputsTest, TakesKnownExtensionsInAnyCaseAndNothingHidden) {
  for (const char* const path :
       {"a.PNG", "b.Jpg", "c.jpeg", "d.txt", "png", ".hidden.png", ".folder/e.png", "f.png.part"}) {
    draw(path);
  }
  EXPECT_THAT(paths(), ElementsAre("a.PNG", "b.Jpg", "c.jpeg"));
}

TEST_F(InputsTest, ChoosesByGlobs) {
  for (const char* const path : {"a.png", "raw/b.png", "raw/old/c.png", "raw/d.jpg", "e.img"}) {
    draw(path);
  }
  EXPECT_THAT(paths({.include = {"**/*.png"}}), ElementsAre("a.png", "raw/b.png", "raw/old/c.png"));
  EXPECT_THAT(paths({.include = {"*.png", "*.img"}}), ElementsAre("a.png", "e.img"));
  EXPECT_THAT(paths({.exclude = {"raw/old"}}), ElementsAre("a.png", "raw/b.png", "raw/d.jpg"));
  EXPECT_THAT(paths({.include = {"**/*.{png,jpg}"}, .exclude = {"raw/**"}}), ElementsAre("a.png"));
}

TEST_F(InputsTest, FollowsLinksAndSurvivesLoops) {
  draw("z/1.png");
  fs::create_directory_symlink("..", root_ / "z/up");
  fs::create_directory_symlink("z", root_ / "a");
  fs::create_symlink("z/1.png", root_ / "link.png");
  EXPECT_THAT(paths(), ElementsAre("link.png", "z/1.png")) << "a folder keeps its own path";
}

TEST_F(InputsTest, ALinkToNowhereIsAnUnreadableItemAndNotForgotten) {
  draw("a.png");
  fs::create_symlink("nowhere", root_ / "b.png");
  const Catalog catalog = build();
  ASSERT_EQ(catalog.size(), 2U);
  EXPECT_EQ(catalog.item(ItemId{1}).fault, Fault::unreadable);
  EXPECT_EQ(catalog.item(ItemId{1}).detail, "cannot open it: No such file or directory");
}

TEST_F(InputsTest, ListsAFolderThatOnlyLinksReachOnceUnderTheFirst) {
  draw("outside/1.png");
  fs::create_directories(root_ / "in");
  fs::create_directory_symlink("../outside", root_ / "in/y");
  fs::create_directory_symlink("../outside", root_ / "in/x");
  EXPECT_THAT(paths({.path = "in"}), ElementsAre("x/1.png"));
}

TEST_F(InputsTest, TakesInputsInTheirOrderAndSingleFilesToo) {
  draw("b/1.png");
  draw("a/2.png");
  draw("a/3.png");
  const std::vector<InputSpec> inputs{{.path = root_ / "b"}, {.path = root_ / "a/3.png"}, {.path = root_ / "a"}};
  const Catalog catalog = build_catalog(inputs, 1);
  ASSERT_EQ(catalog.size(), 4U);
  EXPECT_EQ(catalog.place(ItemId{0}).container, root_ / "b/1.png");
  EXPECT_EQ(catalog.place(ItemId{1}).container, root_ / "a/3.png");
  EXPECT_EQ(catalog.item(ItemId{1}).root, 1);
  EXPECT_EQ(catalog.path(ItemId{2}), "2.png");
}

TEST_F(InputsTest, IsTheSameForAnyNumberOfThreads) {
  for (int i = 0; i < 300; ++i) {
    draw("page-" + std::to_string(i) + ".png", {1 + i % 7, 1 + i % 11});
  }
  const InputSpec input{.path = root_};
  const Hash128 digest = build_catalog(std::span{&input, 1}, 1).digest();
  EXPECT_EQ(build_catalog(std::span{&input, 1}, 2).digest(), digest);
  EXPECT_EQ(build_catalog(std::span{&input, 1}, 7).digest(), digest);
}

TEST_F(InputsTest, SaysWhatToTryWhenThereIsNothing) {
  EXPECT_THAT(usage_error([&] { (void)build({.path = "missing"}); }), HasSubstr("there is no such file or folder"));
  EXPECT_THAT(usage_error([&] { (void)build(); }), HasSubstr("no image is found in"));
  draw("sub/a.png");
  EXPECT_THAT(usage_error([&] { (void)build({.include = {"*.png"}}); }), HasSubstr("`**/*.png` goes through all"));
}

TEST_F(InputsTest, RefusesNamesThatAreNotUtf8) {
  draw("good-ö-日本-😀.png");
  EXPECT_EQ(build().size(), 1U);
  for (const char* const name :
       {"latin-\xE4.png", "over-\xC0\xAFlong.png", "half-\xE3\x81.png", "surrogate-\xED\xA0\x80.png"}) {
    draw(name);
    EXPECT_THAT(usage_error([&] { (void)build(); }), HasSubstr("not UTF-8"));
    EXPECT_EQ(build({.exclude = {std::string{name}}}).size(), 1U) << "an excluded file does not matter";
    fs::remove(root_ / name);
  }
}

}  // namespace
}  // namespace pantile
