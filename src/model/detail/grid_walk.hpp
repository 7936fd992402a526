#pragma once
// Follows the pixels through a graph, node by node.

#include <optional>
#include <string>
#include <vector>

#include "model/detail/axis_map.hpp"
#include "model/detail/graph.hpp"
#include "model/detail/shapes.hpp"
#include "model/facts.hpp"

namespace pantile::detail {

/// What one dimension of a tensor is. A phase is what a split of the rows or columns by a number leaves over: of rows
/// [H] reshaped to [H / 2, 2] the 2.
struct Atom {
  enum class Kind : std::uint8_t { batch, channels, row, column, row_phase, column_phase };
  Kind kind = Kind::batch;
  std::int64_t count = 1;  ///< of all but rows and columns
  bool operator==(const Atom&) const = default;
};
using Layout = std::vector<Atom>;

/// A tensor whose pixels see windows of the image.
struct Grid {
  AxisMap y;
  AxisMap x;
  std::int64_t channels = 0;
  Layout layout;         ///< empty: [batch, channels, row, column], which most tensors are
  int row_split = 1;     ///< the rows are those of y in groups of this many, of which the layout has the phases apart
  int column_split = 1;  ///< the same of columns
};
[[nodiscard]] Layout layout_of(const Grid& grid);

/// What became of the pixels.
struct Walk {
  /// One for each output of the graph; nothing where it could not be followed to the end.
  std::vector<std::optional<Grid>> outputs;
  std::vector<LayerCost> layers;
  int least_px = 1;           ///< sides of an image that the layers can work on
  std::string why_not_local;  ///< empty if every output pixel of all that was followed depends on its window alone
};

/// Follows the pixels from the graph's images. Goes on behind what looks at the whole image, as if it did not.
[[nodiscard]] Walk walk(const Graph& graph, const Shapes& shapes);

}  // namespace pantile::detail
