#include "report/live.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "sim/sim_disk.hpp"
#include "states.hpp"

namespace pantile {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(Live, KeysOfTheContractAreThere) {
  const auto json = nlohmann::json::parse(to_json(busy_state()));
  EXPECT_EQ(json.at("state"), "running");
  EXPECT_EQ(json.at("items"), 1205);
  EXPECT_EQ(json.at("done"), 655);
  EXPECT_EQ(json.at("quarantined"), 1);
  EXPECT_EQ(json.at("running"), 24);
  EXPECT_EQ(json.at("computed"), 40);
  EXPECT_EQ(json.at("eta_s"), 105);
  const auto& device = json.at("devices").at(0);
  EXPECT_EQ(device.at("name"), "node1:cpu0");
  EXPECT_EQ(device.at("cap_bytes"), std::uint64_t{6} << 30U);
  EXPECT_EQ(device.at("used_bytes"), std::uint64_t{5} << 30U);
  EXPECT_EQ(device.at("peak_bytes"), (std::uint64_t{5} << 30U) + 1);
  EXPECT_EQ(device.at("lanes"), 2);
  EXPECT_EQ(device.at("utilisation"), 0.97);
  EXPECT_EQ(json.at("started"), "2026-11-21T09:00:03.000Z");
  EXPECT_EQ(json.at("messages").at(1).at("level"), "warn");
  EXPECT_TRUE(nlohmann::json::parse(to_json(LiveState{})).at("eta_s").is_null());
}

TEST(Live, ReadsBackAsTheSameState) {
  EXPECT_EQ(parse_live(to_json(busy_state())), busy_state());
  EXPECT_EQ(parse_live(to_json(LiveState{})), LiveState{});
  for (int state = 0; state <= static_cast<int>(RunState::interrupted); ++state) {
    LiveState live;
    live.state = static_cast<RunState>(state);
    EXPECT_EQ(parse_live(to_json(live))->state, live.state);
  }
}

TEST(Live, ReadsWhatOtherVersionsWrite) {
  const auto state =
      parse_live(R"({"state": "running", "items": 3, "new_key": [1], "devices": [{"name": "a", "more": 1}]})");
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->items, 3U);
  EXPECT_EQ(state->devices.at(0).name, "a");
  for (const char* text : {"", "{", "[]", "null", "{}", R"({"state": "flying"})",
                           R"({"state": "running", "items": "many"})", R"({"state": "running", "devices": [1]})"}) {
    EXPECT_FALSE(parse_live(text).has_value()) << text;
  }
}

TEST(Live, AnyBytesInAPathCanBeWritten) {
  LiveState state = busy_state();
  add_message(state, log::Level::warn, "\xFF\xFE.png quarantined");
  const auto again = parse_live(to_json(state));
  ASSERT_TRUE(again.has_value());
  EXPECT_THAT(again->messages.back().text, HasSubstr(".png quarantined"));
}

TEST(Live, KeepsTheNewestMessagesAndCountsAll) {
  LiveState state;
  for (int i = 1; i <= 100; ++i) {
    add_message(state, log::Level::info, std::to_string(i));
  }
  EXPECT_EQ(state.messages.size(), max_live_messages);
  EXPECT_EQ(state.messages.back().number, 100U);
  EXPECT_EQ(state.messages.front().text, std::to_string(101 - max_live_messages));
}

TEST(Live, ADeadRunReadsAsInterrupted) {
  const LiveState state = busy_state();
  const WallTime late = state.updated + 11s;
  EXPECT_EQ(judged(state, late, "node1", false).state, RunState::interrupted);
  EXPECT_EQ(judged(state, late, "node1", false).running, 0U);
  EXPECT_EQ(judged(state, late, "node1", false).computed, 0U);
  EXPECT_EQ(judged(state, late, "node1", true), state) << "it lives, and is only slow";
  EXPECT_EQ(judged(state, late, "login", false), state) << "a pid of another host says nothing";
  EXPECT_EQ(judged(state, state.updated + 9s, "node1", false), state) << "it may just have ended; the last word counts";
  LiveState ended = state;
  ended.state = RunState::stopped;
  EXPECT_EQ(judged(ended, late, "node1", false), ended);
}

TEST(Live, FilesAreReplacedAndMayBeAbsent) {
  const std::filesystem::path folder =
      std::filesystem::path{testing::TempDir()} / ("pantile-live-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  EXPECT_FALSE(read_live(folder / "live.json").has_value());
  LiveState state = busy_state();
  state.pid = ::getpid();
  state.host = host_name();
  write_live(folder / "live.json", state);
  EXPECT_EQ(read_live(folder / "live.json"), state);
  state.pid = 0x7FFFFFFF;            // beyond what Linux gives out
  state.updated = WallTime{} + 24h;  // long ago
  write_live(folder / "live.json", state);
  EXPECT_EQ(read_live(folder / "live.json")->state, RunState::interrupted);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator{folder}, {}), 1) << "no temporary files stay";
  std::filesystem::remove_all(folder);
}

TEST(Live, ProgressIsByCostNotByCount) {
  EXPECT_NEAR(busy_state().progress(), 0.54, 1e-9);
  LiveState state;
  EXPECT_EQ(state.progress(), 0);
  state.items = state.quarantined = 2;
  EXPECT_EQ(state.progress(), 1);
  EXPECT_EQ(iso_time(nine_o_clock), "2026-11-21T09:00:03Z");
}

TEST(Live, IsWrittenOverTheOldStateOnAFullDisk) {
  sim::SimDisk disk;
  disk.make_folder("run");
  LiveState state;
  state.run = std::string(300, 'x');
  write_live("run/live.json", state, disk);
  disk.set_capacity(disk.used());
  state.run = "short";
  state.state = RunState::waiting_for_space;
  write_live("run/live.json", state, disk);
  const Bytes bytes = read_file(disk, "run/live.json");
  const auto read = parse_live({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->state, RunState::waiting_for_space);
  EXPECT_EQ(read->run, "short");
  EXPECT_EQ(disk.list("run"), std::vector<std::string>{"live.json"}) << "nothing is left beside it";
}

}  // namespace
}  // namespace pantile
