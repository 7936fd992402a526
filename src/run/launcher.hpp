#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "run/child_process.hpp"
#include "run/launcher_noise.hpp"

namespace pantile {

/// mpirun as a child of the supervisor: from one start of the ranks until none of their processes is left on this
/// machine. What the ranks say goes to the log; what mpirun says is hidden and kept.
class Launcher {
 public:
  /// Throws Error if mpirun cannot be started.
  explicit Launcher(const std::vector<std::string>& line);
  ~Launcher();
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  /// Waits a moment; false once mpirun has ended and all that was left of the ranks here is killed.
  [[nodiscard]] bool runs();
  /// Asks the ranks to drain. mpirun loses what comes before it has started them: to be repeated until they heard it.
  void ask_to_drain() const;
  /// Ends all of it, now: mpirun gets a second to do it in order.
  void end();
  /// True when mpirun has long been the only process of this start on this machine: no rank, no `srun` or `ssh` that
  /// holds ranks elsewhere. When its ranks die as they start, it may wait for a lock of its own for ever.
  [[nodiscard]] bool is_left_alone() const;

  /// The rest once it has ended. As a shell tells it: mpirun's exit code, or 128 + the signal that ended it.
  [[nodiscard]] int code() const noexcept { return code_; }
  /// What mpirun said itself.
  [[nodiscard]] const std::string& talk() const noexcept { return talk_; }
  [[nodiscard]] bool ranks_spoke() const noexcept { return ranks_spoke_; }

 private:
  using Clock = std::chrono::steady_clock;
  void look_for_ranks();
  void relay();
  void say(const std::string& line);

  Child child_;
  bool running_ = true;
  int code_ = 0;
  std::optional<Clock::time_point> ended_at_;  ///< when end() was called
  Clock::time_point next_look_;
  bool had_company_ = false;
  Clock::time_point in_company_ = Clock::now();  ///< when it was last seen so; at first, its start
  std::string text_;                             ///< read, not yet a whole line
  std::string talk_;
  bool ranks_spoke_ = false;
  LauncherNoise noise_;
};

/// Kills what is left on this machine of the ranks that this process has started, and waits until it is gone.
void end_ranks_here();

}  // namespace pantile
