#pragma once
// What a graph costs, by its shapes: multiply-adds, the memory that lives at once, and where it is best cut.

#include <cstdint>
#include <vector>

#include "model/analysis.hpp"
#include "model/detail/graph.hpp"
#include "model/detail/shapes.hpp"

namespace pantile::detail {

struct Costs {
  double macs = 0;                    ///< for an image of the nominal extent
  double peak_bytes = 0;              ///< of tensors that live at once, the inputs included
  std::uint64_t unknown_tensors = 0;  ///< whose shape is not known: they count as nothing
  std::vector<ModelCut> cuts;
};
[[nodiscard]] Costs costs_of(const Graph& graph, const Shapes& shapes);

}  // namespace pantile::detail
