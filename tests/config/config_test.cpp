#include "config/config.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/byte_size.hpp"
#include "config/fields.hpp"
#include "sample.hpp"

namespace pantile {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

TEST(Config, FillsEveryDefaultOfTheLeastJob) {
  const RunConfig config = parse(minimal_job);
  EXPECT_EQ(config.name, "job");
  EXPECT_EQ(config.folder, "/jobs");
  ASSERT_EQ(config.pipeline.size(), 1U);
  const StageConfig& stage = config.pipeline[0];
  EXPECT_EQ(stage.model.written, "models/m.onnx");
  EXPECT_EQ(stage.model.resolved, "/jobs/models/m.onnx");
  EXPECT_EQ(stage.image.color, ImageConfig::Color::RGB);
  EXPECT_EQ(stage.image.scale, (Ratio{1, 255}));
  EXPECT_THAT(stage.image.mean, ElementsAre(Ratio{0, 1}));
  EXPECT_THAT(stage.image.deviation, ElementsAre(Ratio{1, 1}));
  EXPECT_FALSE(stage.image.border.has_value());
  EXPECT_EQ(stage.output.scale, (Ratio{255, 1}));
  EXPECT_THAT(config.outputs, ElementsAre(OutputConfig{.name = "image", .from = "upscale", .dtype = DType::u8}));
  EXPECT_EQ(config.output.shard_size, 256 * MiB);
  EXPECT_FALSE(config.output.seal_after.has_value());
  EXPECT_EQ(config.output.wait_for_space, 10min);
  EXPECT_EQ(config.tiles.size.kind, TileSize::Kind::automatic);
  EXPECT_EQ(config.devices.memory.budget("node1:cpu0", 100, 1), 80U);
  EXPECT_FALSE(config.devices.jobs_per_device.has_value());
  EXPECT_EQ(config.on_error.retries, 2);
}

TEST(Config, ReadsTheJobOfTheDesign) {
  const RunConfig config = parse(R"(schema: 1
name: manga-2x
input:
  - {path: pages, include: ["**/*.png", "**/*.jpg"]}
  - {path: /data/vol-01, exclude: "*.gif"}
pipeline:
  - {id: upscale, model: m.onnx, image: {color: Y, scale: 1/127.5, mean: 1, std: [2], border: none}, output: {kind: image, scale: 127.5}}
outputs:
  page: {from: upscale, dtype: u8}
output: {dir: ../out/manga-2x, shard_size: 1.5GiB, seal_after: 250ms}
tiles: {size: 96}
devices: {use: [cpu], memory: {cap: 6GiB, leave: 10%}, jobs_per_device: 4}
schedule: {policy: resolution}
on_error: {bad_input: quarantine, retries: 0}
)");
  EXPECT_EQ(config.name, "manga-2x");
  EXPECT_THAT(config.input[0].include, ElementsAre("**/*.png", "**/*.jpg"));
  EXPECT_EQ(config.input[1].path.resolved, "/data/vol-01");
  EXPECT_THAT(config.input[1].exclude, ElementsAre("*.gif"));
  EXPECT_EQ(config.pipeline[0].image.color, ImageConfig::Color::Y);
  EXPECT_EQ(config.pipeline[0].image.scale, (Ratio{1, 127.5}));
  EXPECT_EQ(config.pipeline[0].image.border, ImageConfig::Border::none);
  EXPECT_EQ(config.pipeline[0].output.scale, (Ratio{127.5, 1}));
  EXPECT_EQ(config.outputs[0].name, "page");
  EXPECT_EQ(config.output.dir.resolved, "/out/manga-2x");
  EXPECT_EQ(config.output.shard_size, 1536 * MiB);
  EXPECT_EQ(config.output.seal_after, 250ms);
  EXPECT_EQ(config.tiles.size, (TileSize{TileSize::Kind::fixed, 96}));
  EXPECT_THAT(config.devices.use, ElementsAre("cpu"));
  EXPECT_EQ(config.devices.jobs_per_device, 4);
}

TEST(Config, TheStricterOfCapAndLeaveHolds) {
  MemoryConfig memory;
  memory.cap = {.kind = MemoryAmount::Kind::bytes, .bytes = 6 * GiB};
  memory.leave = {.kind = MemoryAmount::Kind::percent, .percent = 50};
  EXPECT_EQ(memory.budget("node1:cpu0", 8 * GiB, 1), 4 * GiB);
  EXPECT_EQ(memory.budget("node1:cpu0", 16 * GiB, 1), 6 * GiB);
  MemoryConfig greedy;
  greedy.leave = {.kind = MemoryAmount::Kind::bytes, .bytes = 2 * GiB};
  EXPECT_EQ(greedy.budget("node1:cpu0", GiB, 1), 0U);
}

TEST(Config, ANamedDeviceHasItsOwnCapAndTheOthersShareTheirs) {
  const MemoryConfig memory = parse(R"(schema: 1
input: [{path: pages}]
pipeline: [{id: up, model: m.onnx}]
output: {dir: out}
devices: {memory: {cap: 8GiB, host: 75%, per_device: {"node3:cpu1": 512MiB, cpu2: 50%}}}
)")
                                  .devices.memory;
  EXPECT_EQ(memory.budget("node1:cpu0", 100 * GiB, 4), 2 * GiB);
  EXPECT_EQ(memory.budget("node3:cpu1", 100 * GiB, 4), 512 * MiB);
  EXPECT_EQ(memory.budget("node9:cpu2", 4 * GiB, 1), 2 * GiB);
  EXPECT_EQ(memory.budget("node9:cpu2", 4 * GiB, 2), 1536 * MiB) << "all ranks of a node share what the host gives";
  EXPECT_EQ(memory.budget("node1:cpu0", 4 * GiB, 2), 1536 * MiB);
}

TEST(Config, CapsOfDevicesSurviveBeingWrittenAndRead) {
  RunConfig config =
      parse("schema: 1\ninput: [{path: pages}]\npipeline: [{id: up, model: m.onnx}]\noutput: {dir: out}\n");
  EXPECT_FALSE(config.devices.memory.host);
  config.devices.memory.per_device = {{"a.b:cpu0", {.kind = MemoryAmount::Kind::bytes, .bytes = 3 * GiB}},
                                      {"cpu1", {.kind = MemoryAmount::Kind::percent, .percent = 12.5}}};
  config.devices.memory.host = MemoryAmount{.kind = MemoryAmount::Kind::bytes, .bytes = GiB};
  EXPECT_EQ(parse(effective_text(config)).devices.memory, config.devices.memory);
}

TEST(Config, ShowsAllMistakesAtOnceEachWithItsLineAndCaret) {
  EXPECT_EQ(refusal("schema: 1\n"
                    "input: [{path: pages}]\n"
                    "pipeline:\n"
                    "  - {id: up, model: m.onnx, image: {color: rgb}}\n"
                    "devices:\n"
                    "  jobs_per_devcie: 2\n"
                    "  memory: {cap: 80%, cap: 6GiB}\n"
                    "output: {shard_size: 010MiB}\n"
                    "tiles: {size: 3.5}\n"),
            R"(error: 'pipeline.up.image.color' cannot be 'rgb'
  --> job.yaml:4:44
   |
 4 |   - {id: up, model: m.onnx, image: {color: rgb}}
   |                                            ^^^ did you mean 'RGB'? expected RGB, BGR, Y or gray
error: unknown key 'devices.jobs_per_devcie'
  --> job.yaml:6:3
   |
 6 |   jobs_per_devcie: 2
   |   ^^^^^^^^^^^^^^^ did you mean 'jobs_per_device'?
error: 'devices.memory.cap' is given twice (first at job.yaml:7:12)
  --> job.yaml:7:22
   |
 7 |   memory: {cap: 80%, cap: 6GiB}
   |                      ^^^ take one of them out
error: missing key 'output.dir'
  --> job.yaml:8:1
   |
 8 | output: {shard_size: 010MiB}
   | ^^^^^^ The run folder: shards, journal, index. An unfinished run in it is resumed.
error: 'output.shard_size' cannot be '010MiB'
  --> job.yaml:8:22
   |
 8 | output: {shard_size: 010MiB}
   |                      ^^^^^^ expected a size from 64KiB to 64GiB
error: 'tiles.size' cannot be '3.5'
  --> job.yaml:9:15
   |
 9 | tiles: {size: 3.5}
   |               ^^^ expected auto, whole, or a whole number from 1 to 65536
6 errors, nothing was started. All keys: pantile config keys)");
}

TEST(Config, NamesTheKeysThatAreMissing) {
  EXPECT_EQ(refusal("name: x\n"),
            R"(error: missing key 'schema'
  --> job.yaml
   = Version of this format: 1.
error: missing key 'input'
  --> job.yaml
   = List of what to read; the order gives the items their ids.
error: missing key 'pipeline'
  --> job.yaml
   = List of stages; so far exactly one.
error: missing key 'output.dir'
  --> job.yaml
   = The run folder: shards, journal, index. An unfinished run in it is resumed.
4 errors, nothing was started. All keys: pantile config keys)");
}

TEST(Config, ShowsTheSetThatIsWrong) {
  EXPECT_EQ(refusal(minimal_job, {"devices.memory.capp=4GiB", "tiles.size=many"}),
            R"(error: unknown key 'devices.memory.capp'
  --> --set devices.memory.capp=4GiB
                           ^^^^ did you mean 'cap'?
error: 'tiles.size' cannot be 'many'
  --> --set tiles.size=many
                       ^^^^ expected auto, whole, or a whole number from 1 to 65536
2 errors, nothing was started. All keys: pantile config keys)");
  EXPECT_THAT(refusal(minimal_job, {"tiles.size"}), HasSubstr("--set needs KEY=VALUE"));
  EXPECT_THAT(refusal(minimal_job, {"input.3.path=x"}), HasSubstr("the list has no entry '3'"));
  EXPECT_THAT(refusal(minimal_job, {"name="}), HasSubstr("'name' cannot be empty"));
  EXPECT_THAT(refusal(minimal_job, {"devices.use=[cpu"}), HasSubstr("this is not YAML"));
  EXPECT_THAT(refusal(minimal_job, {"tiles.size.px=3"}), HasSubstr("'tiles.size' cannot be a map"));
}

TEST(Config, SetsGoOverTheFileAndTheLastOneWins) {
  const RunConfig config = parse(
      minimal_job, {"tiles.size=64", "tiles.size=128", "devices.memory={cap: 1GiB, leave: 5%}", "name=other",
                    "pipeline.upscale.image.scale=1/127", "pipeline.0.image.color=gray", "outputs.page.from=upscale"});
  EXPECT_EQ(config.tiles.size.px, 128);
  EXPECT_EQ(config.devices.memory.cap.bytes, GiB);
  EXPECT_EQ(config.devices.memory.leave.percent, 5);
  EXPECT_EQ(config.name, "other");
  EXPECT_EQ(config.pipeline[0].image.scale, (Ratio{1, 127}));
  EXPECT_EQ(config.pipeline[0].output.scale, (Ratio{127, 1}));
  EXPECT_EQ(config.pipeline[0].image.color, ImageConfig::Color::gray);
  EXPECT_EQ(config.outputs[0].name, "page");
}

TEST(Config, PathsCountFromWhereTheyWereWritten) {
  const RunConfig config = parse(minimal_job, {"output.dir=elsewhere/run"});
  EXPECT_EQ(config.input[0].path.resolved, "/jobs/pages");
  EXPECT_EQ(config.output.dir.resolved, std::filesystem::current_path() / "elsewhere/run");
  EXPECT_EQ(config.output.dir.written, config.output.dir.resolved.string());
  EXPECT_THAT(refusal(minimal_job, {"output.dir=~/out"}), HasSubstr("'~' stands for nothing here"));
}

TEST(Config, AShareOfTheCatalogMayBeInQuarantine) {
  const auto limit = [](const char* text) {
    return parse(minimal_job, {std::string{"on_error.max_quarantine="} + text}).on_error.max_quarantine;
  };
  EXPECT_EQ(limit("none").of(1000), 1000U);
  EXPECT_EQ(limit("7").of(1000), 7U);
  EXPECT_EQ(limit("7").of(5), 5U);
  EXPECT_EQ(limit("0").of(1000), 0U);
  EXPECT_EQ(limit("0.5%").of(1000), 5U);
  EXPECT_EQ(limit("1%").of(99), 0U);
  EXPECT_EQ(limit("29%").of(100), 29U) << "not 28: 29 / 100 is a little less in floating point";
}

struct BadValue {
  const char* set;
  const char* said;
};

class ConfigRefuses : public testing::TestWithParam<BadValue> {};

TEST_P(ConfigRefuses, ValuesThatCannotBeMeant) {
  EXPECT_THAT(refusal(minimal_job, {GetParam().set}), HasSubstr(GetParam().said)) << GetParam().set;
}

INSTANTIATE_TEST_SUITE_P(
    Values, ConfigRefuses,
    testing::Values(
        BadValue{"schema=2", "expected 1"}, BadValue{"on_error.retries=010", "cannot be '010'"},
        BadValue{"on_error.retries=yes", "expected a whole number from 0 to 100"},
        BadValue{"on_error.retries='2'", "without quotes"}, BadValue{"on_error.retries=1e1", "cannot be '1e1'"},
        BadValue{"on_error.retries=-1", "cannot be '-1'"}, BadValue{"on_error.retries=101", "cannot be '101'"},
        BadValue{"limits.max_pixels='5'", "without quotes"},
        BadValue{"devices.memory.cap='99999999'", "without quotes"}, BadValue{"tiles.size=0", "cannot be '0'"},
        BadValue{"tiles.size=0x40", "cannot be '0x40'"}, BadValue{"output.shard_size=1KiB", "from 64KiB to 64GiB"},
        BadValue{"output.shard_size=1GIB", "from 64KiB"}, BadValue{"output.seal_after=60", "(ms, s, min, h)"},
        BadValue{"output.seal_after=-1s", "(ms, s, min, h)"},
        BadValue{"output.wait_for_space=forever", "(ms, s, min, h)"},
        BadValue{"devices.memory.cap=120%", "cannot be '120%'"}, BadValue{"devices.memory.cap=0%", "cannot be '0%'"},
        BadValue{"devices.memory.cap=6", "a size from 1MiB"}, BadValue{"devices.use=[gpu]", "expected cpu"},
        BadValue{"devices.use=[]", "expected auto, or a list of: cpu"},
        BadValue{"devices=4", "expected a map with: use"},
        BadValue{"devices.jobs_per_device=0", "auto, or a whole number from 1"},
        BadValue{"pipeline.upscale.image.scale=1/0", "a positive number or a/b"},
        BadValue{"pipeline.upscale.image.scale=nan", "a positive number or a/b"},
        BadValue{"pipeline.upscale.image.std=0", "a positive number or a/b, or a list"},
        BadValue{"pipeline.upscale.image.mean=[1, 2]", "expected 1 or one per channel: 3"},
        BadValue{"pipeline=[]", "'pipeline' has 0 entries"}, BadValue{"pipeline=upscale", "expected a list"},
        BadValue{"outputs.9lives.from=upscale", "cannot be a name in 'outputs'"},
        BadValue{"outputs.page.from=upscle", "did you mean 'upscale'?"},
        BadValue{"outputs.page.dtype=f32", "expected u8"}, BadValue{"name=[a]", "'name' cannot be a list"},
        BadValue{"input=[pages]", "'input.0' cannot be 'pages'"},
        BadValue{"tiles.allow_inexact=yes", "'tiles.allow_inexact' cannot be 'yes'"},
        BadValue{"tiles.allow_inexact=no", "write true or false"}, BadValue{"tiles.allow_inexact=on", "write true or"},
        BadValue{"tiles.allow_inexact=off", "write true or"}, BadValue{"tiles.allow_inexact=True", "write true or"},
        BadValue{"tiles.allow_inexact=1", "write true or"}, BadValue{"tiles.allow_inexact=", "cannot be empty"},
        BadValue{"tiles.allow_inexact='true'", "write true or false, without quotes"},
        BadValue{"pipeline.0.image.alpha=keep", "expected drop or white"},
        BadValue{"schedule.policy=Equal", "did you mean 'equal'?"},
        BadValue{"on_error.max_quarantine=unlimited", "expected none, a count of items, or up to 100% of them"},
        BadValue{"on_error.max_quarantine=-1", "cannot be '-1'"}, BadValue{"part=0/3", "K/N with K from 1 to N"},
        BadValue{"part=4/3", "cannot be '4/3'"}, BadValue{"part=2", "expected all, or K/N"},
        BadValue{"part=1/100001", "N up to 100000"}, BadValue{"part=1/2/3", "cannot be '1/2/3'"},
        BadValue{"on_error.max_quarantine=101%", "cannot be '101%'"},
        BadValue{"on_error.max_quarantine=01", "cannot be '01'"}, BadValue{"limits.max_pixels=0", "(kP, MP, GP)"},
        BadValue{"limits.max_pixels=268Mpx", "expected a count of pixels from 1 to 1000GP (kP, MP, GP)"},
        BadValue{"limits.max_pixels=268MiB", "cannot be '268MiB'"}, BadValue{"limits.max_pixels=010MP", "cannot be"},
        BadValue{"limits.max_ratio=0", "from 1 to 1000000"}, BadValue{"limits.max_file_size=1", "from 1KiB to 1TiB"},
        BadValue{"shard_size=1GiB", "did you mean 'output.shard_size'?"}));

TEST(Config, RefusesTextsThatAreNoJob) {
  EXPECT_THAT(refusal(""), StartsWith("error: job.yaml is empty"));
  EXPECT_THAT(refusal("# nothing\n"), StartsWith("error: job.yaml is empty"));
  EXPECT_THAT(refusal("- a\n- b\n"), StartsWith("error: a job is a map of keys, not a list\n  --> job.yaml:1:1"));
  EXPECT_THAT(refusal("schema: 1\ninput: [a\noutput: {}\n"), StartsWith("error: this is not YAML\n  --> job.yaml:3:"));
  EXPECT_THAT(refusal("schema: 1\n\tname: x\n"), HasSubstr("this is not YAML"));
}

TEST(Config, SaysWhichFileCannotBeRead) {
  try {
    (void)load_config("no/such/job.yaml");
    FAIL() << "there is no such file";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("error: cannot open no/such/job.yaml: No such file or directory"));
    EXPECT_THAT(error.what(), HasSubstr("1 error, nothing was started."));
    EXPECT_EQ(error.code(), ExitCode::usage);
  }
}

TEST(Config, LoadsFilesFromAnywhere) {
  const std::filesystem::path folder =
      std::filesystem::path{testing::TempDir()} / ("pantile-config-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream{folder / "nice.yaml"} << "\xEF\xBB\xBF" << minimal_job;
  const RunConfig config = load_config(folder / "nice.yaml");
  EXPECT_EQ(config.name, "nice");
  EXPECT_EQ(config.input[0].path.resolved, (folder / "pages").lexically_normal());
  std::filesystem::remove_all(folder);
}

TEST(Config, SampleJobsAreRight) {
  int samples = 0;
  for (const auto& file : std::filesystem::directory_iterator{PANTILE_SOURCE_DIR "/configs"}) {
    SCOPED_TRACE(file.path());
    EXPECT_NO_THROW((void)load_config(file.path()));
    ++samples;
  }
  EXPECT_GE(samples, 1);
}

TEST(Config, EffectiveTextReadsBackAsTheSameConfig) {
  const std::vector<std::vector<std::string>> variants{
      {},
      {"name='a: b'"},
      {"name='say \"hi\" \\ # ü'"},
      {"name=null-and-void", "tiles.size=whole", "output.seal_after=90500ms"},
      {"name='1'", "tiles.size=7", "devices.memory.cap=33.3%", "devices.memory.leave=123456789"},
      {"devices={use: [cpu], jobs_per_device: 3}", "output.seal_after=15min"},
      {"input=[{path: 'a b', include: ['**/*.png', \"it's\"]}, {path: '-x', exclude: ['[a-c]?']}]"},
      {"pipeline.upscale.image={color: BGR, scale: 0.1, mean: [0.485, 1/3, -2], std: [1e-3, 2, 3], border: reflect}"},
      {"tiles.allow_inexact=true", "pipeline.0.image.alpha=white", "schedule.policy=dynamic"},
      {"pipeline.0.image.scale='1/127'", "tiles.size=\"whole\"", "on_error.max_quarantine='1%'"},
      {"on_error.max_quarantine=7", "limits.max_pixels=123456789", "limits.max_region_pixels=1.5GP"},
      {"on_error.max_quarantine=0.5%", "part=7/12", "limits={max_file_size: 1GB, max_ratio: 1, max_pixels: 40kP}"},
      {"pipeline.upscale.output.scale=1/7", "outputs={Y: {from: upscale}}"},
  };
  for (const auto& sets : variants) {
    const RunConfig config = parse(minimal_job, sets);
    const std::string text = effective_text(config);
    SCOPED_TRACE(text);
    EXPECT_EQ(parse_config(text, "shard", config.folder), config);
    EXPECT_EQ(effective_text(parse_config(text, "shard", config.folder)), text);
  }
}

TEST(Config, EffectiveTextHoldsEveryKey) {
  const std::string text = effective_text(parse(minimal_job, {"pipeline.upscale.image.border=none"}));
  EXPECT_EQ(text, R"(# relative paths count from /jobs
schema: 1
name: job
input:
  - path: pages
    include: []
    exclude: []
part: all
pipeline:
  - id: upscale
    model: models/m.onnx
    image:
      color: RGB
      scale: 1/255
      mean: 0
      std: 1
      border: none
      alpha: drop
    output:
      kind: image
      scale: 255
outputs:
  image:
    from: upscale
    dtype: u8
output:
  dir: out/run
  shard_size: 256MiB
  seal_after: auto
  wait_for_space: 600s
tiles:
  size: auto
  allow_inexact: false
devices:
  use: auto
  memory:
    cap: 80%
    leave: 0B
    host: auto
    per_device: {}
  jobs_per_device: auto
  isolation: process
schedule:
  policy: resolution
on_error:
  bad_input: quarantine
  retries: 2
  max_quarantine: none
  hang_after: 300s
limits:
  max_pixels: 268MP
  max_region_pixels: 4GP
  max_file_size: 256MiB
  max_region_file_size: 64GiB
  max_ratio: 1000
  max_items: 20000000
)");
}

}  // namespace
}  // namespace pantile
