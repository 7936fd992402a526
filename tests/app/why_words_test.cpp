#include "app/why_words.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace pantile::app {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

PlanRecord plan(std::uint64_t cap_bytes, std::string why) {
  return {.device = "node1:cpu0",
          .device_class = "cpu:avx512",
          .cap_bytes = cap_bytes,
          .predicted_bytes = 77 << 20U,
          .tile = {128, 128},
          .lanes = 2,
          .why = std::move(why)};
}

BlockHistory block(std::uint32_t number, std::vector<PlanRecord> plans) {
  BlockRow row;
  row.key = {ItemId{17}, OutputId{0}, BlockId{number}};
  row.attempt = 2;
  row.rect = {2048, 0, 952, 2048};
  row.tile = {120, 128};
  row.device_class = "cpu:avx512";
  row.milliseconds = 400;
  row.peak_bytes = 5 << 20U;
  return {.output = "page",
          .row = row,
          .shard = "e0001-r0003-000000.h5",
          .shard_row = 9 + number,
          .rank = RankId{3},
          .epoch = Epoch{1},
          .compute_ms = 210.5,
          .write_ms = {},
          .plans = std::move(plans)};
}

ItemHistory history() {
  const PlanRecord first = plan(256 << 20U, "tiles of 128×128 px, 2 lanes: 77.9 MiB of 252 MiB");
  const PlanRecord second = plan(128 << 20U, "tiles of 96×96 px, 2 lanes: 40 MiB of 124 MiB");
  ItemHistory all;
  all.item = ItemId{17};
  all.facts = {.path = "vol-01/003.png",
               .extent = {3000, 2000},
               .channels = 3,
               .bits = 8,
               .bytes = 2 << 20U,
               .format = ImageFormat::png};
  all.input = "/data/pages";
  all.status = ItemStatus::done;
  all.run_state = "running";
  all.events = {{ItemEvent::Kind::failed, Epoch{1}, 1, {Fault::crashed, "SIGSEGV in the model"}}};
  all.blocks = {block(0, {first}), block(1, {first}), block(2, {first, second}), block(4, {second})};
  all.blocks_in_all = 4;
  all.decodes = {{.rank = RankId{3}, .epoch = Epoch{1}, .count = 2, .milliseconds = 12.34}};
  return all;
}

TEST(WhyText, TellsWhatItIsAndWhyItWasMadeSo) {
  EXPECT_THAT(why_text(history()), StartsWith(R"(item      17: vol-01/003.png
image     3000×2000 px, 3 channels of 8 bits, png, 2.00 MiB in /data/pages
state     done: 4 blocks
events    epoch 1, attempt 1: crashed: SIGSEGV in the model
decode    12.3 ms in 2 parts by rank 3
why       blocks 0-2 on node1:cpu0: cap 256 MiB, of which 77.0 MiB predicted
          tiles of 128×128 px, 2 lanes: 77.9 MiB of 252 MiB
          blocks 2, 4 on node1:cpu0: cap 128 MiB, of which 77.0 MiB predicted
          tiles of 96×96 px, 2 lanes: 40 MiB of 124 MiB

output  block  shard                  row  rank  device      attempt  tile     tile peak  tiles took  compute   write
page        0  e0001-r0003-000000.h5    9     3  cpu:avx512        2  120×128  5.00 MiB   400.0 ms    210.5 ms
)"));
}

TEST(WhyText, OfOneInQuarantineGivesTheReasonOnce) {
  ItemHistory all;
  all.facts.path = "no.png";
  all.facts.bytes = 6;
  all.input = "in";
  all.status = ItemStatus::quarantined;
  const Failure failure{Fault::not_an_image, "the file does not begin like an image"};
  all.quarantine = QuarantinedItem{failure, 1};
  all.events = {{ItemEvent::Kind::quarantined, Epoch{1}, 1, failure}};
  EXPECT_EQ(why_text(all), R"(item      0: no.png
image     6 B in in; its header cannot be read
state     in quarantine after 1 attempt
reason    not_an_image: the file does not begin like an image
)");
  all.events.insert(all.events.begin(), {ItemEvent::Kind::released, Epoch{1}, 0, {}});
  EXPECT_THAT(why_text(all),
              HasSubstr("\nevents    epoch 1: out of quarantine, to be tried again\n          epoch 1, "));
}

TEST(WhyText, OfOneThatIsNotDoneSaysHowFarItIsAndWhatIsNotKnown) {
  ItemHistory all = history();
  all.status = ItemStatus::pending;
  all.blocks = {block(0, {})};
  all.notes = {"logs/rank-0003.jsonl is gone"};
  const std::string text = why_text(all);
  EXPECT_THAT(text, HasSubstr("\nstate     not done yet (1 of 4 blocks are); the run is running\n"));
  EXPECT_THAT(text, HasSubstr("\nnote      logs/rank-0003.jsonl is gone\n\noutput"));
  EXPECT_THAT(text, Not(HasSubstr("\nwhy ")));
}

TEST(WhyJson, HoldsTheSame) {
  const auto json = nlohmann::json::parse(why_json(history()));
  EXPECT_EQ(json.at("item"), 17);
  EXPECT_EQ(json.at("status"), "done");
  EXPECT_TRUE(json.at("reason").is_null());
  EXPECT_EQ(json.at("events").at(0).at("fault"), "crashed");
  EXPECT_EQ(json.at("decodes").at(0).at("count"), 2);
  ASSERT_EQ(json.at("blocks").size(), 4U);
  const auto& third = json.at("blocks").at(2);
  EXPECT_EQ(third.at("shard"), "e0001-r0003-000000.h5");
  EXPECT_EQ(third.at("row"), 11);
  EXPECT_EQ(third.at("rank"), 3);
  EXPECT_EQ(third.at("attempt"), 2);
  EXPECT_EQ(third.at("compute_ms"), 210.5);
  EXPECT_TRUE(third.at("write_ms").is_null());
  EXPECT_EQ(third.at("rect"), nlohmann::json::parse("[2048, 0, 952, 2048]"));
  ASSERT_EQ(third.at("plans").size(), 2U);
  EXPECT_EQ(third.at("plans").at(1).at("cap_bytes"), 128 << 20);
  EXPECT_EQ(third.at("plans").at(1).at("tile_px"), nlohmann::json::parse("[128, 128]"));
}

}  // namespace
}  // namespace pantile::app
