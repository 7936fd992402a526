#include "run/recompute.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/temp_folder.hpp"
#include "config/config.hpp"
#include "run/launch.hpp"
#include "store/catalog_file.hpp"
#include "store/digest.hpp"
#include "store/index_writer.hpp"
#include "store/shard_reader.hpp"
#include "store/shard_writer.hpp"

namespace pantile {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TempFolder;

/// A finished run of two images by the real model.
RunLayout made_run(const std::filesystem::path& root) {
  const std::filesystem::path data = std::filesystem::path{PANTILE_SOURCE_DIR} / "tests/data";
  const std::string job =
      "schema: 1\nname: t\ninput: [{path: " + (data / "pages").string() +
      ", include: [small.png, sticker.png]}]\npipeline: [{id: s, model: " + (data / "models/upscale2x.onnx").string() +
      ", image: {color: RGB, scale: 1/255}, output: {kind: image}}]\noutput: {dir: out}\ndevices: {isolation: none}\n";
  const RunConfig config = parse_config(job, "job", root);
  EXPECT_EQ(run_in_process(
                {.config = config, .start = {}, .texts = {}, .time_limit = {}, .started = {}, .shows_progress = false}),
            ExitCode::done);
  return {root / "out"};
}

/// Puts another shard in the place of the only one, in which one value of item `wrong` is another: as sound as the
/// first, and not what the model makes.
void make_wrong(const RunLayout& layout, ItemId wrong) {
  RunFolder folder = RunFolder::open(layout.root);
  JournalState state;
  Journal journal = Journal::open(layout.journal(), state);
  ASSERT_EQ(state.shards().size(), 1U);
  const std::string before = state.shards()[0].name;
  journal.append(state.next_start("t"), state);
  journal.append(ShardRetired{before}, state);
  const ShardReader reader{layout.shard(before)};
  ShardWriter writer{layout,
                     {.epoch = journal.epoch(), .rank = RankId{1}, .counter = ShardId{0}},
                     {.run_id = reader.run_id(), .config = reader.config(), .outputs = reader.outputs()}};
  std::vector<bool> wanted;
  std::vector<StoredRow> rows = reader.rows();
  for (StoredRow& stored : rows) {
    Bytes pixels = reader.read(stored);
    if (stored.row.key.item == wrong) {
      pixels[100] ^= std::byte{4};
      stored.row.digest = block_digest(wrong, OutputId{0}, DType::u8, stored.row.rect, stored.row.channels, pixels);
    }
    writer.append(stored.row, pixels);
    wanted.push_back(true);
  }
  journal.append(to_commit(*writer.seal(wanted)), state);
  const RunTotals totals = write_index(layout, read_catalog(layout.catalog()), state);
  journal.append(RunEnd{totals.digest, hash_of(layout.index())}, state);
  journal.commit();
}

TEST(Sample, FindsAResultThatTheModelDoesNotMake) {
  log::set_level(log::Level::error);
  const TempFolder folder;
  const RunLayout layout = made_run(folder.path());
  const VerifyReport sound = verify_run(layout);
  ASSERT_THAT(sound.problems, IsEmpty());
  EXPECT_EQ(recompute_sample(layout, sound, {.percent = 100}, std::nullopt).equal, 2U);

  make_wrong(layout, ItemId{1});
  const VerifyReport report = verify_run(layout);
  ASSERT_THAT(report.problems, IsEmpty()) << "no byte of it is damaged";
  EXPECT_NE(report.digest, sound.digest);
  const SampleReport sample = recompute_sample(layout, report, {.percent = 100}, std::nullopt);
  EXPECT_EQ(sample.items, 2U);
  EXPECT_EQ(sample.equal, 1U);
  EXPECT_THAT(sample.changed, IsEmpty());
  EXPECT_THAT(sample.differ, ElementsAre(::testing::AllOf(HasSubstr("item 1 (sticker.png), block 0: made again on"),
                                                          HasSubstr("pixels differ, the most by 4 of 255"))));
  log::set_level(log::Level::info);
}

TEST(Sample, IsAShareOrANumber) {
  EXPECT_EQ(parse_sample_size("5%").percent, 5);
  EXPECT_EQ(parse_sample_size("0.5%").percent, 0.5);
  EXPECT_EQ(parse_sample_size("12").items, 12U);
  for (const char* wrong : {"", "%", "0", "0%", "101%", "-1", "5 %", "x"}) {
    EXPECT_THROW(static_cast<void>(parse_sample_size(wrong)), UsageError) << wrong;
  }
}

}  // namespace
}  // namespace pantile
