#include "run/launch.hpp"

#include <fmt/format.h>

#include <optional>
#include <thread>

#include "base/fields.hpp"
#include "base/hdf5.hpp"
#include "base/log.hpp"
#include "cluster/in_process.hpp"
#include "cluster/mpi.hpp"
#include "cluster/put_back.hpp"
#include "device/node_resources.hpp"
#include "run/coordinator.hpp"
#include "run/deadline.hpp"
#include "run/disk_needs.hpp"
#include "run/probe_spread.hpp"
#include "run/signals.hpp"
#include "run/worker.hpp"

namespace pantile {
namespace {

/// Leads a prepared job and shows it, unless a supervisor does that from live.json.
ExitCode lead(Job& job, Transport& transport, const Launch& launch) {
  if (const auto warning = space_warning(results_bytes(job), free_bytes_at(job.folder.layout().shards()))) {
    log::warn("{}", *warning);
  }
  std::optional<ProgressDisplay> display;
  if (launch.shows_progress) {
    display.emplace(launch.texts);
  }
  const LiveSink show = [&](const LiveState& live) {
    if (display) {
      display->update(live);
    }
  };
  const Conclusion conclusion = coordinate(job, transport, show, end_of_run(launch.time_limit, launch.started));
  if (display) {
    display->finish(conclusion.live, conclusion.code);
  }
  if (!conclusion.error.empty()) {
    log::error("{}", conclusion.error);
  }
  return conclusion.code;
}

/// All ranks of the node call this at the same time; rank 0 of the world throws away what it learns.
NodeShare share_of(const mpi::Environment& environment) {
  const std::vector<Bytes> told = environment.exchange_on_node(encode(resources_here()));
  const std::size_t coordinators = environment.coordinator_here() ? 1 : 0;
  std::vector<NodeResources> workers;
  for (std::size_t at = coordinators; at < told.size(); ++at) {
    workers.push_back(decode<NodeResources>(told[at]));
  }
  const auto worker = static_cast<std::size_t>(environment.local_rank()) - coordinators;
  if (worker >= workers.size()) {
    return {};
  }
  return {.device = fmt::format("{}:{}", host_name(), deal_devices(workers)[worker]),
          .cores = deal_cores(workers)[worker],
          .workers = static_cast<int>(workers.size())};
}

/// Rank 0. What stops the job before it starts must also stop the ranks that wait for it.
ExitCode coordinate_world(Transport& transport, const Launch& launch) {
  std::optional<Job> job;
  PutBackTransport ranks{transport};
  try {
    job.emplace(prepare_job(launch.config, launch.start,
                            [&](Catalog& catalog, ItemId first) { probe_with_ranks(catalog, first, ranks); }));
  } catch (const Error& error) {
    dismiss_workers(transport, error.code());
    throw;
  } catch (...) {
    dismiss_workers(transport, ExitCode::failed);
    throw;
  }
  return lead(*job, ranks, launch);
}

}  // namespace

ExitCode run_in_process(const Launch& launch) {
  hdf5::initialise();  // It sets environment variables: before any thread reads them.
  Job job = prepare_job(launch.config, launch.start);
  const auto ends = in_process_ends(2);
  std::jthread worker;
  if (!job.work.items().empty()) {
    worker = std::jthread{[&] { static_cast<void>(run_worker(*ends[1], share_here(1))); }};
  }
  return lead(job, *ends[0], launch);
}

ExitCode run_as_rank(const Launch& launch) {
  hdf5::initialise();
  mpi::Environment environment;
  if (environment.size() == 1) {
    return run_in_process(launch);
  }
  const std::unique_ptr<Transport> transport = environment.transport();
  const NodeShare share = share_of(environment);
  try {
    if (environment.rank() != 0) {
      log::set_prefix(fmt::format("rank {}", environment.rank()));
      const ExitCode code = run_worker(*transport, share);
      ignore_stop_signals();
      return code;
    }
    const ExitCode code = coordinate_world(*transport, launch);
    ignore_stop_signals();
    environment.leave_with(static_cast<int>(code));
    return code;
  } catch (const PeerLost& error) {
    log::error("{}", error.what());
    environment.abort();
  }
}

}  // namespace pantile
