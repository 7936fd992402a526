#include "run/memory_desk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "base/byte_size.hpp"
#include "base/error.hpp"

namespace pantile {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* job = R"(schema: 1
input: [{path: pages}]
pipeline: [{id: up, model: m.onnx}]
output: {dir: out}
devices: {memory: {cap: 4GiB}}
)";

class MemoryDeskTest : public ::testing::Test {
 protected:
  MemoryDeskTest()
      : config_{parse_config(job, "job", "/jobs")},
        desk_{config_,
              {.ranks = [this] { return ranks_; },
               .say = [this](RankId to, SetMemory set) { said_.emplace_back(index(to), std::move(set)); },
               .answer = [this](LiveRequest answer) { answers_.push_back(std::move(answer)); }}} {}

  void ask(const std::string& setting, const std::vector<RankId>& ranks) {
    ranks_ = ranks;
    desk_.ask({.id = setting, .epoch = 1, .text = "set " + setting}, 0);
  }
  [[nodiscard]] std::uint64_t cap_in(const std::string& text) const {
    return parse_config(text, "job", "/jobs").devices.memory.cap.bytes;
  }

  RunConfig config_;
  std::vector<RankId> ranks_;
  std::vector<std::pair<int, SetMemory>> said_;
  std::vector<LiveRequest> answers_;
  MemoryDesk desk_;
};

TEST_F(MemoryDeskTest, AnswersOnceAllRanksHaveTakenTheCap) {
  ask("devices.memory.cap=2GiB", {RankId{1}, RankId{2}});
  ASSERT_EQ(said_.size(), 2U);
  EXPECT_EQ(cap_in(said_[0].second.config), 2 * GiB);
  desk_.heard(RankId{1}, {.number = said_[0].second.number, .granted = true, .text = "one", .lanes = 1}, 1);
  desk_.heard(RankId{1}, {.number = said_[0].second.number, .granted = true, .text = "again", .lanes = 1}, 1);
  EXPECT_THAT(answers_, IsEmpty());
  EXPECT_EQ(cap_in(desk_.config_text()), 4 * GiB);
  desk_.heard(RankId{2}, {.number = said_[0].second.number, .granted = true, .text = "two", .lanes = 1}, 1);
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_TRUE(answers_[0].granted);
  EXPECT_EQ(answers_[0].answer, "one\ntwo");
  EXPECT_EQ(cap_in(desk_.config_text()), 2 * GiB);
}

TEST_F(MemoryDeskTest, WhereOneRankCannotTheOthersTakeItBack) {
  ask("devices.memory.cap=1GiB", {RankId{1}, RankId{2}, RankId{3}});
  const std::uint64_t number = said_[0].second.number;
  said_.clear();
  desk_.heard(RankId{1}, {.number = number, .granted = true, .text = "fine", .lanes = 1}, 1);
  desk_.heard(RankId{2}, {.number = number, .granted = false, .text = "2GiB would do", .lanes = 1}, 1);
  desk_.heard(RankId{3}, {.number = number, .granted = true, .text = "fine", .lanes = 1}, 1);
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_FALSE(answers_[0].granted);
  EXPECT_EQ(answers_[0].answer, "2GiB would do");
  ASSERT_EQ(said_.size(), 2U);
  for (const auto& [rank, set] : said_) {
    EXPECT_NE(rank, 2);
    EXPECT_EQ(cap_in(set.config), 4 * GiB);
    EXPECT_GT(set.number, number) << "their answers to this are nobody's";
  }
  EXPECT_EQ(cap_in(desk_.config_text()), 4 * GiB);
}

TEST_F(MemoryDeskTest, RefusesInWordsWhatIsNoCap) {
  for (const auto& [setting, words] : std::vector<std::pair<std::string, std::string>>{
           {"tiles.size=64", "only devices.memory.cap, leave, host and per_device"},
           {"devices.memory.cap", "KEY=VALUE"},
           {"devices.memory.cap=lots", "a size from 1MiB"},
           {"devices.memory.cup=1GiB", "unknown key"}}) {
    answers_.clear();
    ask(setting, {RankId{1}});
    ASSERT_EQ(answers_.size(), 1U) << setting;
    EXPECT_FALSE(answers_[0].granted);
    EXPECT_THAT(answers_[0].answer, HasSubstr(words));
  }
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(MemoryDeskTest, TakesOneRequestAfterAnother) {
  ask("devices.memory.cap=2GiB", {RankId{1}});
  ask("devices.memory.leave=1GiB", {RankId{1}});
  ASSERT_EQ(said_.size(), 1U);
  desk_.heard(RankId{1}, {.number = said_[0].second.number, .granted = true, .text = "a", .lanes = 1}, 1);
  ASSERT_EQ(said_.size(), 2U);
  const RunConfig second = parse_config(said_[1].second.config, "job", "/jobs");
  EXPECT_EQ(second.devices.memory.cap.bytes, 2 * GiB) << "on top of the first";
  EXPECT_EQ(second.devices.memory.leave.bytes, GiB);
  desk_.heard(RankId{1}, {.number = said_[1].second.number, .granted = true, .text = "b", .lanes = 1}, 1);
  EXPECT_EQ(answers_.size(), 2U);
}

TEST_F(MemoryDeskTest, WaitsForASilentRankForSecondsOnly) {
  ask("devices.memory.cap=2GiB", {RankId{1}, RankId{2}});
  desk_.heard(RankId{1}, {.number = said_[0].second.number, .granted = true, .text = "fine", .lanes = 1}, 1);
  desk_.look(3);
  EXPECT_THAT(answers_, IsEmpty());
  desk_.look(4.5);
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_TRUE(answers_[0].granted);
  EXPECT_THAT(answers_[0].answer, HasSubstr("rank 2 has not answered yet"));
}

TEST_F(MemoryDeskTest, ARankThatIsLostIsNotWaitedFor) {
  ask("devices.memory.cap=2GiB", {RankId{1}, RankId{2}});
  desk_.lost(RankId{2}, 1);
  EXPECT_THAT(answers_, IsEmpty());
  desk_.heard(RankId{1}, {.number = said_[0].second.number, .granted = true, .text = "fine", .lanes = 1}, 1);
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_EQ(answers_[0].answer, "fine");
}

TEST_F(MemoryDeskTest, WhereNoDeviceCanTellNothingIsGranted) {
  ask("devices.memory.per_device.cpu0=3GiB", {});
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_FALSE(answers_[0].granted);
  EXPECT_THAT(answers_[0].answer, HasSubstr("no device is open yet"));
  ask("devices.memory.cap=3GiB", {RankId{1}, RankId{2}});
  desk_.look(5);
  ASSERT_EQ(answers_.size(), 2U);
  EXPECT_FALSE(answers_[1].granted) << "both are still opening the model";
  EXPECT_EQ(cap_in(desk_.config_text()), 4 * GiB);
  ASSERT_EQ(said_.size(), 4U);
  EXPECT_EQ(cap_in(said_[3].second.config), 4 * GiB) << "they forget it";
  ask("devices.memory.cap=3GiB", {RankId{1}});
  desk_.lost(RankId{1}, 6);
  ASSERT_EQ(answers_.size(), 3U);
  EXPECT_FALSE(answers_[2].granted);
}

}  // namespace
}  // namespace pantile
