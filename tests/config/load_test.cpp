#include "config/load.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/byte_size.hpp"
#include "sample.hpp"

namespace pantile {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// A folder of job files, removed at the end.
class Load : public testing::Test {
 protected:
  Load() { std::filesystem::create_directories(folder_); }
  ~Load() override { std::filesystem::remove_all(folder_); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream{folder_ / name} << text;
  }
  [[nodiscard]] LoadedConfig load(const std::string& name, const Overrides& overrides = {}) const {
    return load_job(folder_ / name, overrides);
  }
  /// The message, with the folder's name taken out.
  [[nodiscard]] std::string complaint(const std::string& name, const Overrides& overrides = {}) const {
    try {
      (void)load(name, overrides);
    } catch (const ConfigError& error) {
      std::string text = error.what();
      const std::string prefix = folder_.string() + "/";
      for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) {
        text.erase(at, prefix.size());
      }
      return text;
    }
    return "accepted";
  }

  std::filesystem::path folder_ =
      std::filesystem::path{testing::TempDir()} / ("pantile-load-" + std::to_string(::getpid()));
};

Overrides with(const Environment& environment, const std::vector<std::string>& sets = {}) {
  return {.sets = sets, .environment = environment};
}

TEST_F(Load, LaterPlacesWinInTheOrderOfThePage) {
  write("base.yaml",
        "schema: 1\ninput: [{path: pages}]\npipeline: [{id: up, model: m.onnx}]\n"
        "devices: {jobs_per_device: 1, memory: {cap: 1GiB, leave: 1%}}\non_error: {retries: 1}\n"
        "tiles: {size: 1}\noutput: {dir: out, shard_size: 1MiB}\n");
  write("job.yaml",
        "include: base.yaml\n"
        "devices: {jobs_per_device: 2, memory: {cap: 2GiB}}\non_error: {retries: 2}\ntiles: {size: 2}\n");
  const LoadedConfig loaded =
      load("job.yaml", with({{"PANTILE__ON_ERROR__RETRIES", "3"}, {"PANTILE__TILES__SIZE", "3"}}, {"tiles.size=4"}));
  const RunConfig& config = loaded.config;
  EXPECT_EQ(config.output.shard_size, MiB) << "include over built-in";
  EXPECT_EQ(config.devices.jobs_per_device, 2) << "file over include";
  EXPECT_EQ(config.devices.memory.cap.bytes, 2 * GiB) << "file over include, deep in a map";
  EXPECT_EQ(config.devices.memory.leave.percent, 1) << "beside what the file says, the include holds";
  EXPECT_EQ(config.on_error.retries, 3) << "environment over file";
  EXPECT_EQ(config.tiles.size.px, 4) << "--set over environment";
  const std::string prefix = folder_.string() + "/";
  EXPECT_EQ(loaded.origins.at("output.shard_size"), prefix + "base.yaml:7:32");
  EXPECT_EQ(loaded.origins.at("devices.jobs_per_device"), prefix + "job.yaml:2:28");
  EXPECT_EQ(loaded.origins.at("on_error.retries"), "PANTILE__ON_ERROR__RETRIES");
  EXPECT_EQ(loaded.origins.at("tiles.size"), "--set");
  EXPECT_FALSE(loaded.origins.contains("limits.max_ratio"));
  EXPECT_THAT(loaded.variables, ElementsAre("PANTILE__ON_ERROR__RETRIES", "PANTILE__TILES__SIZE"));
}

TEST_F(Load, ListsReplaceAndMapsMerge) {
  write("base.yaml", "input: [{path: a}, {path: b}]\ntiles: {size: 7}\noutputs: {page: {dtype: u8}}\n");
  write("job.yaml", std::string{minimal_job} + "include: base.yaml\ntiles:\noutputs: {page: {from: upscale}}\n");
  const RunConfig config = load("job.yaml").config;
  ASSERT_EQ(config.input.size(), 1U);
  EXPECT_EQ(config.input[0].path.written, "pages");
  EXPECT_EQ(config.tiles.size.px, 7) << "a key with nothing behind it says nothing";
  EXPECT_EQ(config.outputs[0].name, "page");
}

TEST_F(Load, IncludesNestAndTheLastOfAListWins) {
  write("site/disk.yaml", "output: {shard_size: 1MiB, seal_after: 1s}\ntiles: {size: 1}\n");
  write("site/site.yaml", "include: disk.yaml\ntiles: {size: 2}\non_error: {retries: 9}\n");
  write("mine.yaml", "on_error: {retries: 8}\n");
  write("job.yaml", std::string{minimal_job} + "include: [site/site.yaml, mine.yaml]\n");
  const RunConfig config = load("job.yaml").config;
  EXPECT_EQ(config.output.shard_size, MiB);
  EXPECT_EQ(config.tiles.size.px, 2);
  EXPECT_EQ(config.on_error.retries, 8);
  EXPECT_EQ(config.name, "job") << "the name is the job's, not that of a file that it includes";
}

TEST_F(Load, PathsOfAnIncludeCountFromItsOwnFolder) {
  write("site/base.yaml", "input: [{path: pages}]\npipeline: [{id: up, model: /models/m.onnx}]\n");
  write("jobs/job.yaml", "schema: 1\ninclude: ../site/base.yaml\noutput: {dir: out}\n");
  const RunConfig config = load("jobs/job.yaml").config;
  EXPECT_EQ(config.input[0].path.resolved, folder_ / "site/pages");
  EXPECT_EQ(config.input[0].path.written, "../site/pages") << "as the job would write it: both may move together";
  EXPECT_EQ(config.pipeline[0].model.written, "/models/m.onnx");
  EXPECT_EQ(config.output.dir.resolved, folder_ / "jobs/out");
  EXPECT_EQ(parse_config(effective_text(config), "shard", config.folder), config);
}

TEST_F(Load, MistakesPointIntoTheFileThatHasThem) {
  write("site/base.yaml", "tiles:\n  size: many\n");
  write("job.yaml", std::string{minimal_job} + "include: site/base.yaml\nname: [a]\n");
  EXPECT_EQ(complaint("job.yaml"),
            "error: 'name' cannot be a list\n"
            "  --> job.yaml:7:7\n"
            "   |\n"
            " 7 | name: [a]\n"
            "   |       ^ expected a text of one line\n"
            "error: 'tiles.size' cannot be 'many'\n"
            "  --> site/base.yaml:2:9\n"
            "   |\n"
            " 2 |   size: many\n"
            "   |         ^^^^ expected auto, whole, or a whole number from 1 to 65536\n"
            "2 errors, nothing was started. All keys: pantile config keys");
}

TEST_F(Load, ACycleOfIncludesIsShownAsAChain) {
  write("a.yaml", "include: sub/b.yaml\n");
  write("sub/b.yaml", "tiles: {size: 1}\ninclude:\n  - ../c.yaml\n");
  write("c.yaml", "include: a.yaml\n");
  EXPECT_THAT(complaint("a.yaml"), HasSubstr("error: 'a.yaml' includes itself: a.yaml → sub/b.yaml → c.yaml → a.yaml\n"
                                             "  --> c.yaml:1:10\n"
                                             "   |\n"
                                             " 1 | include: a.yaml\n"
                                             "   |          ^^^^^^ take one of these out\n"));
  write("self.yaml", "include: self.yaml\n");
  EXPECT_THAT(complaint("self.yaml"), HasSubstr("includes itself: self.yaml → self.yaml"));
  std::filesystem::create_symlink(folder_ / "d.yaml", folder_ / "link.yaml");
  write("d.yaml", "include: link.yaml\n");
  EXPECT_THAT(complaint("d.yaml"), HasSubstr("includes itself: d.yaml → link.yaml"));
  write("twice.yaml", std::string{minimal_job} + "include: [mine.yaml, mine.yaml]\n");
  write("mine.yaml", "tiles: {size: 5}\n");
  EXPECT_EQ(complaint("twice.yaml"), "accepted") << "twice is no cycle";
}

TEST_F(Load, IncludesWithoutMeasureEnd) {
  write("f0.yaml", "tiles: {size: 1}\n");
  for (int i = 1; i < 12; ++i) {
    const std::string below = "f" + std::to_string(i - 1) + ".yaml";
    write("f" + std::to_string(i) + ".yaml", "include: [" + below + ", " + below + ", " + below + "]\n");
  }
  EXPECT_THAT(complaint("f11.yaml"), HasSubstr("more than 100 files are included"));
}

TEST_F(Load, ManySmallFilesAreNotMoreThanOneLargeOne) {
  std::string keys;
  for (int i = 0; i < 1500; ++i) {
    keys += "k" + std::to_string(i) + ": 1\n";
  }
  write("keys.yaml", keys);
  write("job.yaml", std::string{minimal_job} + "include: [keys.yaml" + std::string(20, ' ') + "]\n");
  EXPECT_THAT(complaint("job.yaml"), Not(HasSubstr("values together")));
  std::string many = "keys.yaml";
  for (int i = 1; i < 20; ++i) {
    many += ", keys.yaml";
  }
  write("job.yaml", std::string{minimal_job} + "include: [" + many + "]\n");
  EXPECT_THAT(complaint("job.yaml"), HasSubstr("the files of the job have more than 20000 values together"));
}

TEST_F(Load, IncludesThatCannotBeAreRefused) {
  write("job.yaml", std::string{minimal_job} + "include: nowhere.yaml\n");
  EXPECT_THAT(complaint("job.yaml"), HasSubstr("error: cannot open nowhere.yaml: No such file or directory\n"
                                               "  --> job.yaml:6:10\n"
                                               "   |\n"
                                               " 6 | include: nowhere.yaml\n"
                                               "   |          ^^^^^^^^^^^^ paths to include count from the folder of"));
  write("job.yaml", std::string{minimal_job} + "include: ['**/*.png']\n");
  EXPECT_THAT(complaint("job.yaml"), HasSubstr("globs belong to an entry of `input`"));
  write("job.yaml", std::string{minimal_job} + "include: {a: b}\n");
  EXPECT_THAT(complaint("job.yaml"), HasSubstr("'include' cannot be a map"));
  write("job.yaml", std::string{minimal_job} + "include:\n");
  EXPECT_THAT(complaint("job.yaml"), HasSubstr("'include' cannot be empty"));
  write("job.yaml", std::string{minimal_job} + "include: list.yaml\n");
  write("list.yaml", "- a\n");
  EXPECT_THAT(complaint("job.yaml"), HasSubstr("a file to include is a map of keys, not a list\n  --> list.yaml:1:1"));
  write("list.yaml", "a: [\n");
  EXPECT_THAT(complaint("job.yaml"), HasSubstr("this is not YAML\n  --> list.yaml:"));
  write("list.yaml", "# nothing yet\n");
  EXPECT_EQ(complaint("job.yaml"), "accepted");
  EXPECT_THAT(refusal(minimal_job, {"include=list.yaml"}), HasSubstr("only a file can include another"));
}

TEST_F(Load, VariablesStandInValues) {
  write("job.yaml",
        "schema: ${SCHEMA:-1}\n"
        "input:\n"
        "  - path: ${DATA}/pages-${N:-0}\n"
        "    include: [\"${ENDING:-*.png}\", 'cost$$.png']\n"
        "pipeline: [{id: up, model: \"${DATA}/m.onnx\"}]\n"
        "output: {dir: out, shard_size: \"${SHARD}\"}\n"
        "on_error: {retries: \"${RETRIES:-4}\"}\n");
  const LoadedConfig loaded =
      load("job.yaml", with({{"DATA", "/data"}, {"N", ""}, {"SHARD", "1MiB"}, {"RETRIES", "7"}, {"OTHER", "x"}}));
  EXPECT_EQ(loaded.config.input[0].path.resolved, "/data/pages-0") << "`:-` is for an empty variable too";
  EXPECT_THAT(loaded.config.input[0].include, ElementsAre("*.png", "cost$.png"));
  EXPECT_EQ(loaded.config.on_error.retries, 7) << "quotes around a variable do not make a text of a number";
  EXPECT_EQ(loaded.config.output.shard_size, MiB);
  EXPECT_THAT(loaded.variables, ElementsAre("DATA", "ENDING", "N", "RETRIES", "SCHEMA", "SHARD"));
  EXPECT_THAT(loaded.origins.at("input.0.path"), HasSubstr("job.yaml:3:11, ${DATA}, ${N}"));
  EXPECT_THAT(loaded.origins.at("input.0.include"), HasSubstr(", ${ENDING}"));
  EXPECT_EQ(parse_config(effective_text(loaded.config), "shard", loaded.config.folder).input, loaded.config.input)
      << "a dollar of the result is written as one that reads back";
}

TEST_F(Load, AVariableCannotAddStructure) {
  write("job.yaml", std::string{minimal_job} + "name: ${NAME}\ntiles: {size: \"${SIZE}\"}\n");
  const std::string evil = "x\ntiles: {size: 3}";
  EXPECT_THAT(complaint("job.yaml", with({{"NAME", evil}, {"SIZE", "1"}})),
              HasSubstr("'name' cannot be 'x tiles: {size: 3}'"));
  EXPECT_THAT(complaint("job.yaml", with({{"NAME", "a"}, {"SIZE", "{px: 3}"}})),
              HasSubstr("'tiles.size' cannot be '{px: 3}'"));
  const RunConfig config = load("job.yaml", with({{"NAME", "a: [b, ${SIZE}, *c"}, {"SIZE", "8"}})).config;
  EXPECT_EQ(config.name, "a: [b, ${SIZE}, *c") << "what a variable holds is not expanded again";
  EXPECT_EQ(config.tiles.size.px, 8);
}

TEST_F(Load, AVariableThatIsNotSetIsAMistakeAtItsCaret) {
  write("job.yaml",
        "schema: 1\ninput: [{path: \"a/${SCRACH}/b\"}]\npipeline: [{id: up, model: m}]\n"
        "output: {dir: out}\ntiles:\n  size: ${SIZE}\n");
  EXPECT_EQ(complaint("job.yaml", with({{"SCRATCH", "/x"}})),
            "error: the environment variable 'SCRACH' is not set\n"
            "  --> job.yaml:2:19\n"
            "   |\n"
            " 2 | input: [{path: \"a/${SCRACH}/b\"}]\n"
            "   |                   ^^^^^^^^^ did you mean 'SCRATCH'? Else export it, or give a default: ${SCRACH:-…}\n"
            "error: the environment variable 'SIZE' is not set\n"
            "  --> job.yaml:6:9\n"
            "   |\n"
            " 6 |   size: ${SIZE}\n"
            "   |         ^^^^^^^ export it, or give a default: ${SIZE:-…}\n"
            "2 errors, nothing was started. All keys: pantile config keys")
      << "and nothing is said of the values, which nobody knows";
}

TEST_F(Load, DollarsThatStandForNothingAreRefused) {
  for (const auto& [value, said] : {std::pair{"$HOME/x", "write ${HOME} for a variable, $$ for a dollar"},
                                    {"'${HOME'", "a '${' is not closed"},
                                    {"${}", "'${}' is no variable"},
                                    {"${2X}", "'${2X}' is no variable"},
                                    {"${A-b}", "'${A-b}' is no variable"},
                                    {"${A:-${B}}", "without another variable in the default"}}) {
    write("job.yaml", std::string{minimal_job} + "name: " + value + "\n");
    EXPECT_THAT(complaint("job.yaml", with({{"HOME", "/h"}, {"A", "a"}})), HasSubstr(said)) << value;
  }
  write("job.yaml", std::string{minimal_job} + "tiles: {size: ${SIZE}}\n");
  EXPECT_THAT(complaint("job.yaml", with({{"SIZE", "3"}})),
              HasSubstr("within {…} and […] a variable stands in quotes: \"${NAME}\""));
}

TEST_F(Load, VariablesOverrideKeysByName) {
  write("job.yaml", std::string{minimal_job} + "outputs: {Page: {from: upscale}}\n");
  const RunConfig config = load("job.yaml", with({{"PANTILE__DEVICES__MEMORY__CAP", "4GiB"},
                                                  {"PANTILE__INPUT__0__PATH", "scans"},
                                                  {"PANTILE__PIPELINE__UPSCALE__IMAGE__SCALE", "1/127"},
                                                  {"PANTILE__OUTPUTS__PAGE__DTYPE", "u8"},
                                                  {"PANTILE__DEVICES__USE", "[cpu]"},
                                                  {"PANTILE_LOG", "no key"},
                                                  {"PANTILE", "no key"}}))
                               .config;
  EXPECT_EQ(config.devices.memory.cap.bytes, 4 * GiB);
  EXPECT_EQ(config.input[0].path.resolved, std::filesystem::current_path() / "scans") << "as in --set";
  EXPECT_EQ(config.pipeline[0].image.scale, (Ratio{1, 127}));
  ASSERT_EQ(config.outputs.size(), 1U);
  EXPECT_EQ(config.outputs[0].name, "Page");
  EXPECT_THAT(config.devices.use, ElementsAre("cpu"));
}

TEST_F(Load, AVariableOfAnIdWithAHyphenHasAnUnderscore) {
  write("job.yaml", "schema: 1\ninput: [{path: a}]\npipeline: [{id: up-2X, model: m}]\noutput: {dir: out}\n");
  EXPECT_EQ(
      load("job.yaml", with({{"PANTILE__PIPELINE__UP_2X__IMAGE__ALPHA", "white"}})).config.pipeline[0].image.alpha,
      ImageConfig::Alpha::white);
}

TEST_F(Load, AMistypedVariableIsAMistakeToo) {
  write("job.yaml", minimal_job);
  EXPECT_EQ(complaint("job.yaml", with({{"PANTILE__DEVICES__MEMORY__CAPP", "4GiB"}, {"PANTILE__TILES__SIZE", "big"}})),
            "error: unknown key 'devices.memory.capp'\n"
            "  --> PANTILE__DEVICES__MEMORY__CAPP=4GiB\n"
            "                                ^^^^ did you mean 'cap'?\n"
            "error: 'tiles.size' cannot be 'big'\n"
            "  --> PANTILE__TILES__SIZE=big\n"
            "                           ^^^ expected auto, whole, or a whole number from 1 to 65536\n"
            "2 errors, nothing was started. All keys: pantile config keys");
  EXPECT_THAT(complaint("job.yaml", with({{"PANTILE__TILES__SIZE", ""}})), HasSubstr("'tiles.size' cannot be empty"));
  EXPECT_THAT(complaint("job.yaml", with({{"PANTILE__PIPELINE__UPSCLE__MODEL", "m"}})),
              HasSubstr("the list has no entry 'UPSCLE'"));
}

TEST_F(Load, TheEnvironmentIsTheProcess) {
  ::setenv("PANTILE__TILES__SIZE", "77", 1);
  write("job.yaml", minimal_job);
  EXPECT_EQ(load_config(folder_ / "job.yaml").tiles.size.px, 77);
  EXPECT_EQ(parse(minimal_job).tiles.size.kind, TileSize::Kind::automatic) << "a stored config is what it says";
  ::unsetenv("PANTILE__TILES__SIZE");
}

TEST_F(Load, ShowSaysWhereEachValueCameFrom) {
  write("base.yaml", "tiles: {size: 1}\n");
  write("job.yaml", std::string{minimal_job} + "include: base.yaml\nname: ${WHO}\n");
  const LoadedConfig loaded =
      load("job.yaml", with({{"WHO", "me"}, {"PANTILE__ON_ERROR__RETRIES", "3"}}, {"output.shard_size=1MiB"}));
  const std::string text = show_config(loaded, Origins::shown);
  const std::string prefix = folder_.string() + "/";
  for (const std::string& line :
       {"schema: 1  # " + prefix + "job.yaml:1:9\n", "name: me  # " + prefix + "job.yaml:7:7, ${WHO}\n",
        "size: 1  # " + prefix + "base.yaml:1:15\n", std::string{"shard_size: 1MiB  # --set\n"},
        std::string{"retries: 3  # PANTILE__ON_ERROR__RETRIES\n"}, std::string{"max_ratio: 1000  # built-in\n"},
        std::string{"scale: 255  # built-in: 1 / image.scale\n"}, "model: models/m.onnx  # " + prefix + "job.yaml:4"}) {
    std::string single;  // Columns are not the point here.
    for (const char c : text) {
      single += c == ' ' && single.ends_with("  ") ? "" : std::string{c};
    }
    EXPECT_THAT(single, HasSubstr(line)) << text;
  }
  EXPECT_EQ(parse_config(text, "shown", loaded.config.folder), loaded.config) << text;
  EXPECT_EQ(show_config(loaded, Origins::hidden), effective_text(loaded.config));
  EXPECT_THAT(effective_text(loaded.config), Not(HasSubstr("include: base")));
}

}  // namespace
}  // namespace pantile
