#pragma once
// live.json: what a run does right now, for status, top and the supervisor's display. Written by rank 0 each second.
// The JSON keys are a contract with scripts (design §12): add, never rename.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.hpp"
#include "base/log.hpp"

namespace pantile {

using WallTime = std::chrono::system_clock::time_point;

/// `interrupted` is never written: it is how a state reads whose process is gone.
enum class RunState : std::uint8_t {
  starting,
  running,
  waiting_for_space,  ///< the disk is full
  draining,
  done,
  stopped,
  failed,
  interrupted
};
[[nodiscard]] std::string_view name(RunState state) noexcept;
/// True while a process should be behind the state.
[[nodiscard]] constexpr bool is_active(RunState state) noexcept { return state <= RunState::draining; }

struct DeviceLive {
  std::string name;                   ///< "node1:cpu0"
  std::uint64_t cap_bytes = 0;        ///< in force now
  std::uint64_t predicted_bytes = 0;  ///< that the plan takes of it
  std::uint64_t used_bytes = 0;       ///< resident: rank and executor
  std::uint64_t peak_bytes = 0;       ///< the most of that
  std::uint64_t others_bytes = 0;     ///< that other programs have of the device
  int lanes = 0;
  double utilisation = 0;   ///< 0 … 1: busy share of its lanes
  double pixels_per_s = 0;  ///< input pixels
  std::string doing;        ///< "a.png tile 4/36"; may be empty
  bool operator==(const DeviceLive&) const = default;
};

/// A line that needs a person (say it here or by base/log.hpp, not both: the display shows either): a quarantined item,
/// a retry, a lost rank. Numbers go up by one from 1 within an epoch.
struct LiveMessage {
  std::uint64_t number = 0;
  log::Level level = log::Level::info;
  std::string text;
  bool operator==(const LiveMessage&) const = default;
};

/// What came of a request of `pantile ctl`, which waits for it.
struct LiveRequest {
  std::string id;
  std::string request;  ///< "drain"
  bool granted = false;
  std::string answer;  ///< in words
  bool operator==(const LiveRequest&) const = default;
};

struct LiveState {
  RunState state = RunState::starting;
  std::string run;          ///< the config's name
  std::uint64_t items = 0;  ///< of the catalog
  std::uint64_t done = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t running = 0;
  std::uint64_t computed = 0;       ///< all blocks are made, the shard that has them is not committed yet
  std::uint64_t pixels = 0;         ///< input pixels of all items that can be read: the predicted cost
  std::uint64_t pixels_done = 0;    ///< of settled items and blocks, this epoch's and those before
  std::uint64_t pixels_before = 0;  ///< of pixels_done, what earlier epochs did
  double pixels_per_s = 0;          ///< now; see report/rate.hpp
  std::optional<double> eta_s;      ///< unset while unknown
  WallTime started;                 ///< of this epoch
  WallTime updated;
  std::int64_t pid = 0;  ///< of rank 0
  std::string host;      ///< of rank 0
  std::uint32_t epoch = 0;
  std::string plan_id;      ///< of this epoch, as `pantile plan` would have told it before
  std::uint32_t ranks = 0;  ///< of the world
  std::vector<DeviceLive> devices;
  std::vector<LiveMessage> messages;  ///< the newest, at most `max_live_messages`
  std::vector<LiveRequest> requests;  ///< the newest, at most `max_live_requests`
  bool operator==(const LiveState&) const = default;

  /// 0 … 1, by predicted cost. 1 if there is no cost and nothing is left.
  [[nodiscard]] double progress() const noexcept;
};

inline constexpr std::size_t max_live_messages = 32;
inline constexpr std::size_t max_live_requests = 8;

/// Appends with the next number, and forgets the oldest beyond max_live_messages.
void add_message(LiveState& state, log::Level level, std::string text);

/// Appends, and forgets the oldest beyond max_live_requests.
void add_answer(LiveState& state, LiveRequest answer);

[[nodiscard]] std::string to_json(const LiveState& state);
/// Nothing if it is no JSON or not a live state; unknown keys are ignored, absent ones keep their defaults.
[[nodiscard]] std::optional<LiveState> parse_live(std::string_view json);

/// Readers see the old state or the new one. Not durable: the journal is the truth. On a full disk it is written over
/// the old one, which a reader may then catch half written. Throws Error.
void write_live(const std::filesystem::path& path, const LiveState& state, Disk& disk = real_disk());
/// Nothing if the file is absent or unreadable. An active state older than 10 s whose pid is dead on this host reads as
/// interrupted; one of another host stays as it is.
[[nodiscard]] std::optional<LiveState> read_live(const std::filesystem::path& path);

/// The rule behind read_live, pure.
[[nodiscard]] LiveState judged(LiveState state, WallTime now, std::string_view this_host, bool pid_is_alive);

/// This machine's host name.
[[nodiscard]] std::string host_name();
/// UTC: "2026-11-21T09:00:03Z".
[[nodiscard]] std::string iso_time(WallTime time);

}  // namespace pantile
