#pragma once
// A process of the simulated cluster, as far as its disk is concerned: it dies between two of its calls, and one of
// them may fail.

#include <cerrno>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/disk.hpp"
#include "base/error.hpp"

namespace pantile::sim {

struct Process {
  std::string name;
  bool is_dead = false;
  bool is_stopped = false;                     ///< SIGSTOP
  std::optional<std::uint64_t> calls_to_live;  ///< then it dies, before it makes the next
  std::optional<std::uint64_t> calls_to_fail;  ///< then one fails with EIO
  bool has_failed = false;                     ///< one did
  std::function<void()> dies;                  ///< told when the calls are used up
};

/// It is thrown where a process dies, to get out of the code that it ran. Nothing that it does on its way has an
/// effect.
struct Killed : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return "killed"; }
};

/// Told of each call that changes something, before it is made.
using WatchDisk = std::function<void(const Process&, const char* what, const std::filesystem::path&)>;

/// The disk, as one process sees it. All must outlive this.
class ProcessDisk final : public Disk {
 public:
  ProcessDisk(Disk& disk, Process& process, const WatchDisk& watch) : disk_{disk}, process_{process}, watch_{watch} {}

  std::unique_ptr<DiskFile> open(const std::filesystem::path& path, Access access) override {
    call(access == Access::read ? nullptr : "open", path);
    return std::make_unique<ProcessFile>(*this, disk_.open(path, access), path);
  }
  void rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    call("rename", to);
    disk_.rename(from, to);
  }
  void remove(const std::filesystem::path& path) override {
    if (!process_.is_dead) {  // Destructors come here on the way out.
      call("remove", path);
      disk_.remove(path);
    }
  }
  void sync_folder(const std::filesystem::path& folder) override {
    call("sync folder", folder);
    disk_.sync_folder(folder);
  }
  void make_folder(const std::filesystem::path& folder) override { disk_.make_folder(folder); }
  std::vector<std::string> list(const std::filesystem::path& folder) override { return disk_.list(folder); }
  bool exists(const std::filesystem::path& path) override { return disk_.exists(path); }
  std::uint64_t free_bytes(const std::filesystem::path& folder) override { return disk_.free_bytes(folder); }

 private:
  class ProcessFile final : public DiskFile {
   public:
    ProcessFile(ProcessDisk& disk, std::unique_ptr<DiskFile> file, std::filesystem::path path)
        : disk_{disk}, file_{std::move(file)}, path_{std::move(path)} {}
    std::uint64_t size() override { return file_->size(); }
    std::size_t read(std::uint64_t at, std::span<std::byte> bytes) override { return file_->read(at, bytes); }
    void write(std::uint64_t at, std::span<const std::byte> bytes) override {
      disk_.call("write", path_);
      file_->write(at, bytes);
    }
    void resize(std::uint64_t bytes) override {
      disk_.call("resize", path_);
      file_->resize(bytes);
    }
    bool reserve(std::uint64_t at, std::uint64_t bytes) override {
      disk_.call("reserve", path_);
      return file_->reserve(at, bytes);
    }
    void sync() override {
      disk_.call("sync", path_);
      file_->sync();
    }
    void sync_data() override {
      disk_.call("sync data", path_);
      file_->sync_data();
    }

   private:
    ProcessDisk& disk_;
    std::unique_ptr<DiskFile> file_;
    std::filesystem::path path_;
  };

  static bool is_used_up(std::optional<std::uint64_t>& calls) {
    if (!calls) {
      return false;
    }
    if (*calls > 0) {
      --*calls;
      return false;
    }
    calls.reset();
    return true;
  }

  void call(const char* what, const std::filesystem::path& path) {
    if (process_.is_dead) {
      throw Killed{};
    }
    if (what == nullptr) {
      return;
    }
    if (is_used_up(process_.calls_to_live)) {
      process_.is_dead = true;
      process_.dies();
      throw Killed{};
    }
    if (is_used_up(process_.calls_to_fail)) {
      process_.has_failed = true;
      throw system_error(std::string{"cannot "} + what + " " + path.string(), EIO);
    }
    watch_(process_, what, path);
  }

  Disk& disk_;
  Process& process_;
  const WatchDisk& watch_;
};

}  // namespace pantile::sim
