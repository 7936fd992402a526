#pragma once
// What the world sees of a run while rank 0 leads it: live.json and the progress display. Nothing is decided by it.

#include <map>
#include <optional>

#include "cluster/messages.hpp"
#include "plan/scheduler.hpp"
#include "report/live.hpp"
#include "report/rate.hpp"
#include "run/job.hpp"

namespace pantile {

/// What rank 0 knows of a worker beside its work.
struct RankFacts {
  std::optional<Ready> ready;
  Beat beat;
  std::string config;  ///< that it was told last
  bool gone = false;   ///< it has given up
};
using RankBook = std::map<RankId, RankFacts>;

class LiveView {
 public:
  /// Of a job whose epoch has begun, in a world of so many ranks. `job` outlives it.
  LiveView(const Job& job, int ranks);

  [[nodiscard]] const LiveState& state() const noexcept { return live_; }
  [[nodiscard]] LiveState& state() noexcept { return live_; }

  /// Takes the figures from those who have them.
  void refresh(const Scheduler& scheduler, const RankBook& ranks, double now_s);
  /// Writes live.json. What cannot be written is lost: nobody's work depends on it.
  void write() const;

 private:
  const Job& job_;
  LiveState live_;
  RateMeter rate_;
};

}  // namespace pantile
