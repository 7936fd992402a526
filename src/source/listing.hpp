#pragma once
// Behind inputs.hpp: what files there are, before anyone looks into them.

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "source/name_list.hpp"

namespace pantile::detail {

/// Asked with paths relative to the folder listed.
struct Wishes {
  std::function<bool(std::string_view path)> wants_file;
  std::function<bool(std::string_view path)> wants_folder;  ///< false leaves out all below it
};

/// Paths of the regular files below `root`, relative to it, sorted by their bytes. Hidden names are left out. Links are
/// followed as inputs.hpp says. Throws Error if a folder cannot be read.
[[nodiscard]] NameList list_files(const std::filesystem::path& root, const Wishes& wishes);

}  // namespace pantile::detail
