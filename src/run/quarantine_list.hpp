#pragma once

#include <filesystem>

#include "source/catalog.hpp"
#include "store/journal_state.hpp"

namespace pantile {

/// quarantine.csv for people and scripts: item, path, reason, attempts, detail (RFC 4180). Rendered from the journal,
/// never read back; replaced atomically. Without quarantined items there is no such file. Throws Error.
void write_quarantine_list(const std::filesystem::path& path, const Catalog& catalog, const JournalState& state);

}  // namespace pantile
