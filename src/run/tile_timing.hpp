#pragma once

#include <chrono>

#include "base/extent.hpp"
#include "pipeline/model_stage.hpp"

namespace pantile {

/// How many tiles of this core so many lanes make in a second, all at work at once, for at least `least` and a tile
/// each. The tiles are from the middle of an image: with their whole halo. 0 if they cannot be made. Blocks.
[[nodiscard]] double tiles_per_s(const ModelStage& stage, Extent core, int lanes, std::chrono::milliseconds least);

/// Input pixels of such a tile, halo included.
[[nodiscard]] Extent timed_source(const TileGeometry& geometry, Border border, Extent core);

}  // namespace pantile
