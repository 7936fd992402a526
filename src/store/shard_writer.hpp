#pragma once
// The shard as we write it: one HDF5 file, one writer, written once.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/records.hpp"
#include "store/format.hpp"
#include "store/shard_file.hpp"

namespace pantile {

/// What a shard says about where it comes from.
struct ShardFacts {
  std::string run_id{};
  std::string config{};                         ///< effective config, YAML text
  std::string binary{};                         ///< version of the program
  std::map<std::string, std::string> models{};  ///< path → digest, hex
  std::vector<OutputInfo> outputs{};            ///< all outputs of the run; position = OutputId
};

/// Writes `shards/NAME.h5.partial`. HDF5 thread only. HDF5's objects of a condemned file are not closed (closing
/// crashes).
class ShardWriter final : public ShardFile {
 public:
  /// Starts an empty shard in the existing folder `layout.shards()`. `disk`, which must outlive it, publishes what HDF5
  /// has written.
  ShardWriter(const RunLayout& layout, const ShardName& name, ShardFacts facts, Disk& disk = real_disk());
  ~ShardWriter() override;
  ShardWriter(ShardWriter&&) noexcept;
  ShardWriter& operator=(ShardWriter&&) noexcept;

  void append(const BlockRow& row, std::span<const std::byte> pixels) override;
  [[nodiscard]] const std::vector<BlockRow>& rows() const noexcept override;
  [[nodiscard]] std::uint64_t bytes_so_far() const noexcept override;
  [[nodiscard]] const ShardName& name() const noexcept;
  [[nodiscard]] std::optional<SealedShard> seal(const std::vector<bool>& wanted) override;

 private:
  class File;
  std::unique_ptr<File> file_;
};

}  // namespace pantile
