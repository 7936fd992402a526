#include "app/job_draft.hpp"

#include <gtest/gtest.h>

#include <regex>

#include "config/config.hpp"
#include "config/diagnostics.hpp"

namespace pantile::app {
namespace {

JobDraft draft() {
  return {.file = "job.yaml",
          .found = "15 images in 2 folders",
          .name = "pages",
          .input = "pages",
          .endings = {"jpg", "png"},
          .exclude = "",
          .model = "",
          .facts = {},
          .output = "out/pages"};
}

RunConfig parse(const std::string& text) {
  try {
    return parse_config(text, "job.yaml", "/jobs");
  } catch (const ConfigError& error) {
    ADD_FAILURE() << error.what() << "\n" << text;
    return {};
  }
}

/// "  # key: value   # why" without the first "# ". Words with a colon that are no keys begin with a capital.
std::string with_commented_keys(const std::string& text) {
  return std::regex_replace(text, std::regex{"(^|\n)( *)# ([a-z_]+:)(?=[ \n])"}, "$1$2$3");
}

TEST(JobDraft, IsAJobAsItIs) {
  const RunConfig config = parse(job_text(draft()));
  EXPECT_EQ(config.name, "pages");
  EXPECT_EQ(config.input.at(0).path.resolved, "/jobs/pages");
  EXPECT_EQ(config.input.at(0).include, std::vector<std::string>{"**/*.{jpg,png}"});
  EXPECT_EQ(config.pipeline.at(0).model.written, "MODEL.onnx");
  EXPECT_EQ(config.output.dir.resolved, "/jobs/out/pages");
}

TEST(JobDraft, EveryCommentedKeyExistsAndItsValueIsTheDefault) {
  const std::string plain = job_text(draft());
  const std::string full = with_commented_keys(plain);
  ASSERT_GT(full.size(), 0U);
  EXPECT_LE(full.size() + 2 * 15, plain.size()) << "at least fifteen keys were comments";
  RunConfig with_all = parse(full);
  EXPECT_EQ(with_all.input.at(0).exclude, std::vector<std::string>{"drafts/**"}) << "the one that is an example";
  with_all.input.at(0).exclude.clear();
  with_all.pipeline.at(0).image.border.reset();  // its default depends on the model
  EXPECT_EQ(with_all, parse(plain));
}

TEST(JobDraft, NamesAreQuotedWhereYamlWouldReadThemOtherwise) {
  for (const std::string name : {"my pages", "a: b",        "007",  "1e3", "true", "null",    "-x", "#1", "größe",
                                 "it's",     "a\"b",        "[x]",  "{y}", "*z",   "&w",      "!t", "%p", "@q",
                                 "`r`",      "back\\slash", "a #b", "~",   "a$b",  "${HOME}", "..."}) {
    JobDraft odd = draft();
    odd.name = name;
    odd.input = name;
    odd.model = name + ".onnx";
    odd.output = "out/" + name;
    const RunConfig config = parse(job_text(odd));
    EXPECT_EQ(config.name, name);
    const std::filesystem::path folder{"/jobs"};
    EXPECT_EQ(config.input.at(0).path.resolved, folder / name);
    EXPECT_EQ(config.pipeline.at(0).model.resolved, folder / (name + ".onnx"));
    EXPECT_EQ(config.output.dir.resolved, folder / "out" / name);
  }
}

TEST(JobDraft, AModelThatLooksAtTheWholeImageGetsWholeImages) {
  JobDraft global = draft();
  EXPECT_EQ(parse(job_text(global)).tiles.size.kind, TileSize::Kind::automatic);
  global.facts.emplace();
  global.facts->local = false;
  global.facts->input_channels = 3;
  EXPECT_EQ(parse(job_text(global)).tiles.size.kind, TileSize::Kind::whole);
}

TEST(JobDraft, TheModelDecidesColorAndBorder) {
  JobDraft grey = draft();
  grey.facts.emplace();
  grey.facts->input_channels = 1;
  grey.facts->local = true;
  grey.facts->geometry.scale = 2;
  grey.facts->geometry.halo = {7, 7, 7, 7};
  grey.facts->geometry.padding = Padding::same;
  const std::string text = job_text(grey);
  EXPECT_EQ(parse(text).pipeline.at(0).image.color, ImageConfig::Color::Y);
  EXPECT_EQ(text.find("border"), std::string::npos) << "a model that pads itself takes none";
  EXPECT_NE(describe(*grey.facts).find("scale 2, halo 7 px, pads itself"), std::string::npos);
}

TEST(JobDraft, ResultsBelowTheImagesAreNoInput) {
  JobDraft below = draft();
  below.exclude = "out/**";
  EXPECT_EQ(parse(job_text(below)).input.at(0).exclude, std::vector<std::string>{"out/**"});
}

}  // namespace
}  // namespace pantile::app
