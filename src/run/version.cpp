#include "run/version.hpp"

namespace pantile {

std::string version_line() { return std::string{"pantile "} + PANTILE_VERSION + " (git " + PANTILE_GIT + ")"; }

}  // namespace pantile
