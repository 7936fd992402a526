#pragma once
// How much room a run needs on the disk of its output folder, and how much there is.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "run/job.hpp"

namespace pantile {

/// Of the shards that the work still to do will fill.
[[nodiscard]] std::uint64_t results_bytes(const Prospect& job);
/// What index.h5 and quarantine.csv take at most, and the journal beside them.
[[nodiscard]] std::uint64_t reserve_bytes(const Prospect& job);
/// Free space where the folder is or will be, if that can be told.
[[nodiscard]] std::optional<std::uint64_t> free_bytes_at(std::filesystem::path folder);
/// What to say before a run whose results will not fit; nothing if they will, or if nobody can tell.
[[nodiscard]] std::optional<std::string> space_warning(std::uint64_t needed, std::optional<std::uint64_t> free);

}  // namespace pantile
