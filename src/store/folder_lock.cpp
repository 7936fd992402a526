#include "store/folder_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <sstream>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/log.hpp"

namespace pantile {

namespace {

constexpr std::chrono::milliseconds poll_interval{100};
/// Five of these in the patience of a second run.
constexpr std::chrono::seconds beat_interval{2};
/// An owner on another host that has not beaten for so long is not there: its clock may differ from ours a little.
constexpr std::chrono::seconds silence{60};

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) {
    throw system_error("cannot get this host's name");
  }
  return name.data();
}

enum class KernelLock { taken, held_by_other, unsupported };

/// A lock of the open file, not of the process: children that inherit nothing (O_CLOEXEC) cannot keep it alive.
KernelLock take_kernel_lock(int fd) {
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &range) == 0) {
    return KernelLock::taken;
  }
  return errno == EAGAIN || errno == EACCES ? KernelLock::held_by_other : KernelLock::unsupported;
}

/// The name in the lock file; nothing if the last owner left in good order.
std::optional<LockOwner> read_owner(int fd) {
  std::array<char, 512> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size() - 1, 0);
  std::istringstream words{std::string{text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))}};
  LockOwner owner;
  words >> owner.host >> owner.pid >> owner.epoch;
  return words.fail() ? std::nullopt : std::optional{owner};
}

/// False if `path` is another file by now: whoever had the lock moved the folder away (--fresh).
bool is_still(const std::filesystem::path& path, int fd) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(fd, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

/// What changes while an owner lives.
std::vector<std::int64_t> signs_of_life(const RunLayout& layout) {
  std::vector<std::int64_t> times;
  for (const auto& path : {layout.lock(), layout.live(), layout.journal()}) {
    struct stat facts {};
    const bool there = ::stat(path.c_str(), &facts) == 0;
    times.push_back(there ? facts.st_mtim.tv_sec * 1'000'000'000 + facts.st_mtim.tv_nsec : 0);
    times.push_back(there ? facts.st_size : -1);
  }
  return times;
}

bool is_alive(std::int64_t pid) { return ::kill(static_cast<pid_t>(pid), 0) == 0 || errno != ESRCH; }

UsageError in_use(const std::filesystem::path& root, const std::optional<LockOwner>& owner) {
  const std::string who = owner ? to_string(*owner) : std::string{"another process"};
  return UsageError{
      fmt::format("{} is in use by {}: two runs would write over each other. Wait for it, or choose "
                  "another output folder.",
                  root.string(), who)};
}

/// May we become the owner now? An owner whose name is there although its lock is free has died, if locks reach it.
bool is_free(KernelLock lock, const std::optional<LockOwner>& owner, const std::string& host) {
  if (lock == KernelLock::held_by_other) {
    return false;
  }
  if (!owner) {
    return true;
  }
  return owner->host == host && (lock == KernelLock::taken || !is_alive(owner->pid));
}

File lock_file(const RunLayout& layout, const std::string& host, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  const auto before = signs_of_life(layout);
  for (;;) {
    File file = open_file(layout.lock(), O_RDWR | O_CREAT);
    const KernelLock lock = take_kernel_lock(file.get());
    const auto owner = read_owner(file.get());
    const bool ours = is_still(layout.lock(), file.get());
    if (ours && is_free(lock, owner, host)) {
      if (owner) {
        log::info("{}: the run of process {} (epoch {}) ended without a word; taking over", layout.root.string(),
                  owner->pid, owner->epoch);
      }
      return file;
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      const bool silent = owner && owner->host != host && lock != KernelLock::held_by_other;
      if (ours && silent && signs_of_life(layout) == before) {
        log::warn("{}: its owner, process {} on {}, shows no sign of life; taking over", layout.root.string(),
                  owner->pid, owner->host);
        return file;
      }
      throw in_use(layout.root, owner);
    }
    std::this_thread::sleep_for(poll_interval);
  }
}

}  // namespace

std::string to_string(const LockOwner& owner) {
  return fmt::format("process {} on {} (epoch {})", owner.pid, owner.host, owner.epoch);
}

/// The locked file, our name in it, and the thread that keeps it fresh.
class FolderLock::Held {
 public:
  Held(File file, LockOwner owner, std::string name)
      : file_{std::move(file)}, owner_{std::move(owner)}, name_{std::move(name)} {
    write_owner();  // Over the name of whoever was the owner.
    heart_ = std::jthread{[this](const std::stop_token& stop) { beat(stop); }};
  }
  ~Held() {
    heart_ = {};
    // An empty file says that the owner left in good order. It stays: unlinking it would race with a waiting run.
    if (is_ours()) {
      static_cast<void>(!::ftruncate(file_.get(), 0));
    }
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  void set_epoch(Epoch epoch) {
    if (!is_ours()) {
      throw in_use(std::filesystem::path{name_}.parent_path(), read_owner(file_.get()));
    }
    const std::scoped_lock lock{writing_};
    owner_.epoch = index(epoch);
    write_owner();
  }

 private:
  /// False once another one has taken us for dead, and the folder for its own: where locks do not reach, nothing but
  /// the name tells.
  [[nodiscard]] bool is_ours() const {
    const std::scoped_lock lock{writing_};
    return read_owner(file_.get()) == owner_;
  }

  void write_owner() {
    const std::string text = fmt::format("{} {} {}\n", owner_.host, owner_.pid, owner_.epoch);
    if (::ftruncate(file_.get(), 0) != 0 || ::lseek(file_.get(), 0, SEEK_SET) != 0) {
      throw system_error("cannot write " + name_);
    }
    write_all(file_.get(), std::as_bytes(std::span{text}), name_);
  }

  void beat(const std::stop_token& stop) const {
    std::mutex mutex;
    std::condition_variable_any woken;
    std::unique_lock lock{mutex};
    while (!woken.wait_for(lock, stop, beat_interval, [&] { return stop.stop_requested(); })) {
      if (is_ours()) {
        static_cast<void>(::futimens(file_.get(), nullptr));
      }
    }
  }

  File file_;
  LockOwner owner_;
  std::string name_;
  mutable std::mutex writing_;  ///< the heart reads what set_epoch() writes
  std::jthread heart_;
};

FolderLock::FolderLock(std::unique_ptr<Held> held) noexcept : held_{std::move(held)} {}
FolderLock::~FolderLock() = default;
FolderLock::FolderLock(FolderLock&&) noexcept = default;
void FolderLock::set_epoch(Epoch epoch) { held_->set_epoch(epoch); }

FolderLock FolderLock::take(const RunLayout& layout, std::chrono::milliseconds patience) {
  LockOwner owner{.host = host_name(), .pid = ::getpid()};
  File file = lock_file(layout, owner.host, patience);
  return FolderLock{std::make_unique<Held>(std::move(file), std::move(owner), layout.lock().string())};
}

std::optional<LockOwner> owner_of(const RunLayout& layout) {
  struct stat facts {};
  if (::stat(layout.lock().c_str(), &facts) != 0) {
    return std::nullopt;
  }
  const File file = open_file(layout.lock(), O_RDONLY);
  const std::optional<LockOwner> owner = read_owner(file.get());
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  const bool has_locks = ::fcntl(file.get(), F_OFD_GETLK, &range) == 0;
  if (has_locks && range.l_type != F_UNLCK) {
    return owner.value_or(LockOwner{.host = "a host that it has not named yet"});
  }
  if (!owner) {
    return std::nullopt;
  }
  const bool here = owner->host == host_name();
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const bool beats = now - std::chrono::seconds{facts.st_mtim.tv_sec} < silence;
  const bool alive = here ? !has_locks && is_alive(owner->pid) : beats;
  return alive ? owner : std::nullopt;
}

}  // namespace pantile
