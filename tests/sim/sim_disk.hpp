#pragma once
// A disk in memory that is no kinder than a real one. A process that dies loses nothing that it wrote; at a power cut
// each write that was not synced is there, torn or lost, whatever became of those before it, and each name that was
// given or taken since its folder was synced is so or is not. It can be full.

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/disk.hpp"
#include "base/error.hpp"

namespace pantile::sim {

class SimDisk final : public Disk {
 public:
  static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

  explicit SimDisk(std::uint64_t seed = 1) : random_{seed} {}

  /// Everybody who has a file open is gone; what was not synced is in the hands of chance.
  void lose_power() {
    ++boot_;
    std::set<const Inode*> seen;
    for (const auto* names : {&names_, &safe_names_}) {
      for (const auto& [path, inode] : *names) {
        if (seen.insert(inode.get()).second) {
          tear(*inode);
        }
      }
    }
    std::set<std::string> lost;  // a change that builds on a lost one is lost, too
    for (const NameChange& change : pending_) {
      const bool builds_on_lost = lost.contains(change.from) || lost.contains(change.to);
      if (builds_on_lost || happens(0.5)) {
        lost.insert(change.from);
        lost.insert(change.to);
      } else {
        apply(change, safe_names_);
      }
    }
    pending_.clear();
    names_ = safe_names_;
  }

  /// How much fits on it from now on; what is there stays.
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
  /// What is in a file now; nothing if it is not there.
  [[nodiscard]] const Bytes* content(const std::filesystem::path& path) const {
    const auto found = names_.find(text_of(path));
    return found == names_.end() ? nullptr : &found->second->now;
  }
  /// A power cut would change neither the file nor its name.
  [[nodiscard]] bool is_durable(const std::filesystem::path& path) const {
    const auto now = names_.find(text_of(path));
    const auto safe = safe_names_.find(text_of(path));
    return now != names_.end() && safe != safe_names_.end() && now->second == safe->second &&
           now->second->unsynced.empty() &&
           std::none_of(pending_.begin(), pending_.end(),
                        [&](const NameChange& change) { return change.from == now->first || change.to == now->first; });
  }
  [[nodiscard]] std::uint64_t used() const {
    std::uint64_t bytes = 0;
    for (const auto& [path, inode] : names_) {
      bytes += inode->room();
    }
    return bytes;
  }

  std::unique_ptr<DiskFile> open(const std::filesystem::path& path, Access access) override {
    const std::string name = text_of(path);
    expect_folder(path);
    auto found = names_.find(name);
    if (found == names_.end()) {
      if (access == Access::read || access == Access::change) {
        throw system_error("cannot open " + name, ENOENT);
      }
      found = names_.emplace(name, std::make_shared<Inode>()).first;
      pending_.push_back({{}, name, found->second});
    }
    auto file = std::make_unique<SimFile>(*this, found->second);
    if (access == Access::replace) {
      file->resize(0);
    }
    return file;
  }

  void rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    expect_folder(to);
    const auto found = names_.find(text_of(from));
    if (found == names_.end()) {
      throw system_error("cannot rename " + from.string(), ENOENT);
    }
    pending_.push_back({text_of(from), text_of(to), found->second});
    apply(pending_.back(), names_);
  }

  void remove(const std::filesystem::path& path) override {
    if (names_.contains(text_of(path))) {
      pending_.push_back({text_of(path), {}, nullptr});
      apply(pending_.back(), names_);
    }
  }

  void sync_folder(const std::filesystem::path& folder) override {
    const std::string name = text_of(folder);
    std::set<std::string> touched;
    std::vector<bool> is_synced(pending_.size());
    for (std::size_t i = pending_.size(); i-- > 0;) {  // with what they build on
      const NameChange& change = pending_[i];
      is_synced[i] =
          in(change.from, name) || in(change.to, name) || touched.contains(change.from) || touched.contains(change.to);
      for (const std::string& path : {change.from, change.to}) {
        if (is_synced[i] && !path.empty()) {
          touched.insert(path);
        }
      }
    }
    std::vector<NameChange> left;
    for (std::size_t i = 0; i < pending_.size(); ++i) {
      if (is_synced[i]) {
        apply(pending_[i], safe_names_);
      } else {
        left.push_back(std::move(pending_[i]));
      }
    }
    pending_ = std::move(left);
  }

  /// Folders are durable at once: no promise of ours hangs on them.
  void make_folder(const std::filesystem::path& folder) override { folders_.insert(text_of(folder)); }

  std::vector<std::string> list(const std::filesystem::path& folder) override {
    std::vector<std::string> found;
    for (const auto& [path, inode] : names_) {
      if (in(path, text_of(folder))) {
        found.push_back(std::filesystem::path{path}.filename().string());
      }
    }
    return found;
  }

  bool exists(const std::filesystem::path& path) override {
    return names_.contains(text_of(path)) || folders_.contains(text_of(path));
  }
  std::uint64_t free_bytes(const std::filesystem::path& /*folder*/) override {
    return capacity_ - std::min(capacity_, used());
  }

 private:
  /// A write, or a change of size where `bytes` is empty.
  struct Change {
    std::uint64_t at = 0;
    Bytes bytes;
  };
  struct Inode {
    Bytes now;
    Bytes safe;
    std::vector<Change> unsynced;
    std::uint64_t reserved = 0;
    [[nodiscard]] std::uint64_t room() const { return std::max<std::uint64_t>(now.size(), reserved); }
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  /// `to` names the inode and `from` nothing; either may be empty.
  struct NameChange {
    std::string from;
    std::string to;
    std::shared_ptr<Inode> inode;
  };

  class SimFile final : public DiskFile {
   public:
    SimFile(SimDisk& disk, std::shared_ptr<Inode> inode) : disk_{disk}, inode_{std::move(inode)}, boot_{disk.boot_} {}
    std::uint64_t size() override { return inode_->now.size(); }
    std::size_t read(std::uint64_t at, std::span<std::byte> bytes) override {
      const std::size_t there = inode_->now.size() - std::min<std::size_t>(at, inode_->now.size());
      const std::size_t count = std::min(there, bytes.size());
      if (count > 0) {
        std::memcpy(bytes.data(), inode_->now.data() + at, count);
      }
      return count;
    }
    void write(std::uint64_t at, std::span<const std::byte> bytes) override {
      expect_power();
      const std::uint64_t fits = disk_.capacity_ == unlimited ? unlimited : inode_->room() + disk_.free_bytes({});
      const auto count = std::min<std::uint64_t>(bytes.size(), fits - std::min(fits, at));
      if (count > 0) {
        put(inode_->now, {at, Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count))});
        inode_->unsynced.push_back({at, Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count))});
      }
      if (count < bytes.size()) {
        throw system_error("cannot write to the simulated disk", ENOSPC);
      }
    }
    void resize(std::uint64_t bytes) override {
      expect_power();
      put(inode_->now, {bytes, {}});
      inode_->reserved = std::min(inode_->reserved, bytes);
      inode_->unsynced.push_back({bytes, {}});
    }
    bool reserve(std::uint64_t at, std::uint64_t bytes) override {
      expect_power();
      const std::uint64_t wanted = std::max(inode_->reserved, at + bytes);
      if (wanted > inode_->room() && wanted - inode_->room() > disk_.free_bytes({})) {
        throw system_error("cannot take room on the simulated disk", ENOSPC);
      }
      inode_->reserved = wanted;
      return true;
    }
    void sync() override {
      expect_power();
      inode_->unsynced.clear();
      inode_->safe = inode_->now;
    }
    void sync_data() override { sync(); }

   private:
    void expect_power() const { expect(boot_ == disk_.boot_, "nobody holds a file of before the power cut"); }

    SimDisk& disk_;
    std::shared_ptr<Inode> inode_;
    std::uint64_t boot_;
  };

  static std::string text_of(const std::filesystem::path& path) { return path.lexically_normal().string(); }
  static bool in(const std::string& path, const std::string& folder) {
    return !path.empty() && folder_of(path).string() == folder;
  }
  void expect_folder(const std::filesystem::path& path) const {
    if (!folders_.contains(text_of(folder_of(path)))) {
      throw system_error("no folder for " + path.string(), ENOENT);
    }
  }
  static void put(Bytes& content, const Change& change) {
    if (change.bytes.empty()) {
      content.resize(change.at);
      return;
    }
    content.resize(std::max<std::size_t>(content.size(), change.at + change.bytes.size()));
    std::memcpy(content.data() + change.at, change.bytes.data(), change.bytes.size());
  }
  static void apply(const NameChange& change, Names& names) {
    if (!change.from.empty()) {
      names.erase(change.from);
    }
    if (!change.to.empty()) {
      names[change.to] = change.inode;
    }
  }
  bool happens(double probability) { return std::uniform_real_distribution<double>{}(random_) < probability; }
  /// What of the unsynced changes of a file reached the platter.
  void tear(Inode& inode) {
    for (Change& change : std::exchange(inode.unsynced, {})) {
      if (happens(0.4)) {
        continue;
      }
      if (!change.bytes.empty() && happens(0.3)) {
        change.bytes.resize(std::uniform_int_distribution<std::size_t>{1, change.bytes.size()}(random_));
      }
      put(inode.safe, change);
    }
    inode.now = inode.safe;
    inode.reserved = 0;
  }

  std::mt19937_64 random_;
  std::uint64_t boot_ = 0;
  std::uint64_t capacity_ = unlimited;
  Names names_;
  Names safe_names_;
  std::vector<NameChange> pending_;
  std::set<std::string> folders_;
};

}  // namespace pantile::sim
