#pragma once
// A shard file format for simulations: what HDF5 would hold, in one piece, written through a Disk.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/wire.hpp"
#include "run/shard_desk.hpp"
#include "store/shard_file.hpp"

namespace pantile::sim {

/// A header of the rows (item, output, block, digest), then nothing: pixels are written as they come, before it.
class TrivialShard final : public ShardFile {
 public:
  TrivialShard(Disk& disk, RunLayout layout, const ShardName& name)
      : disk_{disk},
        layout_{std::move(layout)},
        name_{name},
        file_{disk.open(layout_.partial(name), Access::replace)} {}
  ~TrivialShard() override {
    if (file_) {
      condemn();
    }
  }
  TrivialShard(const TrivialShard&) = delete;
  TrivialShard& operator=(const TrivialShard&) = delete;

  void append(const BlockRow& row, std::span<const std::byte> pixels) override {
    guarded([&] {
      file_->write(bytes_, pixels);
      bytes_ += pixels.size();
      rows_.push_back(row);
    });
  }
  [[nodiscard]] const std::vector<BlockRow>& rows() const noexcept override { return rows_; }
  [[nodiscard]] std::uint64_t bytes_so_far() const noexcept override { return bytes_; }

  [[nodiscard]] std::optional<SealedShard> seal(const std::vector<bool>& wanted) override {
    SealedShard shard{.name = to_string(name_)};
    guarded([&] {
      Writer index;
      for (std::size_t i = 0; i < rows_.size(); ++i) {
        if (wanted[i]) {
          index.put(rows_[i].key.item).put(rows_[i].key.output).put(rows_[i].key.block);
          index.put(rows_[i].digest.high).put(rows_[i].digest.low);
          shard.content_sum += rows_[i].digest;
          shard.rows.push_back(rows_[i]);
        }
      }
      if (!shard.rows.empty()) {
        file_->write(bytes_, index.bytes());
      }
    });
    if (shard.rows.empty()) {
      condemn();
      return std::nullopt;
    }
    file_.reset();
    const FileHash found = publish_shard(disk_, layout_, name_);
    shard.hash = found.hash;
    shard.bytes = found.bytes;
    return shard;
  }

 private:
  void condemn() {
    file_.reset();
    try_to_remove(disk_, layout_.partial(name_));
  }
  template <class Action>
  void guarded(Action action) {
    try {
      action();
    } catch (...) {
      condemn();
      throw;
    }
  }

  Disk& disk_;
  RunLayout layout_;
  ShardName name_;
  std::unique_ptr<DiskFile> file_;
  std::vector<BlockRow> rows_;
  std::uint64_t bytes_ = 0;
};

inline ShardDesk::OpenShardFile trivial_shards(Disk& disk, const RunLayout& layout) {
  return [&disk, layout](const ShardName& name) { return std::make_unique<TrivialShard>(disk, layout, name); };
}

}  // namespace pantile::sim
