#pragma once
// A damaged run is made whole again: brought into order (store/mend) and, if it had ended, what is lost made anew with
// the config that the journal keeps, in this process. One that had not ended is left to `pantile run`.

#include <string>
#include <vector>

#include "base/error.hpp"
#include "store/verify.hpp"

namespace pantile {

struct Repair {
  VerifyReport before;
  std::vector<std::string> done;  ///< plain sentences
  std::string why_not;            ///< why lost items could not be made again; empty if they were
  VerifyReport after;             ///< as before if nothing was wrong
  bool stopped = false;           ///< by a signal; the same command goes on
};

/// Owns the run's folder meanwhile: throws UsageError naming the owner if somebody else does after ten seconds, or if
/// the run is of another version. Safe to be killed and called again at any moment. Throws Error if what is there does
/// not tell what the run was. `progress` of each reading.
[[nodiscard]] Repair repair_run(const RunLayout& layout, bool shows_progress, const VerifyProgress& progress);

}  // namespace pantile
