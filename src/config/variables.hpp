#pragma once
// `${NAME}` in the values of a file. The text is YAML first: what a variable holds becomes part of one value, and can
// never add a key, a list or a line.

#include <set>
#include <string>
#include <vector>

#include "config/document.hpp"
#include "config/load.hpp"

namespace pantile {

/// In every value below `node`: the variable for `${NAME}`, it or the default for `${NAME:-default}` (also where it is
/// empty, as in a shell), a dollar for `$$`. Any other `$` is a mistake, a variable that is not set and has no default
/// too. Adds the names to `used`. A value in quotes with a variable counts as one without.
void expand_variables(ConfigNode& node, const Environment& environment, std::set<std::string>& used,
                      std::vector<Diagnostic>& diagnostics);

}  // namespace pantile
