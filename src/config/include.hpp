#pragma once
// A job file and the files that it includes, as one tree.

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "config/document.hpp"
#include "config/load.hpp"

namespace pantile {

inline constexpr const char* include_key = "include";

struct JobText {
  std::string text;
  std::string display;           ///< what messages call it
  std::filesystem::path folder;  ///< absolute; relative paths count from here
  std::filesystem::path file;    ///< empty: the text does not come from a file
};

/// The tree of `job` over those of the files that its key `include` names, in their order, and so on. Maps are merged
/// key by key; a list or a value replaces what is below it. Variables are expanded; their names are added to `used`.
[[nodiscard]] ConfigNode read_tree(const JobText& job, const Overrides& overrides, std::set<std::string>& used,
                                   std::vector<Diagnostic>& diagnostics);

}  // namespace pantile
