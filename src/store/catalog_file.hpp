#pragma once
// catalog.h5: the catalog of a run, one 1-D column per fact. Written once, atomically. HDF5 thread only.

#include <filesystem>

#include "source/catalog.hpp"

namespace pantile {

/// Writes the file beside its place, syncs and renames it: it is there whole, or not at all. Throws Error.
void write_catalog(const std::filesystem::path& path, const Catalog& catalog);

/// Reads it back, equal in every fact. Throws Error if it is missing, damaged (a digest over all columns is checked),
/// not a catalog, or of a newer format.
[[nodiscard]] Catalog read_catalog(const std::filesystem::path& path);

}  // namespace pantile
