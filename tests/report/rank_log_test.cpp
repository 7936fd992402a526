#include "report/rank_log.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.hpp"
#include "report/live.hpp"
#include "report/rank_log_reader.hpp"

namespace pantile {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

class RankLogTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::vector<Json> lines() const {
    std::vector<Json> all;
    std::ifstream file{folder_ / "rank-0003.jsonl"};
    for (std::string line; std::getline(file, line);) {
      all.push_back(Json::parse(line, nullptr, false));
    }
    return all;
  }

  std::filesystem::path folder_ =
      std::filesystem::path{testing::TempDir()} / ("pantile-rank-log-" + std::to_string(::getpid()));
};

TEST_F(RankLogTest, HoldsWhoSpansAndEventsOneObjectALine) {
  {
    RankLog log{folder_, RankId{3}, Epoch{2}};
    log.span(
        {.what = "compute", .lane = 1, .item = ItemId{17}, .block = BlockId{4}, .begin_us = 5120, .end_us = 90210});
    log.event(log::Level::warn, "a \"quoted\"\nname \xFF.png");
    EXPECT_TRUE(log.works());
  }
  const auto all = lines();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].at("rank"), 3);
  EXPECT_EQ(all[0].at("epoch"), 2);
  EXPECT_EQ(all[0].at("host"), host_name());
  EXPECT_GT(all[0].at("start_unix_us"), 1'600'000'000'000'000);
  EXPECT_EQ(all[1], Json::parse(R"({"span":"compute","lane":1,"item":17,"block":4,"begin_us":5120,"end_us":90210})"));
  EXPECT_EQ(all[2].at("event"), "warn");
  EXPECT_THAT(all[2].at("text").get<std::string>(), HasSubstr("a \"quoted\"\nname "));
  EXPECT_GE(all[2].at("at_us"), 0);
}

TEST_F(RankLogTest, HoldsAPlanOnceAndReadsItBack) {
  const PlanRecord plan{.device = "node1:cpu0",
                        .device_class = "cpu:avx512",
                        .cap_bytes = 1000,
                        .predicted_bytes = 900,
                        .tile = {128, 192},
                        .lanes = 2,
                        .why = "tiles of 128×192 px, 2 lanes: 77.9 MiB of 252 MiB"};
  {
    RankLog log{folder_, RankId{3}, Epoch{2}};
    log.plan(plan);
    log.plan(plan);
    PlanRecord other = plan;
    other.cap_bytes = 500;
    log.plan(other);
  }
  const auto all = lines();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[1].at("plan"), plan.why);
  EXPECT_EQ(all[1].at("tile"), Json::parse("[128, 192]"));
  EXPECT_EQ(all[2].at("cap_bytes"), 500);
  const auto log = read_item_log(rank_log_path(folder_, RankId{3}), Epoch{2}, ItemId{17});
  ASSERT_TRUE(log);
  ASSERT_EQ(log->plans.size(), 2U);
  EXPECT_EQ(log->plans[0].plan, plan);
  EXPECT_GE(log->plans[0].at_us, 0);
  EXPECT_EQ(log->plans[1].plan.cap_bytes, 500U);
}

TEST_F(RankLogTest, AResumeAppendsAndACutLineStaysAlone) {
  { const RankLog log{folder_, RankId{3}, Epoch{1}}; }
  std::ofstream{folder_ / "rank-0003.jsonl", std::ios::app} << R"({"span":"comp)";
  { const RankLog log{folder_, RankId{3}, Epoch{2}}; }
  const auto all = lines();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].at("epoch"), 1);
  EXPECT_TRUE(all[1].is_discarded());
  EXPECT_EQ(all[2].at("epoch"), 2);
}

TEST_F(RankLogTest, ThreadsDoNotMixTheirLines) {
  {
    RankLog log{folder_, RankId{3}, Epoch{1}};
    std::vector<std::jthread> threads;
    for (std::uint32_t lane = 0; lane < 4; ++lane) {
      threads.emplace_back([&log, lane] {
        for (std::uint64_t i = 0; i < 2000; ++i) {
          log.span({.what = "decode", .lane = lane, .item = ItemId{i}});
        }
      });
    }
  }
  const auto all = lines();
  ASSERT_EQ(all.size(), 8001U);
  for (const Json& line : all) {
    EXPECT_FALSE(line.is_discarded());
  }
}

/// A full disk, as the kernel plays it.
/// Files of this process cannot grow beyond so much.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t bytes) : before_{std::signal(SIGXFSZ, SIG_IGN)} {
    ::getrlimit(RLIMIT_FSIZE, &limit_);
    const rlimit small{bytes, limit_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &limit_);
    std::signal(SIGXFSZ, before_);
  }
  SizeLimit(const SizeLimit&) = delete;
  SizeLimit& operator=(const SizeLimit&) = delete;

 private:
  void (*before_)(int);
  rlimit limit_{};
};

TEST_F(RankLogTest, ThatCannotBeWrittenIsSilentAfterOneWarning) {
  std::filesystem::create_directories(folder_);
  std::ofstream{folder_ / "rank-0003.jsonl"} << std::string(64 << 10, '\n');
  testing::internal::CaptureStderr();
  {
    const SizeLimit limit{32 << 10};
    RankLog log{folder_, RankId{3}, Epoch{1}};
    EXPECT_FALSE(log.works());
    log.event(log::Level::info, "lost");
    log.flush();
  }
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("File too large. The run goes on without this log."));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
}

TEST_F(RankLogTest, KeepsWhatTheProcessSaysWhileItIsRecorded) {
  testing::internal::CaptureStderr();
  {
    RankLog log{folder_, RankId{3}, Epoch{1}};
    RankLog second{folder_, RankId{4}, Epoch{1}};
    {
      const TalkRecorder recorder{log};
      const TalkRecorder late{second};
      log::warn("a.jpg is in quarantine");
    }
    log::warn("after the end");
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("warning: a.jpg is in quarantine"));
  const auto kept = lines();
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept.at(1).at("event"), "warn");
  EXPECT_EQ(kept.at(1).at("text"), "a.jpg is in quarantine");
}

/// A sink that writes what it hears into the log must not lock it up.
RankLog* heard_by = nullptr;
TEST_F(RankLogTest, TheWarningMayComeBackAsAnEvent) {
  RankLog log{folder_, RankId{3}, Epoch{1}};
  heard_by = &log;
  log::set_sink([](log::Level level, std::string_view line) { heard_by->event(level, line); });
  std::filesystem::create_directories(folder_);
  const RankLog broken{folder_ / "rank-0003.jsonl", RankId{4}, Epoch{1}};
  log::set_sink(nullptr);
  EXPECT_FALSE(broken.works());
  log.flush();
  EXPECT_EQ(lines().size(), 2U);
}

}  // namespace
}  // namespace pantile
