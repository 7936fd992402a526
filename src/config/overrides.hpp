#pragma once
// What goes over the files of a job. Values are YAML; a later one of the same key wins.

#include <set>
#include <string>
#include <vector>

#include "config/document.hpp"
#include "config/load.hpp"

namespace pantile {

/// Puts one "a.b=value" over the tree, making maps on the way. `order` counts the sets, from 1.
void apply_set(ConfigNode& root, const std::string& set, std::size_t order, std::vector<Diagnostic>& diagnostics);

/// The same for each variable PANTILE__A__B=value, in the order of their names, which are added to `used`. Capitals
/// count as small letters, and `_` stands for the `-` of an id.
void apply_variables(ConfigNode& root, const Environment& environment, std::set<std::string>& used,
                     std::vector<Diagnostic>& diagnostics);

}  // namespace pantile
