#include "run/calibration_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "report/live.hpp"

namespace pantile {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* format = "pantile calibration 1";
/// No record of ours has so much.
constexpr std::uint64_t largest_file_bytes = std::uint64_t{16} << 20U;

/// A part of a file name: "cpu:avx512" gives "cpu-avx512".
std::string slug(std::string_view text) {
  std::string slug;
  for (const char c : text) {
    slug += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' ? c : '-';
  }
  return slug;
}

Json to_json(const std::vector<FootprintSample>& samples) {
  Json json = Json::array();
  for (const FootprintSample& sample : samples) {
    json.push_back({{"height", sample.input.height},
                    {"width", sample.input.width},
                    {"batch", sample.batch},
                    {"peak_bytes", sample.peak_bytes}});
  }
  return json;
}

std::vector<FootprintSample> samples_of(const Json& json) {
  std::vector<FootprintSample> samples;
  for (const Json& one : json) {
    samples.push_back(
        {.input = {one.at("height"), one.at("width")}, .peak_bytes = one.at("peak_bytes"), .batch = one.at("batch")});
  }
  return samples;
}

Json to_json(const AllocationPattern& pattern) {
  Json blocks = Json::array();
  for (const AllocationPattern::Block& block : pattern.pattern()) {
    blocks.push_back({block.born, block.died, block.growth.with_batch, block.growth.factors});
  }
  return {{"unit_px", pattern.unit_px()}, {"blocks", std::move(blocks)}};
}

AllocationPattern pattern_of(const Json& json) {
  std::vector<AllocationPattern::Block> blocks;
  for (const Json& one : json.at("blocks")) {
    blocks.push_back({.growth = {.factors = one.at(3), .with_batch = one.at(2)}, .born = one.at(0), .died = one.at(1)});
  }
  return {json.at("unit_px").get<int>(), std::move(blocks)};
}

Footprint footprint_of(const Json& json) {
  Footprint::Parts parts;
  if (!json.at("pattern").is_null()) {
    parts.pattern = pattern_of(json.at("pattern"));
  }
  parts.samples = samples_of(json.at("samples"));
  for (const Json& one : json.at("bounds")) {
    parts.bounds.push_back(
        {.input = {one.at("height"), one.at("width")}, .batch = one.at("batch"), .cap_bytes = one.at("cap_bytes")});
  }
  parts.raise = json.at("raise");
  return Footprint{std::move(parts)};
}

/// The sum over the record itself: one letter of the file changed, and it is not ours any more.
std::string sum_of(const Json& record) {
  const std::string text = record.dump();
  return to_string(xxh3_128(std::as_bytes(std::span{text})));
}

std::vector<std::filesystem::path> files_of(const std::filesystem::path& folder, const Hash128& model) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator at{folder, error}, end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with(to_string(model)) && name.ends_with(".json")) {
      files.push_back(at->path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::optional<Calibration> read_calibration(const std::filesystem::path& file) {
  try {
    const Bytes bytes = read_file(file, largest_file_bytes);
    std::optional<Calibration> calibration =
        parse_calibration({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (!calibration) {
      log::debug("{} is no calibration of this version; it is not used", file.string());
    }
    return calibration;
  } catch (const Error& error) {
    log::debug("a calibration is not used: {}", error.what());
    return std::nullopt;
  }
}

/// With what others have measured since it was read.
Calibration with_observed(Calibration calibration, const Calibration& kept) {
  if (kept.key == calibration.key && kept.footprint.pattern() &&
      kept.footprint.pattern() == calibration.footprint.pattern()) {
    for (const FootprintSample& sample : kept.footprint.parts().samples) {
      calibration.footprint.observe(sample.input, sample.batch, sample.peak_bytes);
    }
  }
  return calibration;
}

/// Ranks of several nodes may write the same file: each has a temporary name of its own. False if it cannot be written.
bool write_calibration(const std::filesystem::path& folder, const Calibration& calibration) {
  const std::string name = file_name(calibration.key);
  std::error_code ignored;
  const std::optional<Calibration> kept =
      std::filesystem::exists(folder / name, ignored) ? read_calibration(folder / name) : std::nullopt;
  const Calibration all = kept ? with_observed(calibration, *kept) : calibration;
  if (kept == all) {
    return true;
  }
  const std::string text = to_text(all);
  const std::filesystem::path part = folder / fmt::format(".{}.{}.{}", name, host_name(), ::getpid());
  try {
    std::filesystem::create_directories(folder, ignored);
    {
      const File file = open_file(part, O_WRONLY | O_CREAT | O_TRUNC);
      write_all(file.get(), std::as_bytes(std::span{text}), part.string());
    }
    std::filesystem::rename(part, folder / name);
    return true;
  } catch (const std::exception& failure) {
    log::debug("a calibration is not kept: {}", failure.what());
    std::filesystem::remove(part, ignored);
    return false;
  }
}

}  // namespace

CalibrationFolders calibration_folders(const std::filesystem::path& run_root) {
  CalibrationFolders folders;
  if (!run_root.empty()) {
    folders.run = run_root / "calibration";
  }
  const auto variable = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::filesystem::path{value == nullptr ? "" : value};
  };
  // The specification of XDG has relative paths ignored.
  if (const std::filesystem::path cache = variable("XDG_CACHE_HOME"); cache.is_absolute()) {
    folders.cache = cache / "pantile";
  } else if (const std::filesystem::path home = variable("HOME"); home.is_absolute()) {
    folders.cache = home / ".cache" / "pantile";
  }
  return folders;
}

std::vector<Calibration> known_calibrations(const CalibrationFolders& folders, const Hash128& model) {
  std::vector<Calibration> known;
  for (const std::filesystem::path& folder : {folders.run, folders.cache}) {
    if (folder.empty()) {
      continue;
    }
    for (const std::filesystem::path& file : files_of(folder, model)) {
      std::optional<Calibration> one = read_calibration(file);
      if (one && std::none_of(known.begin(), known.end(), [&](const auto& other) { return other.key == one->key; })) {
        known.push_back(*std::move(one));
      }
    }
  }
  return known;
}

bool keep_calibration(const CalibrationFolders& folders, const Calibration& calibration) {
  if (!calibration.footprint.known() || calibration.is_cut_short) {
    return false;
  }
  if (!folders.run.empty()) {
    write_calibration(folders.run, calibration);
  }
  if (folders.cache.empty()) {
    return false;
  }
  Calibration without_bounds = calibration;
  Footprint::Parts parts = calibration.footprint.parts();
  parts.bounds.clear();
  without_bounds.footprint = Footprint{std::move(parts)};
  return write_calibration(folders.cache, without_bounds);
}

std::string file_name(const CalibrationKey& key) {
  return fmt::format("{}-{}-{}-{}.json", to_string(key.model), slug(key.precision), slug(key.device_class),
                     slug(key.engine));
}

std::string to_text(const Calibration& calibration) {
  const Footprint::Parts& parts = calibration.footprint.parts();
  Json bounds = Json::array();
  for (const Footprint::Bound& bound : parts.bounds) {
    bounds.push_back({{"height", bound.input.height},
                      {"width", bound.input.width},
                      {"batch", bound.batch},
                      {"cap_bytes", bound.cap_bytes}});
  }
  const Json record{{"model", to_string(calibration.key.model)},
                    {"precision", calibration.key.precision},
                    {"device_class", calibration.key.device_class},
                    {"engine", calibration.key.engine},
                    {"weights_bytes", calibration.weights_bytes},
                    {"probes", to_json(calibration.probes)},
                    {"footprint",
                     {{"pattern", parts.pattern ? to_json(*parts.pattern) : Json(nullptr)},
                      {"samples", to_json(parts.samples)},
                      {"bounds", std::move(bounds)},
                      {"raise", parts.raise}}}};
  return Json{{"format", format}, {"xxh3", sum_of(record)}, {"calibration", record}}.dump() + '\n';
}

std::optional<Calibration> parse_calibration(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    const Json& record = json.at("calibration");
    const std::optional<Hash128> model = parse_hash128(record.at("model").get<std::string>());
    if (json.at("format") != format || json.at("xxh3") != sum_of(record) || !model) {
      return std::nullopt;
    }
    return Calibration{.key = {.model = *model,
                               .precision = record.at("precision"),
                               .device_class = record.at("device_class"),
                               .engine = record.at("engine")},
                       .weights_bytes = record.at("weights_bytes"),
                       .probes = samples_of(record.at("probes")),
                       .footprint = footprint_of(record.at("footprint")),
                       .is_cut_short = false};
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

}  // namespace pantile
