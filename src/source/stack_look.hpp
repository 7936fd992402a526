#pragma once
// A first look at a stack of anybody's. HDF5 has crashed on damaged files, and the ranks must not.

#include <filesystem>
#include <string>

#include "source/stack.hpp"

namespace pantile::detail {

/// The facts of a stack, found out by a process of its own: if HDF5 ends or hangs over the file, that process does.
/// Rows are read by executors, which may end. Throws as Stack does, and UsageError if that process ended. Call it while
/// no other thread of this process is within HDF5.
[[nodiscard]] StackFacts look_apart(const std::filesystem::path& file, const std::string& dataset);

}  // namespace pantile::detail
