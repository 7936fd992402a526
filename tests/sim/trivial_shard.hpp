#pragma once
// A shard file format for simulations: what HDF5 would hold, in one piece, written through a Disk.

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/wire.hpp"
#include "run/shard_desk.hpp"
#include "store/adopt.hpp"
#include "store/file_seal.hpp"
#include "store/shard_file.hpp"

namespace pantile::sim {

/// A row of a sealed one, as it is read back.
struct TrivialRow {
  BlockKey key;
  Extent item_extent;
  Hash128 digest;
  Bytes pixels;
};

/// Pixels as they come; then the wanted rows (item, output, block, digest, place and size of the pixels); then where
/// those begin.
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
    if (!keys_.insert(row.key).second) {
      return;
    }
    guarded([&] {
      file_->write(bytes_, pixels);
      places_.emplace_back(bytes_, pixels.size());
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
          index.put(rows_[i].item_extent.height).put(rows_[i].item_extent.width);
          index.put(rows_[i].digest.high).put(rows_[i].digest.low).put(places_[i].first).put(places_[i].second);
          shard.content_sum += rows_[i].digest;
          shard.rows.push_back(rows_[i]);
        }
      }
      if (!shard.rows.empty()) {
        index.put(bytes_);
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
  std::set<BlockKey> keys_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> places_;
  std::uint64_t bytes_ = 0;
};

/// The rows of a sealed shard. Throws WireError if it is none.
inline std::vector<TrivialRow> read_trivial_shard(const Bytes& file) {
  if (file.size() < sizeof(std::uint64_t) + seal_bytes) {
    throw WireError{"a shard ends before its rows"};
  }
  const std::size_t end = file.size() - seal_bytes - sizeof(std::uint64_t);
  const auto begin = Reader{std::span{file}.subspan(end)}.get<std::uint64_t>();
  if (begin > end) {
    throw WireError{"the rows of a shard begin behind its end"};
  }
  std::vector<TrivialRow> rows;
  constexpr std::size_t row_bytes = 8 + 2 + 4 + 2 * 4 + 4 * 8;
  for (std::size_t at = begin; at < end; at += row_bytes) {
    Reader reader{std::span{file}.subspan(at, row_bytes)};
    TrivialRow row;
    row.key = {reader.get<ItemId>(), reader.get<OutputId>(), reader.get<BlockId>()};
    row.item_extent = {reader.get<int>(), reader.get<int>()};
    row.digest = {reader.get<std::uint64_t>(), reader.get<std::uint64_t>()};
    const auto place = reader.get<std::uint64_t>();
    const auto pixels = std::span{file}.subspan(place, reader.get<std::uint64_t>());
    row.pixels.assign(pixels.begin(), pixels.end());
    rows.push_back(std::move(row));
  }
  return rows;
}

/// As prove_shards() does it for HDF5.
inline ProveShard prove_trivial_shards(Disk& disk, const RunLayout& layout) {
  return [&disk, layout](const ShardName& name, const JournalState& state) {
    const auto file = disk.open(layout.shard(to_string(name)), Access::read);
    const SealCheck seal = check_seal(*file);
    if (!seal.holds) {
      throw Error{"its bytes are not the ones that were sealed"};
    }
    SealedShard shard{.name = to_string(name), .bytes = seal.found.bytes, .hash = seal.found.hash};
    for (const TrivialRow& stored : read_trivial_shard(read_file(disk, layout.shard(shard.name)))) {
      if (!state.wanted(stored.key)) {
        throw Error{"it has what another shard has"};
      }
      BlockRow row;
      row.key = stored.key;
      row.item_extent = stored.item_extent;
      row.digest = stored.digest;
      shard.content_sum += row.digest;
      shard.rows.push_back(row);
    }
    return to_commit(shard);
  };
}

inline ShardDesk::OpenShardFile trivial_shards(Disk& disk, const RunLayout& layout) {
  return [&disk, layout](const ShardName& name) { return std::make_unique<TrivialShard>(disk, layout, name); };
}

}  // namespace pantile::sim
