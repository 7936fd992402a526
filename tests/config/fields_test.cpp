#include "config/fields.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "base/file.hpp"
#include "config/reference.hpp"
#include "config/suggest.hpp"
#include "sample.hpp"

namespace pantile {
namespace {

using testing::HasSubstr;

/// All texts one slip away: a letter left out, doubled, replaced, or swapped with the next.
std::set<std::string> typos(const std::string& word) {
  std::set<std::string> all;
  for (std::size_t i = 0; i < word.size(); ++i) {
    all.insert(word.substr(0, i) + word.substr(i + 1));
    all.insert(word.substr(0, i) + word[i] + word.substr(i));
    all.insert(word.substr(0, i) + "q" + word.substr(i + 1));
    if (i + 1 < word.size()) {
      all.insert(word.substr(0, i) + word[i + 1] + word[i] + word.substr(i + 2));
    }
  }
  all.erase(word);
  all.erase("");
  return all;
}

/// "pipeline.ID.image.scale" as a --set of the minimal job.
std::string settable(std::string key) {
  for (const auto& [wild, name] :
       {std::pair{"input.N", "input.0"}, {"pipeline.ID", "pipeline.0"}, {"outputs.NAME", "outputs.page"}}) {
    if (key.starts_with(std::string{wild} + ".")) {
      key = name + key.substr(std::string{wild}.size());
    }
  }
  return key;
}

TEST(Fields, ATypoInAnyKeyGetsTheRightSuggestion) {
  for (const Field& field : config_fields()) {
    const std::string key = settable(std::string{field.key});
    const auto dot = key.rfind('.');
    const std::string parent = dot == std::string::npos ? "" : key.substr(0, dot + 1);
    const std::string word = dot == std::string::npos ? key : key.substr(dot + 1);
    for (const std::string& typo : typos(word)) {
      if (parent.empty() && config_keys().child(typo) != nullptr) {
        continue;  // "output" is a slip of "outputs", and right.
      }
      SCOPED_TRACE(parent + typo);
      const std::string said = refusal(minimal_job, {parent + typo + "=1"});
      EXPECT_THAT(said, HasSubstr("unknown key"));
      EXPECT_TRUE(said.find("did you mean '" + word + "'") != std::string::npos ||
                  said.find("or '" + word + "'?") != std::string::npos)
          << said;
    }
  }
}

TEST(Fields, EveryKeyCanBeReadFromWhatItWrites) {
  const RunConfig config = parse(minimal_job, {"pipeline.0.image.border=reflect", "outputs={page: {from: upscale}}"});
  for (const Field& field : config_fields()) {
    RunConfig copy = config;
    const Slot slot = field.slot(copy, 0);
    if (slot.entries || field.key == "include") {
      continue;
    }
    SCOPED_TRACE(field.key);
    const auto text = slot.write();
    ASSERT_TRUE(text.has_value());
    EXPECT_NO_THROW(
        (void)parse(minimal_job, {"outputs={page: {from: upscale}}", settable(std::string{field.key}) + "=" + *text}));
    EXPECT_FALSE(slot.type.empty());
    EXPECT_TRUE(field.doc.ends_with('.')) << "docs are sentences";
    EXPECT_EQ(field.doc.find('|'), std::string_view::npos) << "it would end the cell of the table";
  }
}

/// PANTILE_UPDATE_DOCS=1 writes the page instead of checking it.
TEST(Fields, ReferencePageIsUpToDate) {
  const std::filesystem::path page = PANTILE_SOURCE_DIR "/docs/config.md";
  const std::string begin = "<!-- keys: made from src/config/fields.cpp; see tests/config/fields_test.cpp -->\n";
  const std::string end = "<!-- end of keys -->\n";
  std::string text = read_text(page);
  const auto from = text.find(begin);
  const auto to = text.find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  const auto start = from + begin.size();
  if (std::getenv("PANTILE_UPDATE_DOCS") != nullptr) {
    replace_file(page, text.replace(start, to - start, config_reference_markdown()), Durable::no);
    GTEST_SKIP() << "docs/config.md was written anew";
  }
  EXPECT_EQ(text.substr(start, to - start), config_reference_markdown()) << "run this test with PANTILE_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace pantile
