#pragma once
// Folders of image files to a catalog.

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "source/catalog.hpp"

namespace pantile {

/// One entry of the config's `input`. Globs (source/glob.hpp) are matched against the path relative to `path`.
struct InputSpec {
  std::filesystem::path path{};        ///< a folder, or a single file
  std::vector<std::string> include{};  ///< any of them; empty: *.png, *.jpg, *.jpeg in any case, at any depth
  std::vector<std::string> exclude{};  ///< wins over include; one that matches a folder leaves out all of it
};

/// The folders that the inputs' items lie in, in the order of the inputs: Catalog::roots() of a catalog of them. Throws
/// UsageError if an input is not there.
[[nodiscard]] std::vector<std::filesystem::path> input_roots(std::span<const InputSpec> inputs);

/// Lists the inputs and reads the header of every file on `threads` threads (≥ 1).
///
/// Item ids follow the order of the inputs, then the bytes of the relative paths: the same on every machine. Hidden
/// files and folders (.name) are left out. Links are followed; a folder that links reach more than once is listed once,
/// under its own path if that lies in the input, else under the link whose path sorts first. A file whose header cannot
/// be read is an item with a Fault. Throws UsageError if an input does not exist, a glob makes no sense, a file name is
/// not UTF-8, or no file is found at all; Error if a folder cannot be read.
[[nodiscard]] Catalog build_catalog(std::span<const InputSpec> inputs, int threads);

}  // namespace pantile
