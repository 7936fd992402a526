#include "run/memory_desk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/log.hpp"
#include "config/diagnostics.hpp"

namespace pantile {
namespace {

constexpr const char* verb = "set ";
/// `pantile ctl` waits longer.
constexpr double patience_s = 4;
constexpr const char* nobody_can_tell =
    "no device is open yet that could tell whether the cap would do. Ask again once `pantile status` shows one.";

}  // namespace

bool is_memory_request(const std::string& request) { return request.starts_with(verb); }

void expect_changeable(const std::string& setting) {
  const std::string key = setting.substr(0, setting.find('='));
  if (key.size() == setting.size()) {
    throw UsageError{fmt::format("set {}: write it as KEY=VALUE, such as devices.memory.cap=4GiB", setting)};
  }
  if (key != "devices.memory" && !key.starts_with("devices.memory.")) {
    throw UsageError{fmt::format(
        "set {}: only devices.memory.cap, leave, host and per_device can change while a run goes on. Other keys hold "
        "from the next start: drain the run, and start it again.",
        key)};
  }
}

MemoryDesk::MemoryDesk(const RunConfig& config, Voice voice)
    : config_{config}, voice_{std::move(voice)}, text_{effective_text(config)} {}

void MemoryDesk::ask(ControlRequest request, double now_s) {
  if (pending_) {
    waiting_.push_back(std::move(request));
  } else {
    begin(std::move(request), now_s);
  }
}

void MemoryDesk::begin(ControlRequest request, double now_s) {
  const std::string setting = request.text.substr(std::string_view{verb}.size());
  const std::vector<RankId> ranks = voice_.ranks();
  Pending pending{.request = std::move(request),
                  .text = {},
                  .number = ++number_,
                  .since_s = now_s,
                  .is_judged = false,
                  .awaited = {ranks.begin(), ranks.end()},
                  .granted = {},
                  .words = {},
                  .refusals = {}};
  try {
    expect_changeable(setting);
    pending.text = effective_text(parse_config(text_, "the run's config", config_.folder, {setting}));
  } catch (const ConfigError& error) {
    for (const Diagnostic& one : error.diagnostics()) {
      pending.refusals.push_back(one.hint.empty() ? one.message : fmt::format("{}: {}", one.message, one.hint));
    }
    pending.awaited.clear();
  } catch (const Error& error) {
    pending.refusals.emplace_back(error.what());
    pending.awaited.clear();
  }
  pending_ = std::move(pending);
  for (const RankId rank : pending_->awaited) {
    voice_.say(rank, SetMemory{pending_->number, pending_->text});
  }
  settle(now_s);
}

void MemoryDesk::heard(RankId from, const MemoryIsSet& answer, double now_s) {
  if (!pending_ || answer.number != pending_->number || pending_->awaited.erase(from) == 0) {
    return;
  }
  if (answer.granted) {
    pending_->is_judged = true;
    pending_->granted.push_back(from);
    pending_->words.push_back(answer.text);
  } else {
    pending_->refusals.push_back(answer.text);
  }
  settle(now_s);
}

void MemoryDesk::lost(RankId rank, double now_s) {
  if (pending_ && pending_->awaited.erase(rank) > 0) {
    settle(now_s);
  }
}

void MemoryDesk::look(double now_s) {
  if (pending_ && now_s - pending_->since_s > patience_s) {
    for (const RankId silent : std::exchange(pending_->awaited, {})) {
      pending_->granted.push_back(silent);
      pending_->words.push_back(fmt::format("rank {} has not answered yet", index(silent)));
    }
    settle(now_s);
  }
}

/// Once all have answered. Where one cannot, the others take back what they have granted.
void MemoryDesk::settle(double now_s) {
  if (!pending_->awaited.empty()) {
    return;
  }
  if (!pending_->is_judged && pending_->refusals.empty()) {
    pending_->refusals.emplace_back(nobody_can_tell);
  }
  const Pending done = *std::exchange(pending_, std::nullopt);
  const bool granted = done.refusals.empty();
  if (granted) {
    text_ = done.text;
    for (const std::string& words : done.words) {
      log::info("{}", words);
    }
  } else if (!done.granted.empty()) {
    ++number_;
    for (const RankId rank : done.granted) {
      voice_.say(rank, SetMemory{number_, text_});
    }
  }
  const std::vector<std::string>& said = granted ? done.words : done.refusals;
  constexpr std::size_t most = 3;
  std::string words = fmt::format(
      "{}", fmt::join(said.begin(), said.begin() + static_cast<std::ptrdiff_t>(std::min(most, said.size())), "\n"));
  if (said.size() > most) {
    words += fmt::format("\nand {} more", said.size() - most);
  }
  voice_.answer({.id = done.request.id, .request = done.request.text, .granted = granted, .answer = words});
  if (!waiting_.empty()) {
    ControlRequest next = std::move(waiting_.front());
    waiting_.pop_front();
    begin(std::move(next), now_s);
  }
}

}  // namespace pantile
