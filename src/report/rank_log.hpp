#pragma once
// logs/rank-NNNN.jsonl: what one rank did and said, one JSON object a line. Raw material for trace.json and the report.
//
//     {"rank":3,"epoch":1,"host":"node1","pid":4711,"start":"2026-11-21T09:00:03Z","start_unix_us":1795251603000000}
//     {"span":"compute","lane":1,"item":17,"block":0,"begin_us":5120,"end_us":90210}
//     {"event":"warn","at_us":90300,"text":"a.jpg quarantined: …"}
//     {"death":"SIGSEGV","at_us":90400,"pid":4712,"oom_kills":0,"begun":[{"item":17,"tiles_made":3}],"words":["…"]}
//
// The first line of each start has what aligns the tracks of ranks; all later times count from it.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
