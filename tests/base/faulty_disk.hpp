#pragma once
// A disk on which one call fails, once or from then on: what a test counts through, call by call.

#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "base/disk.hpp"
#include "base/error.hpp"

namespace pantile::testing {

struct DiskFault {
  std::uint64_t call = std::numeric_limits<std::uint64_t>::max();  ///< the first that fails; 0 is the first of all
  int number = 5;                                                  ///< errno: EIO
  bool for_good = false;                                           ///< all calls after it fail too
};

/// Passes everything on to another disk, which must outlive it. Counts the calls that change something; of a write that
/// fails half is written.
class FaultyDisk final : public Disk {
 public:
  explicit FaultyDisk(Disk& under, const DiskFault& fault = {}) : under_{under}, fault_{fault} {}

  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
  [[nodiscard]] bool has_failed() const noexcept { return calls_ > fault_.call; }
  void mend() { fault_ = {}; }

  std::unique_ptr<DiskFile> open(const std::filesystem::path& path, Access access) override {
    if (access == Access::create || access == Access::replace) {
      count("open " + path.string());
    }
    return std::make_unique<FaultyFile>(*this, under_.open(path, access));
  }
  void rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    count("rename " + from.string());
    under_.rename(from, to);
  }
  void remove(const std::filesystem::path& path) override {
    count("remove " + path.string());
    under_.remove(path);
  }
  void sync_folder(const std::filesystem::path& folder) override {
    count("fsync " + folder.string());
    under_.sync_folder(folder);
  }
  void make_folder(const std::filesystem::path& folder) override {
    count("make " + folder.string());
    under_.make_folder(folder);
  }
  std::vector<std::string> list(const std::filesystem::path& folder) override { return under_.list(folder); }
  bool exists(const std::filesystem::path& path) override { return under_.exists(path); }
  std::uint64_t free_bytes(const std::filesystem::path& folder) override { return under_.free_bytes(folder); }

 private:
  class FaultyFile final : public DiskFile {
   public:
    FaultyFile(FaultyDisk& disk, std::unique_ptr<DiskFile> under) : disk_{disk}, under_{std::move(under)} {}
    std::uint64_t size() override { return under_->size(); }
    std::size_t read(std::uint64_t at, std::span<std::byte> bytes) override { return under_->read(at, bytes); }
    void write(std::uint64_t at, std::span<const std::byte> bytes) override {
      try {
        disk_.count("write");
      } catch (const SystemError&) {
        under_->write(at, bytes.first(bytes.size() / 2));
        throw;
      }
      under_->write(at, bytes);
    }
    void resize(std::uint64_t bytes) override {
      disk_.count("resize");
      under_->resize(bytes);
    }
    bool reserve(std::uint64_t at, std::uint64_t bytes) override {
      disk_.count("take room");
      return under_->reserve(at, bytes);
    }
    void sync() override {
      disk_.count("fsync");
      under_->sync();
    }
    void sync_data() override {
      disk_.count("fdatasync");
      under_->sync_data();
    }

   private:
    FaultyDisk& disk_;
    std::unique_ptr<DiskFile> under_;
  };

  void count(const std::string& what) {
    const std::uint64_t call = calls_++;
    if (call == fault_.call || (fault_.for_good && call > fault_.call)) {
      throw system_error("the test fails call " + std::to_string(call) + " (" + what + ")", fault_.number);
    }
  }

  Disk& under_;
  DiskFault fault_;
  std::uint64_t calls_ = 0;
};

}  // namespace pantile::testing
