#pragma once
// What became of ranks that are gone, as mpirun tells it. Pure.

#include <optional>
#include <string>
#include <string_view>

namespace pantile {

struct Loss {
  std::optional<int> rank;
  std::string host;           ///< empty: not told
  std::optional<int> signal;  ///< that ended the rank
  bool whole_host = false;    ///< mpirun has lost the host itself
};

/// `talk`: what mpirun (Open MPI 4) said of itself.
[[nodiscard]] Loss read_loss(std::string_view talk);

/// "rank 2 on node3 was lost (signal 9, Killed)". `code`: mpirun's exit code.
[[nodiscard]] std::string to_string(const Loss& loss, int code);

}  // namespace pantile
