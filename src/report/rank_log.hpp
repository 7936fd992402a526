#pragma once
// logs/rank-NNNN.jsonl: what one rank did and said, one JSON object a line. Raw material for trace.json and the report.
//
//     {"rank":3,"epoch":1,"host":"node1","pid":4711,"start":"2026-11-21T09:00:03Z","start_unix_us":1795251603000000}
//     {"span":"compute","lane":1,"item":17,"block":0,"begin_us":5120,"end_us":90210}
//     {"event":"warn","at_us":90300,"text":"a.jpg quarantined: …"}
//     {"plan":"tiles of 128×128 px, …","at_us":90310,"device":"node1:cpu0","device_class":"cpu:avx512","cap_bytes":…,
//      "predicted_bytes":…,"tile":[128,128],"lanes":2}
//     {"death":"SIGSEGV","at_us":90400,"pid":4712,"oom_kills":0,"begun":[{"item":17,"tiles_made":3}],"words":["…"]}
//
// The first line of each start has what aligns the tracks of ranks; all later times count from it. A plan holds for
// the tiles that begin after it, until the next one. rank_log_reader.hpp reads these files.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/extent.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/records.hpp"

namespace pantile {

/// An executor that ended without being asked: what is known of it.
struct DeathCertificate {
  std::string how;  ///< "SIGSEGV"
  std::int64_t pid = 0;
  std::uint64_t oom_kills = 0;                          ///< seen in its last seconds
  std::vector<std::pair<ItemId, std::uint64_t>> begun;  ///< items that it worked on, each with its tiles made so far
  std::vector<std::string> words;                       ///< the last lines that it said
};

/// What the planner has decided for a device.
struct PlanRecord {
  std::string device;        ///< "node1:cpu0"
  std::string device_class;  ///< "cpu:avx512"
  std::uint64_t cap_bytes = 0;
  std::uint64_t predicted_bytes = 0;  ///< of that, at most
  Extent tile;                        ///< core input pixels
  int lanes = 1;
  std::string why;  ///< the planner's sentence
  bool operator==(const PlanRecord&) const = default;
};

/// `folder`/rank-0003.jsonl
[[nodiscard]] std::filesystem::path rank_log_path(const std::filesystem::path& folder, RankId rank);

/// Thread safe. Never throws into the run: if the log cannot be written, it says so once and stays silent.
class RankLog {
 public:
  /// Appends to `folder`/rank-NNNN.jsonl (the folder is made if need be). Its clock starts now.
  RankLog(const std::filesystem::path& folder, RankId rank, Epoch epoch) noexcept;
  /// Goes nowhere.
  RankLog();
  /// Writes what is buffered.
  ~RankLog();
  RankLog(const RankLog&) = delete;
  RankLog& operator=(const RankLog&) = delete;

  /// Microseconds since the start of the log, of the steady clock: what Span counts in.
  [[nodiscard]] std::int64_t now_us() const noexcept;
  void span(const Span& span) noexcept;
  void event(log::Level level, std::string_view text) noexcept;
  void death(const DeathCertificate& death) noexcept;
  /// Only what differs from the last plan is written: a worker plans anew whenever it has learnt something.
  void plan(const PlanRecord& plan) noexcept;
  /// Writes what is buffered; else it is written each 64 KiB or each second.
  void flush() noexcept;
  /// False once writing failed.
  [[nodiscard]] bool works() const noexcept;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

/// While it lives, what this process says (base/log) goes into a rank's log too. The first one of a process does so, a
/// second one nothing: with --ranks 1 coordinator and worker are one process.
class TalkRecorder {
 public:
  explicit TalkRecorder(RankLog& log) noexcept;
  ~TalkRecorder();
  TalkRecorder(const TalkRecorder&) = delete;
  TalkRecorder& operator=(const TalkRecorder&) = delete;

 private:
  bool records_ = false;
};

}  // namespace pantile
