#pragma once
// Where calibrations are kept: in the cache folder of the user, for all runs, and in the run's own folder, so that a
// resume on another node or by another user starts with the same. They only save time: a file that is not there, or
// cannot be read or written, is no error, and no result depends on it.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "device/calibration.hpp"

namespace pantile {

struct CalibrationFolders {
  std::filesystem::path run;    ///< asked first; empty: none
  std::filesystem::path cache;  ///< empty: none
};
/// The run's, if there is one, and $XDG_CACHE_HOME/pantile, else ~/.cache/pantile.
[[nodiscard]] CalibrationFolders calibration_folders(const std::filesystem::path& run_root = {});

/// All that is known of a model, on any device with any engine; the run's before the cache's.
[[nodiscard]] std::vector<Calibration> known_calibrations(const CalibrationFolders& folders, const Hash128& model);

/// Writes it into both folders, with the runs that others have kept there and that taught something; one that is not
/// known, or cut short, is not kept. The cache does not get its bounds: they are those of this run's cap. True if it is
/// in the cache now.
bool keep_calibration(const CalibrationFolders& folders, const Calibration& calibration);

/// The name of its file, made of its key.
[[nodiscard]] std::string file_name(const CalibrationKey& key);
/// The text of its file, and back; nothing if it is torn, foreign, or of another version.
[[nodiscard]] std::string to_text(const Calibration& calibration);
[[nodiscard]] std::optional<Calibration> parse_calibration(std::string_view text);

}  // namespace pantile
