#include "store/shard_writer.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/hdf5.hpp"
#include "image/block_grid.hpp"
#include "store/output_writer.hpp"
#include "store/shard_reader.hpp"

namespace pantile {

/// The open partial. Lives until it is sealed, condemned or dropped.
class ShardWriter::File {
  /// Runs `action`; whatever goes wrong in it condemns the partial.
  template <class Action>
  auto guarded(Action action) {
    try {
      return action();
    } catch (...) {
      outputs_.clear();
      hdf5::abandon_file(std::move(file_), partial_);
      throw;
    }
  }

 public:
  File(const RunLayout& layout, const ShardName& name, ShardFacts facts, Disk& disk)
      : disk_{disk}, layout_{layout}, name_{name}, facts_{std::move(facts)}, partial_{layout.partial(name)} {
    if (const auto path = layout.shard(to_string(name)); disk.exists(path)) {
      throw Error{path.string() + " exists already (shards are written once). Does another run write here?"};
    }
    guarded([&] {
      file_ = hdf5::create_file(partial_);
      const hdf5::Id out = hdf5::create_group(file_.get(), "out");
      outputs_.reserve(facts_.outputs.size());
      for (const OutputInfo& output : facts_.outputs) {
        outputs_.emplace_back(out.get(), output, outputs_.size());
      }
    });
  }

  ~File() {
    if (file_) {
      outputs_.clear();
      file_.reset();
      ::unlink(partial_.c_str());
    }
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void append(const BlockRow& row, std::span<const std::byte> pixels) {
    expect(static_cast<bool>(file_), "a shard that is sealed or failed is not used again");
    expect(index(row.key.output) < outputs_.size() && outputs_[index(row.key.output)].dtype() == row.dtype,
           "a block belongs to an output of the run, and has its type");
    expect(pixels.size() == row.bytes(), "a block has all of its pixels");
    expect(BlockGrid{row.item_extent}.rect(row.key.block) == row.rect, "a block is a cell of its item's block grid");
    if (!keys_.insert(row.key).second) {
      return;
    }
    guarded([&] {
      OutputWriter& output = outputs_[index(row.key.output)];
      std::uint64_t offset = in_blocks;
      if (BlockGrid{row.item_extent}.size() == 1) {
        offset = output.append_packed(pixels);
      } else {
        output.write_block(row, pixels);
      }
      rows_.push_back(row);
      offsets_.push_back(offset);
      bytes_ += pixels.size();
    });
  }

  std::optional<SealedShard> seal(const std::vector<bool>& wanted) {
    expect(static_cast<bool>(file_), "a shard that is sealed or failed is not used again");
    expect(wanted.size() == rows_.size(), "each row of a shard is wanted or not");
    return guarded([&]() -> std::optional<SealedShard> {
      keep(wanted);
      if (rows_.empty()) {
        outputs_.clear();
        file_.reset();
        ::unlink(partial_.c_str());
        return std::nullopt;
      }
      SealedShard shard{.name = to_string(name_), .rows = std::move(rows_)};
      for (const BlockRow& row : shard.rows) {
        shard.content_sum += row.digest;
      }
      write_index(shard.rows);
      write_facts(shard);
      outputs_.clear();
      hdf5::close_file(std::move(file_), partial_);
      const FileHash found = publish_shard(disk_, layout_, name_);
      shard.hash = found.hash;
      shard.bytes = found.bytes;
      return shard;
    });
  }

  [[nodiscard]] const std::vector<BlockRow>& rows() const noexcept { return rows_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] const ShardName& name() const noexcept { return name_; }

 private:
  /// Drops the rows that are not wanted. Their pixels stay in the file; nothing points at them.
  void keep(const std::vector<bool>& wanted) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (wanted[i]) {
        std::swap(rows_[kept], rows_[i]);
        std::swap(offsets_[kept], offsets_[i]);
        ++kept;
      }
    }
    rows_.resize(kept);
    offsets_.resize(kept);
  }

  void write_index(const std::vector<BlockRow>& rows) {
    const hdf5::Id group = hdf5::create_group(file_.get(), "index");
    const auto column = [&]<class T>(const char* name, T (*value)(const BlockRow&)) {
      std::vector<T> values(rows.size());
      std::transform(rows.begin(), rows.end(), values.begin(), value);
      hdf5::write_column(group.get(), name, values);
    };
    using Row = const BlockRow&;
    column(
        "item", +[](Row row) { return index(row.key.item); });
    column(
        "output", +[](Row row) { return index(row.key.output); });
    column(
        "block", +[](Row row) { return index(row.key.block); });
    column(
        "attempt", +[](Row row) { return row.attempt; });
    column(
        "y", +[](Row row) { return static_cast<std::uint32_t>(row.rect.y); });
    column(
        "x", +[](Row row) { return static_cast<std::uint32_t>(row.rect.x); });
    column(
        "height", +[](Row row) { return static_cast<std::uint32_t>(row.rect.height); });
    column(
        "width", +[](Row row) { return static_cast<std::uint32_t>(row.rect.width); });
    column(
        "channels", +[](Row row) { return static_cast<std::uint32_t>(row.channels); });
    column(
        "item_height", +[](Row row) { return static_cast<std::uint32_t>(row.item_extent.height); });
    column(
        "item_width", +[](Row row) { return static_cast<std::uint32_t>(row.item_extent.width); });
    column(
        "bytes", +[](Row row) { return row.bytes(); });
    column(
        "digest_high", +[](Row row) { return row.digest.high; });
    column(
        "digest_low", +[](Row row) { return row.digest.low; });
    column(
        "input_xxh3", +[](Row row) { return row.input_xxh3; });
    column(
        "tile_height", +[](Row row) { return static_cast<std::uint32_t>(row.tile.height); });
    column(
        "tile_width", +[](Row row) { return static_cast<std::uint32_t>(row.tile.width); });
    column(
        "milliseconds", +[](Row row) { return row.milliseconds; });
    column(
        "peak_bytes", +[](Row row) { return row.peak_bytes; });
    std::vector<std::string> devices(rows.size());
    std::transform(rows.begin(), rows.end(), devices.begin(), [](Row row) { return row.device_class; });
    hdf5::write_strings(group.get(), "device_class", devices);
    hdf5::write_column(group.get(), "offset", offsets_);
    for (OutputWriter& output : outputs_) {
      output.finish();
      // The same column under a second name, where a reader of one output looks for it.
      hdf5::check(H5Lcreate_hard(group.get(), "offset", output.group(), "offset", H5P_DEFAULT, H5P_DEFAULT),
                  "link the column offset");
    }
  }

  void write_facts(const SealedShard& shard) {
    const hid_t root = file_.get();
    hdf5::write_attribute(root, "kind", "pantile shard");
    hdf5::write_attribute(root, "format_version", store_format_version);
    hdf5::write_attribute(root, "run_id", facts_.run_id);
    hdf5::write_attribute(root, "epoch", index(name_.epoch));
    hdf5::write_attribute(root, "rank", static_cast<std::uint64_t>(index(name_.rank)));
    hdf5::write_attribute(root, "counter", index(name_.counter));
    hdf5::write_attribute(root, "rows", shard.rows.size());
    hdf5::write_attribute(root, "content_sum", to_string(shard.content_sum));
    hdf5::write_attribute(root, "outputs", to_json(facts_.outputs));
    hdf5::write_attribute(root, "binary", facts_.binary);
    hdf5::write_text(root, "models", nlohmann::json(facts_.models).dump());
    hdf5::write_text(root, "config", facts_.config);
    hdf5::write_attribute(root, "sealed", std::uint64_t{1});  // last: a file without it was never finished
  }

  Disk& disk_;
  RunLayout layout_;
  ShardName name_;
  ShardFacts facts_;
  std::filesystem::path partial_;
  hdf5::Id file_;
  std::vector<OutputWriter> outputs_;
  std::vector<BlockRow> rows_;
  std::vector<std::uint64_t> offsets_;
  std::set<BlockKey> keys_;
  std::uint64_t bytes_ = 0;
};

ShardWriter::ShardWriter(const RunLayout& layout, const ShardName& name, ShardFacts facts, Disk& disk)
    : file_{std::make_unique<File>(layout, name, std::move(facts), disk)} {}
ShardWriter::~ShardWriter() = default;
ShardWriter::ShardWriter(ShardWriter&&) noexcept = default;
ShardWriter& ShardWriter::operator=(ShardWriter&&) noexcept = default;

void ShardWriter::append(const BlockRow& row, std::span<const std::byte> pixels) { file_->append(row, pixels); }
const std::vector<BlockRow>& ShardWriter::rows() const noexcept { return file_->rows(); }
std::uint64_t ShardWriter::bytes_so_far() const noexcept { return file_->bytes(); }
const ShardName& ShardWriter::name() const noexcept { return file_->name(); }
std::optional<SealedShard> ShardWriter::seal(const std::vector<bool>& wanted) { return file_->seal(wanted); }

}  // namespace pantile
