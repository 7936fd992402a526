#include "store/run_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "base/log.hpp"

namespace pantile {

namespace {

constexpr std::chrono::milliseconds poll_interval{100};
constexpr std::string_view identity_head =
    "# What the results of this run depend on. Written once by pantile; a resume with another identity is refused.\n";
constexpr std::string_view run_id_key = "run_id: ";

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
  const std::string who = owner ? fmt::format("process {} on {} (epoch {})", owner->pid, owner->host, owner->epoch)
                                : std::string{"another process"};
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

File lock_folder(const RunLayout& layout, const std::string& host, std::chrono::milliseconds patience) {
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

/// Whether something was begun here that --fresh has to keep.
bool has_run(const RunLayout& layout) {
  return std::filesystem::exists(layout.identity()) || std::filesystem::exists(layout.journal()) ||
         std::filesystem::exists(layout.shards());
}

std::string make_run_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  std::istringstream stream{std::string{text}};
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

RunFolder::RunFolder(Disk& disk, RunLayout layout, File lock, LockOwner owner)
    : disk_{&disk}, layout_{std::move(layout)}, lock_{std::move(lock)}, owner_{std::move(owner)} {}

RunFolder RunFolder::open(const std::filesystem::path& root, std::chrono::milliseconds patience, Disk& disk) {
  RunLayout layout{root.has_filename() ? root : root.parent_path()};
  std::error_code error;
  std::filesystem::create_directories(layout.root, error);
  if (!std::filesystem::is_directory(layout.root)) {
    throw Error{"cannot create the output folder " + layout.root.string() + ": " + error.message() +
                ". Choose another `output.dir`."};
  }
  LockOwner owner{.host = host_name(), .pid = ::getpid()};
  RunFolder folder{disk, layout, lock_folder(layout, owner.host, patience), owner};
  folder.write_owner();
  std::filesystem::create_directories(layout.shards(), error);
  if (error) {
    throw Error{"cannot create " + layout.shards().string() + ": " + error.message()};
  }
  disk.sync_folder(layout.root);
  disk.sync_folder(folder_of(layout.root));
  return folder;
}

RunFolder RunFolder::open_fresh(const std::filesystem::path& root, std::chrono::milliseconds patience, Disk& disk) {
  const RunLayout layout{root.has_filename() ? root : root.parent_path()};
  if (has_run(layout)) {
    const RunFolder old = open(root, patience, disk);
    const std::filesystem::path kept = numbered(disk, layout.root, "old");
    disk.rename(layout.root, kept);
    log::info("the old run is kept in {}", kept.string());
  }
  return open(root, patience, disk);
}

RunFolder::~RunFolder() {
  if (lock_) {
    // An empty file says that the owner left in good order. It stays: unlinking it would race with a waiting run.
    static_cast<void>(!::ftruncate(lock_.get(), 0));
  }
}

void RunFolder::write_owner() const {
  const std::string text = fmt::format("{} {} {}\n", owner_.host, owner_.pid, owner_.epoch);
  if (::ftruncate(lock_.get(), 0) != 0 || ::lseek(lock_.get(), 0, SEEK_SET) != 0) {
    throw system_error("cannot write " + layout_.lock().string());
  }
  write_all(lock_.get(), std::as_bytes(std::span{text}), layout_.lock().string());
}

void RunFolder::set_epoch(Epoch epoch) {
  owner_.epoch = index(epoch);
  write_owner();
}

void RunFolder::beat() const noexcept { static_cast<void>(::futimens(lock_.get(), nullptr)); }

std::string RunFolder::claim_identity(std::string_view identity) {
  if (!disk_->exists(layout_.identity())) {
    if (disk_->exists(layout_.journal())) {
      throw Error{layout_.root.string() +
                  " has a journal but no run.yaml (nobody can tell which run it is). Restore "
                  "run.yaml, or start again with --fresh."};
    }
    const std::string run_id = make_run_id();
    pantile::replace_file(*disk_, layout_.identity(),
                          fmt::format("{}{}{}\n{}", identity_head, run_id_key, run_id, identity), Durable::yes);
    return run_id;
  }
  check_identity(layout_, identity);
  return read_identity(layout_).run_id;
}

std::size_t RunFolder::remove_orphans(const JournalState& state, Sealed sealed) const {
  try {
    return pantile::remove_orphans(*disk_, layout_, state, sealed);
  } catch (const Error& error) {
    throw Error{std::string{"cannot remove what an interrupted run left: "} + error.what()};
  }
}

void check_identity(const RunLayout& layout, std::string_view identity) {
  if (const std::string difference = diff_lines(read_identity(layout).text, identity); !difference.empty()) {
    throw UsageError{
        fmt::format("{} holds another run (its results would differ):\n{}Go back to the old settings, choose another "
                    "output folder, or keep the old run aside with --fresh.",
                    layout.root.string(), difference)};
  }
}

RunIdentity read_identity(const RunLayout& layout) {
  if (!std::filesystem::exists(layout.identity())) {
    throw Error{"there is no run in " + layout.root.string() + ": run.yaml is missing"};
  }
  const std::string text = read_text(layout.identity());
  std::size_t at = 0;
  while (text.compare(at, 1, "#") == 0) {
    at = text.find('\n', at);
    at = at == std::string::npos ? text.size() : at + 1;
  }
  const std::size_t end = text.find('\n', at);
  if (text.compare(at, run_id_key.size(), run_id_key) != 0 || end == std::string::npos) {
    throw Error{layout.identity().string() + " has no run id where it belongs. Was it edited?"};
  }
  at += run_id_key.size();
  return {.run_id = text.substr(at, end - at), .text = text.substr(end + 1)};
}

Hash128 identity_hash(const RunLayout& layout) {
  const std::string text = read_text(layout.identity());
  return xxh3_128(std::as_bytes(std::span{text}));
}

std::string diff_lines(std::string_view before, std::string_view after) {
  const auto old_lines = lines_of(before);
  const auto new_lines = lines_of(after);
  const auto lacking = [](const std::vector<std::string>& lines, const std::vector<std::string>& other,
                          const char* mark) {
    std::multiset<std::string> left{other.begin(), other.end()};
    std::string text;
    for (const std::string& line : lines) {
      if (const auto same = left.find(line); same != left.end()) {
        left.erase(same);
      } else {
        text += mark + line + "\n";
      }
    }
    return text;
  };
  const std::string difference = lacking(old_lines, new_lines, "- ") + lacking(new_lines, old_lines, "+ ");
  // The same lines in another order are another text, too.
  return difference.empty() && old_lines != new_lines ? "the same lines in another order\n" : difference;
}

}  // namespace pantile
