#include "report/rank_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/file.hpp"
#include "report/live.hpp"
#include "report/to_json_text.hpp"

namespace pantile {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t buffer_bytes = std::size_t{64} * 1024;
constexpr std::chrono::seconds longest_wait{1};
constexpr std::array<const char*, 4> level_names{"debug", "info", "warn", "error"};

std::string text_of(const Json& json) { return to_json_text(json, -1); }

/// A kill may have cut the last line short: a reader then loses that line, not the next one too.
bool ends_in_newline(int fd) {
  char last = '\n';
  const off_t size = ::lseek(fd, 0, SEEK_END);
  return size <= 0 || (::pread(fd, &last, 1, size - 1) == 1 && last == '\n');
}

}  // namespace

std::filesystem::path rank_log_path(const std::filesystem::path& folder, RankId rank) {
  return folder / fmt::format("rank-{:04}.jsonl", index(rank));
}

struct RankLog::Impl {
  std::mutex mutex;
  std::filesystem::path path;
  File file;
  std::string buffer;
  const Clock::time_point start = Clock::now();
  Clock::time_point last_write = start;
  std::optional<PlanRecord> last_plan;

  void open(const std::filesystem::path& folder, RankId rank, Epoch epoch) {
    std::filesystem::create_directories(folder);
    path = rank_log_path(folder, rank);
    file = open_file(path, O_RDWR | O_CREAT | O_APPEND);
    buffer = ends_in_newline(file.get()) ? "" : "\n";
    const WallTime now = std::chrono::system_clock::now();
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
    buffer += text_of(Json{{"rank", index(rank)},
                           {"epoch", index(epoch)},
                           {"host", host_name()},
                           {"pid", ::getpid()},
                           {"start", iso_time(now)},
                           {"start_unix_us", us}});
    write_out();
  }

  /// Precondition: the mutex is held.
  void write_out() {
    if (file && !buffer.empty()) {
      write_all(file.get(), std::as_bytes(std::span{buffer}), path.string());
    }
    buffer.clear();
    last_write = Clock::now();
  }

  /// Runs `work` under the mutex. The log is not worth the run: the first failure closes it and says so, without the
  /// mutex, since the line that says it may come back here as an event.
  template <class Work>
  void guarded(const Work& work) noexcept {
    std::string why;
    {
      const std::scoped_lock lock{mutex};
      try {
        work();
        return;
      } catch (const std::exception& error) {
        file.reset();
        buffer.clear();
        why = error.what();
      }
    }
    log::warn("{}. The run goes on without this log.", why);
  }

  /// `line` may give nothing.
  template <class Line>
  void add(const Line& line) noexcept {
    guarded([&] {
      if (!file) {
        return;
      }
      buffer += line();
      if (buffer.size() >= buffer_bytes || Clock::now() - last_write >= longest_wait) {
        write_out();
      }
    });
  }
};

RankLog::RankLog() : impl_{std::make_unique<Impl>()} {}

RankLog::RankLog(const std::filesystem::path& folder, RankId rank, Epoch epoch) noexcept
    : impl_{std::make_unique<Impl>()} {
  impl_->guarded([&] { impl_->open(folder, rank, epoch); });
}

RankLog::~RankLog() { flush(); }

std::int64_t RankLog::now_us() const noexcept {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - impl_->start).count();
}

void RankLog::span(const Span& span) noexcept {
  impl_->add([&] {
    // By hand, for spans are many; nothing in it needs escapes: `what` is a literal of ours.
    return fmt::format("{{\"span\":\"{}\",\"lane\":{},\"item\":{},\"block\":{},\"begin_us\":{},\"end_us\":{}}}\n",
                       span.what, span.lane, index(span.item), index(span.block), span.begin_us, span.end_us);
  });
}

void RankLog::death(const DeathCertificate& death) noexcept {
  impl_->add([&] {
    Json begun = Json::array();
    for (const auto& [item, tiles] : death.begun) {
      begun.push_back({{"item", index(item)}, {"tiles_made", tiles}});
    }
    return text_of(Json{{"death", death.how},
                        {"at_us", now_us()},
                        {"pid", death.pid},
                        {"oom_kills", death.oom_kills},
                        {"begun", begun},
                        {"words", death.words}});
  });
}

void RankLog::plan(const PlanRecord& plan) noexcept {
  impl_->add([&] {
    if (impl_->last_plan == plan) {
      return std::string{};
    }
    impl_->last_plan = plan;
    return text_of(Json{{"plan", plan.why},
                        {"at_us", now_us()},
                        {"device", plan.device},
                        {"device_class", plan.device_class},
                        {"cap_bytes", plan.cap_bytes},
                        {"predicted_bytes", plan.predicted_bytes},
                        {"tile", {plan.tile.height, plan.tile.width}},
                        {"lanes", plan.lanes}});
  });
}

void RankLog::event(log::Level level, std::string_view text) noexcept {
  impl_->add([&] {
    return text_of(Json{{"event", level_names[static_cast<std::size_t>(level)]}, {"at_us", now_us()}, {"text", text}});
  });
}

void RankLog::flush() noexcept {
  impl_->guarded([&] { impl_->write_out(); });
}

namespace {

// A log::Sink is a plain function, so it needs a place to find the log.
std::mutex talk_mutex;
RankLog* talk_log = nullptr;
thread_local bool in_talk = false;  // What the log says of itself comes back to it.

void record_talk(log::Level level, std::string_view text) {
  if (in_talk) {
    return;
  }
  in_talk = true;
  {
    const std::scoped_lock lock{talk_mutex};
    if (talk_log != nullptr) {
      talk_log->event(level, text);
    }
  }
  in_talk = false;
}

}  // namespace

TalkRecorder::TalkRecorder(RankLog& log) noexcept : records_{log::set_recorder(&record_talk)} {
  if (records_) {
    const std::scoped_lock lock{talk_mutex};
    talk_log = &log;
  }
}

TalkRecorder::~TalkRecorder() {
  if (records_) {
    log::set_recorder(nullptr);
    const std::scoped_lock lock{talk_mutex};
    talk_log = nullptr;
  }
}

bool RankLog::works() const noexcept {
  const std::scoped_lock lock{impl_->mutex};
  return static_cast<bool>(impl_->file);
}

}  // namespace pantile
