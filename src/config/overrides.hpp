#pragma once
// What goes over the files of a job.

#include <string>
#include <vector>

#include "config/document.hpp"

namespace pantile {

/// Puts one "a.b=value" over the tree, making maps on the way. `order` counts the sets, from 1.
void apply_set(ConfigNode& root, const std::string& set, std::size_t order, std::vector<Diagnostic>& diagnostics);

}  // namespace pantile
