#include "run/launcher_noise.hpp"

#include <algorithm>

namespace pantile {

bool LauncherNoise::hides(std::string_view line) {
  constexpr std::size_t frame_length = 40;
  const bool frame =
      line.size() >= frame_length && std::all_of(line.begin(), line.end(), [](char c) { return c == '-'; });
  if (frame) {
    framed_ = !framed_;
    return true;
  }
  // "[host:123] 2 more processes have sent help message …" and its kin come without a frame.
  return framed_ || line.starts_with("mpirun: Forwarding signal") ||
         (line.starts_with('[') &&
          (line.find("help message") != line.npos || line.find("orte_base_help_aggregate") != line.npos));
}

}  // namespace pantile
