#pragma once

#include <memory>

#include "app/findings.hpp"
#include "base/error.hpp"
#include "base/file.hpp"

namespace pantile::app {

/// Starts two ranks of this program with mpirun, as `pantile run --ranks` would, while other things are looked at.
class MpiTrial {
 public:
  MpiTrial();
  /// Ends mpirun and its ranks if they are not done.
  ~MpiTrial();
  MpiTrial(const MpiTrial&) = delete;
  MpiTrial& operator=(const MpiTrial&) = delete;

  /// Waits for the end, but not longer than `most` from the start.
  [[nodiscard]] MpiFacts facts(std::chrono::milliseconds most);

 private:
  void start();

  MpiFacts facts_;
  std::chrono::steady_clock::time_point begin_;
  int pid_ = -1;
  File words_;
};

/// True if this process is one of the two ranks.
[[nodiscard]] bool is_trial_rank();
/// What such a rank does: it meets the other one. done if there are two.
[[nodiscard]] ExitCode be_trial_rank();

}  // namespace pantile::app
