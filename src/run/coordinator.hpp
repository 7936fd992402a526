#pragma once
// Rank 0: turns the workers' messages into events for the scheduler, and carries its commands out. The journal is
// written here and nowhere else.

#include <functional>
#include <optional>

#include "base/error.hpp"
#include "cluster/transport.hpp"
#include "report/live.hpp"
#include "run/job.hpp"

namespace pantile {

/// Called about ten times a second with what the run does now.
using LiveSink = std::function<void(const LiveState&)>;

struct Conclusion {
  ExitCode code = ExitCode::failed;
  LiveState live;     ///< as it was at the end
  std::string error;  ///< why it failed, in words; empty if it did not
};

/// Leads the job with all other ends of `transport` as workers, to its end: all done, stopped on request, or failed.
/// Whatever ends it, committed work is in the journal, and index.h5 and quarantine.csv tell of it. Every worker that is
/// still there has been told to leave. Throws Error only if the journal cannot be written.
/// `ends_at`: by then all must be committed and left; what does not fit before is left for the next run.
[[nodiscard]] Conclusion coordinate(Job& job, Transport& transport, const LiveSink& show,
                                    std::optional<WallTime> ends_at);

/// The same end for a job that could not be prepared: tells all workers to leave.
void dismiss_workers(Transport& transport, ExitCode code);

}  // namespace pantile
