#include "report/live.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "report/to_json_text.hpp"

namespace pantile {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::milliseconds;

/// Rank 0 writes each second; ten of them missing is no hiccup of a busy disk any more.
constexpr std::chrono::seconds stale_after{10};

constexpr std::array<std::string_view, 8> state_names{"starting", "running", "waiting for space", "draining", "done",
                                                      "stopped",  "failed",  "interrupted"};
constexpr std::array<std::string_view, 4> level_names{"debug", "info", "warn", "error"};

std::tm utc(std::time_t seconds) {
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return parts;
}

/// Milliseconds, because ages are told from it.
std::string precise_time(WallTime time) {
  const auto count = std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
  return fmt::format("{:%FT%T}.{:03}Z", utc(static_cast<std::time_t>(count / 1000)), count % 1000);
}

WallTime parse_time(const std::string& text) {
  std::tm parts{};
  int thousandths = 0;
  if (std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%d.%dZ", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &parts.tm_hour,
                  &parts.tm_min, &parts.tm_sec, &thousandths) < 6) {
    return {};
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return std::chrono::system_clock::from_time_t(::timegm(&parts)) + milliseconds{thousandths};
}

template <std::size_t N>
std::size_t position(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    throw Error{"unknown name in live.json: " + std::string{name}};
  }
  return static_cast<std::size_t>(found - names.begin());
}

Json device_json(const DeviceLive& device) {
  return {{"name", device.name},
          {"cap_bytes", device.cap_bytes},
          {"predicted_bytes", device.predicted_bytes},
          {"used_bytes", device.used_bytes},
          {"peak_bytes", device.peak_bytes},
          {"others_bytes", device.others_bytes},
          {"lanes", device.lanes},
          {"utilisation", device.utilisation},
          {"pixels_per_s", device.pixels_per_s},
          {"doing", device.doing}};
}

DeviceLive parse_device(const Json& json) {
  DeviceLive device;
  device.name = json.value("name", device.name);
  device.cap_bytes = json.value("cap_bytes", device.cap_bytes);
  device.predicted_bytes = json.value("predicted_bytes", device.predicted_bytes);
  device.used_bytes = json.value("used_bytes", device.used_bytes);
  device.peak_bytes = json.value("peak_bytes", device.peak_bytes);
  device.others_bytes = json.value("others_bytes", device.others_bytes);
  device.lanes = json.value("lanes", device.lanes);
  device.utilisation = json.value("utilisation", device.utilisation);
  device.pixels_per_s = json.value("pixels_per_s", device.pixels_per_s);
  device.doing = json.value("doing", device.doing);
  return device;
}

Json message_json(const LiveMessage& message) {
  return {{"number", message.number},
          {"level", level_names[static_cast<std::size_t>(message.level)]},
          {"text", message.text}};
}

LiveMessage parse_message(const Json& json) {
  return {.number = json.value("number", std::uint64_t{0}),
          .level = static_cast<log::Level>(position(level_names, json.value("level", std::string{"info"}))),
          .text = json.value("text", std::string{})};
}

Json request_json(const LiveRequest& request) {
  return {{"id", request.id}, {"request", request.request}, {"granted", request.granted}, {"answer", request.answer}};
}

LiveRequest parse_request(const Json& json) {
  return {.id = json.value("id", std::string{}),
          .request = json.value("request", std::string{}),
          .granted = json.value("granted", false),
          .answer = json.value("answer", std::string{})};
}

LiveState parse_state(const Json& json) {
  LiveState state;
  state.state = static_cast<RunState>(position(state_names, json.at("state").get<std::string>()));
  state.run = json.value("run", state.run);
  state.items = json.value("items", state.items);
  state.done = json.value("done", state.done);
  state.quarantined = json.value("quarantined", state.quarantined);
  state.running = json.value("running", state.running);
  state.computed = json.value("computed", state.computed);
  if (json.contains("eta_s") && json["eta_s"].is_number()) {
    state.eta_s = json["eta_s"].get<double>();
  }
  state.pixels = json.value("pixels", state.pixels);
  state.pixels_done = json.value("pixels_done", state.pixels_done);
  state.pixels_before = json.value("pixels_before", state.pixels_before);
  state.pixels_per_s = json.value("pixels_per_s", state.pixels_per_s);
  state.started = parse_time(json.value("started", std::string{}));
  state.updated = parse_time(json.value("updated", std::string{}));
  state.pid = json.value("pid", state.pid);
  state.host = json.value("host", state.host);
  state.epoch = json.value("epoch", state.epoch);
  state.plan_id = json.value("plan_id", state.plan_id);
  state.ranks = json.value("ranks", state.ranks);
  for (const Json& device : json.value("devices", Json::array())) {
    state.devices.push_back(parse_device(device));
  }
  for (const Json& message : json.value("messages", Json::array())) {
    state.messages.push_back(parse_message(message));
  }
  for (const Json& request : json.value("requests", Json::array())) {
    state.requests.push_back(parse_request(request));
  }
  return state;
}

bool is_alive(std::int64_t pid) { return pid > 0 && (::kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM); }

}  // namespace

std::string_view name(RunState state) noexcept { return state_names[static_cast<std::size_t>(state)]; }

double LiveState::progress() const noexcept {
  if (pixels == 0) {
    return items != 0 && done + quarantined >= items ? 1 : 0;
  }
  return std::min(1.0, static_cast<double>(pixels_done) / static_cast<double>(pixels));
}

void add_message(LiveState& state, log::Level level, std::string text) {
  const std::uint64_t number = state.messages.empty() ? 1 : state.messages.back().number + 1;
  state.messages.push_back({.number = number, .level = level, .text = std::move(text)});
  if (state.messages.size() > max_live_messages) {
    state.messages.erase(state.messages.begin());
  }
}

void add_answer(LiveState& state, LiveRequest answer) {
  state.requests.push_back(std::move(answer));
  if (state.requests.size() > max_live_requests) {
    state.requests.erase(state.requests.begin());
  }
}

std::string to_json(const LiveState& state) {
  Json json{{"state", name(state.state)},
            {"run", state.run},
            {"items", state.items},
            {"done", state.done},
            {"quarantined", state.quarantined},
            {"running", state.running},
            {"computed", state.computed},
            {"eta_s", state.eta_s ? Json(*state.eta_s) : Json()},
            {"pixels", state.pixels},
            {"pixels_done", state.pixels_done},
            {"pixels_before", state.pixels_before},
            {"pixels_per_s", state.pixels_per_s},
            {"started", precise_time(state.started)},
            {"updated", precise_time(state.updated)},
            {"pid", state.pid},
            {"host", state.host},
            {"epoch", state.epoch},
            {"plan_id", state.plan_id},
            {"ranks", state.ranks},
            {"devices", Json::array()},
            {"messages", Json::array()},
            {"requests", Json::array()}};
  std::transform(state.devices.begin(), state.devices.end(), std::back_inserter(json["devices"]), device_json);
  std::transform(state.messages.begin(), state.messages.end(), std::back_inserter(json["messages"]), message_json);
  std::transform(state.requests.begin(), state.requests.end(), std::back_inserter(json["requests"]), request_json);
  // Paths may be any bytes; one that is no UTF-8 must not end a run.
  return to_json_text(json, 1);
}

std::optional<LiveState> parse_live(std::string_view json) {
  try {
    return parse_state(Json::parse(json));
  } catch (const Json::exception&) {
    return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

void write_live(const std::filesystem::path& path, const LiveState& state, Disk& disk) {
  std::string text = to_json(state);
  try {
    replace_file(disk, path, text, Durable::no);
  } catch (const Error& error) {
    if (!is_out_of_space(error)) {
      throw;
    }
    // That the run waits for space is what people now look for. The old file's blocks are there to be written over.
    const auto file = disk.open(path, Access::change);
    text.resize(std::max<std::size_t>(text.size(), file->size()), ' ');
    file->write(0, std::as_bytes(std::span{text}));
  }
}

std::optional<LiveState> read_live(const std::filesystem::path& path) {
  std::optional<LiveState> state;
  for (int attempt = 0; attempt < 2 && !state; ++attempt) {  // The first may have met a write on a full disk.
    try {
      state = parse_live(read_text(path));
    } catch (const Error&) {
      return std::nullopt;
    }
  }
  if (state) {
    state = judged(*std::move(state), std::chrono::system_clock::now(), host_name(), is_alive(state->pid));
  }
  return state;
}

LiveState judged(LiveState state, WallTime now, std::string_view this_host, bool pid_is_alive) {
  if (is_active(state.state) && now - state.updated > stale_after && state.host == this_host && !pid_is_alive) {
    state.state = RunState::interrupted;
    state.running = 0;
    state.computed = 0;
    state.eta_s.reset();
  }
  return state;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string{name.data()} : "localhost";
}

std::string iso_time(WallTime time) {
  return fmt::format("{:%FT%TZ}", utc(std::chrono::system_clock::to_time_t(time)));
}

}  // namespace pantile
