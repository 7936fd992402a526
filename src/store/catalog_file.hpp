#pragma once
// catalog.h5: the catalog of a run, one 1-D column per fact. HDF5 thread only.
//
// The file is never changed, only replaced by one that knows more: a resume may find new files (--rescan) or read a
// header that could not be read before. The journal says which catalog holds: each start names its digest. So a new one
// is first put beside the old, as catalog.h5.next; then the journal names it; then it takes the old one's place. A
// crash between any two of these leaves one catalog that the journal names.

#include <filesystem>

#include "base/disk.hpp"
#include "base/hash.hpp"
#include "source/catalog.hpp"
#include "store/format.hpp"

namespace pantile {

struct StoredCatalog {
  Catalog catalog;
  Hash128 first_digest;  ///< of the catalog that the run began with: the one in its identity
};

/// Writes the file beside its place, syncs and renames it: it is there whole, or not at all. `first_digest`: of the
/// catalog that the run began with; this one, if none is given. Throws Error.
void write_catalog(const std::filesystem::path& path, const Catalog& catalog);
void write_catalog(const std::filesystem::path& path, const Catalog& catalog, const Hash128& first_digest);

/// Reads it back, equal in every fact. Throws Error if it is missing, damaged (a digest over all columns is checked)
/// or not a catalog, ForeignFormat if it is of another version.
[[nodiscard]] StoredCatalog read_stored_catalog(const std::filesystem::path& path);
[[nodiscard]] Catalog read_catalog(const std::filesystem::path& path);

/// The catalog of a run by the word of its journal: catalog.h5, or catalog.h5.next if that is the one with `digest`.
/// If neither is, catalog.h5: the caller must look. Throws as read_catalog().
[[nodiscard]] StoredCatalog read_run_catalog(const RunLayout& layout, const Hash128& digest);
/// Puts catalog.h5.next in the place of catalog.h5 if it has `digest`, and removes it if not. Durable.
void adopt_next_catalog(const RunLayout& layout, const Hash128& digest, Disk& disk = real_disk());

}  // namespace pantile
