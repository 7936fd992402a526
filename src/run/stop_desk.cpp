#include "run/stop_desk.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <utility>

#include "plan/scheduler_messages.hpp"
#include "run/control.hpp"
#include "run/memory_desk.hpp"
#include "run/signals.hpp"
#include "run/slurm_job.hpp"

namespace pantile {

namespace {

/// A supervisor asks by SIGUSR2; SIGTERM under it is what mpirun sends before it kills, and we have seconds.
std::optional<StopWish> wish_of_signals() {
  if (stop_signals() == 0) {
    return std::nullopt;
  }
  const bool is_mpirun = first_stop_signal() == SIGTERM && std::getenv(supervised_variable) != nullptr;
  return StopWish{is_mpirun ? "mpirun ends the ranks" : "a signal asks to stop", is_mpirun ? 0 : drain_patience_s};
}

}  // namespace

StopDesk::StopDesk(RunLayout layout, std::uint32_t epoch) : layout_{std::move(layout)}, epoch_{epoch} {}

Wishes StopDesk::look(LiveState& live) {
  if (Clock::now() < next_look_) {
    return {.stop = wish_of_signals(), .sets = {}};
  }
  next_look_ = Clock::now() + std::chrono::milliseconds{200};
  std::optional<StopWish> wish = wish_of_signals();
  std::vector<ControlRequest> sets;
  if (!wish && supervisor_.is_gone()) {
    wish = StopWish{"the process that started the ranks is gone, so nobody looks after this run", drain_patience_s};
  }
  for (const ControlRequest& request : take_requests(layout_, epoch_)) {
    if (is_memory_request(request.text)) {
      sets.push_back(request);
      continue;
    }
    const bool drains = request.text == "drain";
    if (!drains && request.text != "stop") {
      add_answer(
          live,
          {.id = request.id, .request = request.text, .granted = false, .answer = "this run knows no such request"});
      continue;
    }
    const double patience_s = drains ? drain_patience_s : 0;
    if (!wish || patience_s < wish->patience_s) {
      wish = StopWish{fmt::format("`pantile ctl` asks to {}", request.text), patience_s};
    }
    add_answer(live,
               {.id = request.id,
                .request = request.text,
                .granted = true,
                .answer = fmt::format("{}, then the run ends with exit code 75{}",
                                      drains ? "finishing what is in flight" : "sealing what is computed",
                                      keep_slurm_job_from_requeue() ? "; its Slurm job is not queued again" : "")});
  }
  return {.stop = std::move(wish), .sets = std::move(sets)};
}

}  // namespace pantile
