#pragma once
// Names and numbers that the files of a run folder share. docs/output-format.md is the page for readers.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/records.hpp"

namespace pantile {

/// Version of shards, catalog.h5, index.h5 and run.yaml. Readers refuse any other.
inline constexpr std::uint32_t store_format_version = 1;

/// Not damage: bytes that are as another version of this program wrote them. They are not to be changed.
class ForeignFormat : public Error {
 public:
  using Error::Error;
};
/// Throws ForeignFormat unless `version` is store_format_version.
void expect_known_format(std::uint64_t version);

/// One of the config's `outputs`; its OutputId is its position.
struct OutputInfo {
  std::string name{};  ///< letters, digits, `_`, `-`: it names a group in HDF5
  DType dtype = DType::u8;
  bool operator==(const OutputInfo&) const = default;
};

/// The attribute `outputs` of shards and index.h5: [{"name": "page", "dtype": "uint8"}, …]
[[nodiscard]] std::string to_json(const std::vector<OutputInfo>& outputs);
/// Throws Error unless `json` is what to_json() makes.
[[nodiscard]] std::vector<OutputInfo> parse_outputs(const std::string& json);

/// Who wrote a shard, and when: unique in a run, so that a name is never used twice.
struct ShardName {
  Epoch epoch{};
  RankId rank{};
  ShardId counter{};
  auto operator<=>(const ShardName&) const = default;
};

/// "e0003-r0017-000042.h5"
[[nodiscard]] std::string to_string(const ShardName& name);
/// Nothing unless `text` is exactly what to_string() makes.
[[nodiscard]] std::optional<ShardName> parse_shard_name(std::string_view text);
/// What a shard is called until it is sealed: its name with this behind it.
inline constexpr std::string_view partial_suffix = ".partial";

/// Where things lie in a run folder. Only names: touches nothing, and any process may use it.
struct RunLayout {
  std::filesystem::path root;
  [[nodiscard]] std::filesystem::path identity() const { return root / "run.yaml"; }
  [[nodiscard]] std::filesystem::path catalog() const { return root / "catalog.h5"; }
  /// Written, but not yet named by the journal, or not yet renamed (catalog_file.hpp).
  [[nodiscard]] std::filesystem::path next_catalog() const { return root / "catalog.h5.next"; }
  [[nodiscard]] std::filesystem::path journal() const { return root / "journal"; }
  [[nodiscard]] std::filesystem::path lock() const { return root / "lock"; }
  [[nodiscard]] std::filesystem::path shards() const { return root / "shards"; }
  [[nodiscard]] std::filesystem::path shard(std::string_view name) const { return shards() / name; }
  /// What a shard is until it is sealed.
  [[nodiscard]] std::filesystem::path partial(const ShardName& name) const {
    return shard(to_string(name) + std::string{partial_suffix});
  }
  [[nodiscard]] std::filesystem::path index() const { return root / "index.h5"; }
  /// Room that is set aside while a run is under way, for its last files.
  [[nodiscard]] std::filesystem::path reserve() const { return root / "reserve"; }
  /// Written and removed again, to see whether the disk takes anything.
  [[nodiscard]] std::filesystem::path probe() const { return shards() / "probe"; }
  [[nodiscard]] std::filesystem::path live() const { return root / "live.json"; }
  [[nodiscard]] std::filesystem::path control() const { return root / "control"; }
  [[nodiscard]] std::filesystem::path quarantine() const { return root / "quarantine.csv"; }
  [[nodiscard]] std::filesystem::path logs() const { return root / "logs"; }
  [[nodiscard]] std::filesystem::path report() const { return root / "report.html"; }
  [[nodiscard]] std::filesystem::path trace() const { return root / "trace.json"; }
};

}  // namespace pantile
