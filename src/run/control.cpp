#include "run/control.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/file.hpp"
#include "base/log.hpp"
#include "report/live.hpp"

namespace pantile {
namespace {

constexpr const char* suffix = ".request";

std::optional<ControlRequest> parse(const std::filesystem::path& file) {
  try {
    const auto json = nlohmann::json::parse(read_text(file));
    return ControlRequest{file.stem().string(), json.at("epoch").get<std::uint32_t>(),
                          json.at("request").get<std::string>()};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

ControlRequest post_request(const RunLayout& layout, std::uint32_t epoch, const std::string& text) {
  std::error_code error;
  std::filesystem::create_directories(layout.control(), error);
  if (error) {
    throw Error{fmt::format("cannot create {}: {}. The request has to be written where the run lies.",
                            layout.control().string(), error.message())};
  }
  // In the order of time, as names sort; host and process make it the only one.
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  ControlRequest request{fmt::format("{:015}-{}-{}", ms, host_name(), ::getpid()), epoch, text};
  replace_file(layout.control() / (request.id + suffix),
               nlohmann::json{{"epoch", request.epoch}, {"request", request.text}}.dump() + '\n', Durable::no);
  return request;
}

std::vector<ControlRequest> take_requests(const RunLayout& layout, std::uint32_t epoch) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (std::filesystem::directory_iterator entry{layout.control(), error}, end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == suffix) {  // else it is being written
      files.push_back(entry->path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<ControlRequest> requests;
  for (const std::filesystem::path& file : files) {
    std::optional<ControlRequest> request = parse(file);
    std::filesystem::remove(file, error);
    if (!request) {
      log::warn("{} is no request, and is removed", file.string());
    } else if (request->epoch != epoch) {
      log::info("a request to {} came for epoch {} of the run, and is removed", request->text, request->epoch);
    } else {
      requests.push_back(*std::move(request));
    }
  }
  return requests;
}

}  // namespace pantile
