#pragma once
// The job file as one checked struct. `config/fields.hpp` has the table of keys that drives parsing, checks, writing
// and docs/config.md; this header is what the other modules read.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/part.hpp"
#include "base/records.hpp"

namespace pantile {

/// A number as written: `1/255` keeps both parts, so that it reads back as the same text and its inverse is exact.
struct Ratio {
  double numerator = 1;
  double denominator = 1;
  [[nodiscard]] double value() const noexcept { return numerator / denominator; }
  [[nodiscard]] Ratio inverse() const noexcept { return {denominator, numerator}; }
  bool operator==(const Ratio&) const = default;
};
/// "1/255", "0.5": the shortest text that reads back as the same ratio.
[[nodiscard]] std::string to_string(const Ratio& ratio);

/// A path of the config. In a file it counts from the folder of that file, elsewhere from the current folder.
struct ConfigPath {
  std::string written;             ///< as the job file would write it; absolute if it does not come from a file
  std::filesystem::path resolved;  ///< absolute
  bool operator==(const ConfigPath&) const = default;
};

struct InputConfig {
  ConfigPath path;                   ///< a folder, an image, a list, an archive or an HDF5 stack
  std::vector<std::string> include;  ///< globs on the path below the folder; empty: every known image ending
  std::vector<std::string> exclude;  ///< globs; wins over include
  bool operator==(const InputConfig&) const = default;
};

/// How pixels become the model's input: (v · scale − mean) / deviation per channel.
struct ImageConfig {
  enum class Color : std::uint8_t { RGB, BGR, Y, gray };
  /// The choices of pantile::Border (image/ comes after config/ in the order of modules), in its order.
  enum class Border : std::uint8_t { none, replicate, reflect };
  /// What becomes of an alpha channel: forgotten, or laid over white.
  enum class Alpha : std::uint8_t { drop, white };
  Color color = Color::RGB;
  Ratio scale{1, 255};
  std::vector<Ratio> mean{{0, 1}};       ///< one for all channels, or one per channel
  std::vector<Ratio> deviation{{1, 1}};  ///< key `std`: one for all channels, or one per channel; none is zero
  std::optional<Border> border;          ///< unset: replicate for valid models, none for same-padded ones
  Alpha alpha = Alpha::drop;
  [[nodiscard]] int channels() const noexcept { return color == Color::RGB || color == Color::BGR ? 3 : 1; }
  bool operator==(const ImageConfig&) const = default;
};

/// What the model's output is, and how it becomes pixels: round(clamp(v · scale)).
struct ResultConfig {
  enum class Kind : std::uint8_t { image };
  Kind kind = Kind::image;
  Ratio scale{255, 1};  ///< default: 1 / image.scale
  bool operator==(const ResultConfig&) const = default;
};

struct StageConfig {
  std::string id;
  ConfigPath model;
  ImageConfig image;
  ResultConfig output;
  bool operator==(const StageConfig&) const = default;
};

/// One named output of the run; its OutputId is its position in RunConfig::outputs.
struct OutputConfig {
  std::string name;
  std::string from;  ///< id of a stage
  DType dtype = DType::u8;
  bool operator==(const OutputConfig&) const = default;
};

struct StoreConfig {
  ConfigPath dir;                                                      ///< the run folder
  std::uint64_t shard_size = std::uint64_t{256} << 20U;                ///< bytes; a shard is sealed when it holds more
  std::optional<std::chrono::milliseconds> seal_after;                 ///< unset: auto
  std::chrono::milliseconds wait_for_space{std::chrono::minutes{10}};  ///< on a full disk; 0: stop at once
  bool operator==(const StoreConfig&) const = default;
};

struct TileSize {
  enum class Kind : std::uint8_t { automatic, fixed, whole };
  Kind kind = Kind::automatic;
  int px = 0;  ///< side of the core input, without halo; only for `fixed`
  bool operator==(const TileSize&) const = default;
};

struct TilesConfig {
  TileSize size;
  bool allow_inexact = false;  ///< tiles even for a model whose tiles differ from the whole image
  bool operator==(const TilesConfig&) const = default;
};

/// Bytes, or per cent of a device's total.
struct MemoryAmount {
  enum class Kind : std::uint8_t { bytes, percent };
  Kind kind = Kind::bytes;
  std::uint64_t bytes = 0;
  double percent = 0;
  /// In bytes, of a device that has `total` bytes.
  [[nodiscard]] std::uint64_t of(std::uint64_t total) const noexcept {
    return kind == Kind::bytes ? bytes : static_cast<std::uint64_t>(static_cast<double>(total) / 100 * percent);
  }
  bool operator==(const MemoryAmount&) const = default;
};

struct MemoryConfig {
  MemoryAmount cap{MemoryAmount::Kind::percent, 0, 80};
  MemoryAmount leave;
  std::optional<MemoryAmount> host;                ///< of a node's memory, for all of its ranks together
  std::map<std::string, MemoryAmount> per_device;  ///< "node3:gpu0", or "gpu0" of every node
  /// The cap of a device of `total` bytes, which `sharers` workers share alike unless it is named. `device`:
  /// "node3:cpu0". The strictest of all that is set; 0 if nothing is left.
  [[nodiscard]] std::uint64_t budget(const std::string& device, std::uint64_t total, int sharers) const;
  bool operator==(const MemoryConfig&) const = default;
};

struct DevicesConfig {
  enum class Isolation : std::uint8_t { process, none };
  std::vector<std::string> use;  ///< device kinds: "cpu"; empty: auto
  MemoryConfig memory;
  std::optional<int> jobs_per_device;  ///< lanes; unset: auto
  Isolation isolation = Isolation::process;
  bool operator==(const DevicesConfig&) const = default;
};

struct ScheduleConfig {
  enum class Policy : std::uint8_t { resolution, dynamic, equal };
  Policy policy = Policy::resolution;
  bool operator==(const ScheduleConfig&) const = default;
};

/// How many items may end in quarantine before the run stops.
struct QuarantineLimit {
  enum class Kind : std::uint8_t { none, items, percent };
  Kind kind = Kind::none;
  std::uint64_t items = 0;
  double percent = 0;  ///< of the catalog
  /// The most that may be in quarantine of a catalog of `total` items; all of them if there is no limit.
  [[nodiscard]] std::uint64_t of(std::uint64_t total) const noexcept;
  bool operator==(const QuarantineLimit&) const = default;
};

struct ErrorConfig {
  enum class BadInput : std::uint8_t { quarantine };
  BadInput bad_input = BadInput::quarantine;
  int retries = 2;  ///< further attempts of an item after the first one failed for another reason than its bytes
  QuarantineLimit max_quarantine;
  std::chrono::milliseconds hang_after{std::chrono::minutes{5}};  ///< without progress on an item
  bool operator==(const ErrorConfig&) const = default;
};

/// What is refused before a byte of pixels is decoded. Part of the result: it decides who is in it.
struct LimitsConfig {
  std::uint64_t max_pixels = 268'000'000;                         ///< of an image that must be decoded whole
  std::uint64_t max_region_pixels = 4'000'000'000;                ///< of one that can be read by region
  std::uint64_t max_file_size = std::uint64_t{256} << 20U;        ///< bytes
  std::uint64_t max_region_file_size = std::uint64_t{64} << 30U;  ///< bytes; of one that can be read by region
  int max_ratio = 1000;                                           ///< decoded bytes for each byte of the file
  int max_items = 20'000'000;                                     ///< of a run; beyond it nothing is started
  bool operator==(const LimitsConfig&) const = default;
};

/// A job, checked: every value is in its range, names are known, there is exactly one stage and one output.
struct RunConfig {
  std::filesystem::path folder;  ///< absolute; where relative paths of the job file count from
  int schema = 1;
  std::string name;
  std::vector<InputConfig> input;
  Part part;  ///< of the items of all inputs
  std::vector<StageConfig> pipeline;
  std::vector<OutputConfig> outputs;
  StoreConfig output;
  TilesConfig tiles;
  DevicesConfig devices;
  ScheduleConfig schedule;
  ErrorConfig on_error;
  LimitsConfig limits;
  bool operator==(const RunConfig&) const = default;
};

/// Reads and checks a job file, on top of the files that it includes; then come the variables of the environment
/// (PANTILE__TILES__SIZE=96), then `sets` ("devices.memory.cap=4GiB", values are YAML; the last one of a key wins; list
/// entries by position or id: "input.0.path=…", "pipeline.upscale.image.scale=1/127").
/// Throws ConfigError (config/diagnostics.hpp, a UsageError) with every mistake of file and sets at once.
[[nodiscard]] RunConfig load_config(const std::filesystem::path& path, const std::vector<std::string>& sets = {});

/// The same from text, without the environment. `display` stands for the file in messages; relative paths count from
/// `folder`.
[[nodiscard]] RunConfig parse_config(const std::string& text, const std::string& display,
                                     const std::filesystem::path& folder, const std::vector<std::string>& sets = {});

/// The whole config with all defaults, as YAML that parse_config(text, …, config.folder) reads as the same struct.
/// The first line, a comment, names the folder of relative paths. For shards and RUN_START.
[[nodiscard]] std::string effective_text(const RunConfig& config);
/// The folder that it names; empty if `text` is nothing that effective_text() makes.
[[nodiscard]] std::string folder_of_effective_text(const std::string& text);

}  // namespace pantile
