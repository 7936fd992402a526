#pragma once
// Follows the pixels through a graph, node by node.

#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "model/detail/axis_map.hpp"
#include "model/detail/graph.hpp"
#include "model/facts.hpp"

namespace pantile::detail {

/// A tensor [N, channels, height, width] whose pixels see windows of the image.
struct Grid {
  AxisMap y;
  AxisMap x;
  std::int64_t channels = 0;
};

/// Why pixels cannot be followed through a node, in plain words that name it.
struct Obstacle {
  std::string text;
};

struct WalkResult {
  Grid output;
  std::vector<LayerCost> layers;
};

/// Follows the pixels from the graph's input, which has `channels`, to its first output.
[[nodiscard]] std::variant<WalkResult, Obstacle> walk(const Graph& graph, std::int64_t channels);

}  // namespace pantile::detail
