#include "run/control.hpp"
#include "run/memory_desk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "app/commands.hpp"
#include "base/log.hpp"
#include "report/live.hpp"

namespace pantile::app {
namespace {

/// Rank 0 looks for requests five times a second, and writes live.json each second.
constexpr std::chrono::seconds patience{5};
/// All ranks have a say in it, and one that is silent is waited for.
constexpr std::chrono::seconds patience_of_set{10};
/// The clocks of two machines may differ by so much, and nobody is called dead for it.
constexpr std::chrono::seconds long_silence{60};

/// Throws Error, in words, unless the run goes on.
LiveState running(const RunLayout& layout) {
  const std::optional<LiveState> live = read_live(layout.live());
  if (!live || !is_active(live->state)) {
    throw Error{
        fmt::format("the run in {} does not run ({}): there is nothing to ask. `pantile status` says how far it "
                    "is.",
                    layout.root.string(), live ? name(live->state) : "it has not begun")};
  }
  const auto silent = std::chrono::system_clock::now() - live->updated;
  if (silent > long_silence) {
    throw Error{fmt::format(
        "the run in {} was last heard of {} s ago, on {}: it does not run any more, as it seems. The "
        "same `pantile run` goes on with it.",
        layout.root.string(), std::chrono::duration_cast<std::chrono::seconds>(silent).count(), live->host)};
  }
  return *live;
}

std::optional<LiveRequest> answer_to(const ControlRequest& request, const RunLayout& layout) {
  const std::optional<LiveState> live = read_live(layout.live());
  const auto found = !live ? std::vector<LiveRequest>::const_iterator{}
                           : std::find_if(live->requests.begin(), live->requests.end(),
                                          [&](const LiveRequest& one) { return one.id == request.id; });
  return live && found != live->requests.end() ? std::optional{*found} : std::nullopt;
}

}  // namespace

ExitCode carry_out(const CtlCommand& command) {
  const bool sets = command.request == "set";
  if (sets) {
    expect_changeable(command.setting);
  } else if (!command.setting.empty()) {
    throw UsageError{fmt::format("{} takes no KEY=VALUE. Did you mean: set {}?", command.request, command.setting)};
  }
  const RunLayout layout = existing_run(command.run);
  const std::string wish = sets ? "set " + command.setting : command.request;
  const ControlRequest request = post_request(layout, running(layout).epoch, wish);
  const std::chrono::seconds longest = sets ? patience_of_set : patience;
  const auto deadline = std::chrono::steady_clock::now() + longest;
  while (std::chrono::steady_clock::now() < deadline) {
    if (const std::optional<LiveRequest> answer = answer_to(request, layout)) {
      if (!answer->granted) {
        throw Error{answer->answer};
      }
      log::info("{}: {}", wish, answer->answer);
      return ExitCode::done;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
  throw Error{
      fmt::format("the run in {} did not answer within {} s. The request stays in {}: it holds if the run looks there "
                  "yet, and is forgotten if the run is started again. Does it still run? See `pantile status`.",
                  layout.root.string(), longest.count(), layout.control().string())};
}

}  // namespace pantile::app
