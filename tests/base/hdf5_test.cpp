#include "base/hdf5.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/temp_folder.hpp"

namespace pantile {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;

template <class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Hdf5, ColumnsAndAttributesReadBack) {
  const std::int64_t open_before = hdf5::open_ids();
  const TempFolder folder;
  const auto path = folder.path() / "a.h5";
  const std::vector<std::uint16_t> numbers{1, 2, 65535};
  const std::vector<std::string> texts{"", "naïve", "a longer one"};
  const std::string long_text(200'000, 'x');
  hdf5::replace_file(path, [&](hid_t file) {
    hdf5::write_column(file, "numbers", numbers);
    hdf5::write_column(file, "none", std::vector<double>{});
    hdf5::write_strings(file, "texts", texts);
    hdf5::write_strings(file, "no_texts", {});
    hdf5::write_attribute(file, "number", std::uint64_t{1} << 63U);
    hdf5::write_attribute(file, "text", "höhe");
    hdf5::write_attribute(file, "empty", "");
    hdf5::write_text(file, "short", "as attribute");
    hdf5::write_text(file, "long", long_text);
  });
  {
    const hdf5::Id file = hdf5::open_file(path);
    EXPECT_EQ(hdf5::read_column<std::uint16_t>(file.get(), "numbers"), numbers);
    EXPECT_EQ(hdf5::read_value<std::uint16_t>(file.get(), "numbers", 2), 65535);
    EXPECT_TRUE(hdf5::read_column<double>(file.get(), "none").empty());
    EXPECT_EQ(hdf5::read_strings(file.get(), "texts"), texts);
    EXPECT_TRUE(hdf5::read_strings(file.get(), "no_texts").empty());
    EXPECT_EQ(hdf5::read_number_attribute(file.get(), "number"), std::uint64_t{1} << 63U);
    EXPECT_EQ(hdf5::read_text_attribute(file.get(), "text"), "höhe");
    EXPECT_EQ(hdf5::read_text_attribute(file.get(), "empty"), "");
    EXPECT_EQ(hdf5::read_text_attribute(file.get(), "short"), "as attribute");
    EXPECT_TRUE(hdf5::exists(file.get(), "long")) << "beyond 64 KiB it is a dataset";
    EXPECT_THAT(message_of([&] { static_cast<void>(hdf5::read_value<std::uint16_t>(file.get(), "numbers", 3)); }),
                HasSubstr("numbers has 3 values (expected 4)"));
  }
  EXPECT_EQ(hdf5::open_ids(), open_before);
}

TEST(Hdf5, ErrorsSayWhatWasBeingDoneAndWhy) {
  const TempFolder folder;
  ::testing::internal::CaptureStderr();
  EXPECT_THAT(message_of([&] { static_cast<void>(hdf5::open_file(folder.path() / "none.h5")); }),
              HasSubstr("is missing"));
  replace_file(folder.path() / "text.h5", "this is no HDF5", Durable::no);
  EXPECT_THAT(message_of([&] { static_cast<void>(hdf5::open_file(folder.path() / "text.h5")); }),
              AllOf(HasSubstr("text.h5"), HasSubstr("signature")));
  EXPECT_THAT(message_of([&] { static_cast<void>(hdf5::create_file(folder.path() / "no" / "such" / "a.h5")); }),
              AllOf(HasSubstr("cannot create"), HasSubstr("No such file or directory")));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "") << "HDF5 itself keeps quiet";
}

TEST(Hdf5, AReplacementThatFailsLeavesTheOldFileAndNothingElse) {
  const TempFolder folder;
  const auto path = folder.path() / "a.h5";
  hdf5::replace_file(path, [](hid_t file) { hdf5::write_attribute(file, "version", 1); });
  EXPECT_THROW(hdf5::replace_file(path,
                                  [](hid_t file) {
                                    hdf5::write_attribute(file, "version", 2);
                                    throw Error{"the disk is full"};
                                  }),
               Error);
  EXPECT_EQ(hdf5::read_number_attribute(hdf5::open_file(path).get(), "version"), 1U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator{folder.path()}, {}), 1);
}

/// A small dataset is written when it is closed; HDF5 1.10 forgets it if that fails, and closes the file with success.
/// In a process of its own: HDF5 is not the same afterwards.
TEST(Hdf5DeathTest, AFileThatLostADatasetIsNotClosedAsIfNothingHadHappened) {
  const TempFolder folder;
  const auto path = folder.path() / "a.h5";
  const auto lose_a_column = [&] {
    hdf5::Id file = hdf5::create_file(path);
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const rlimit nothing{0, limit.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &nothing);
    hdf5::write_column(file.get(), "lost", std::vector<std::uint8_t>{1, 2, 3});
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string said = message_of([&] { hdf5::close_file(std::move(file), path); });
    hdf5::Id other = hdf5::create_file(folder.path() / "b.h5");
    hdf5::write_column(other.get(), "kept", std::vector<std::uint8_t>{1, 2, 3});
    hdf5::close_file(std::move(other), folder.path() / "b.h5");
    std::fprintf(stderr, "%s\n", said.c_str());
    std::_Exit(0);
  };
  EXPECT_EXIT(lose_a_column(), ::testing::ExitedWithCode(0),
              "cannot close an object of a file in .*a.h5: File too large");
  EXPECT_EQ(hdf5::read_column<std::uint8_t>(hdf5::open_file(folder.path() / "b.h5").get(), "kept").size(), 3U);
}

}  // namespace
}  // namespace pantile
