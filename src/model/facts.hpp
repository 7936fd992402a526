#pragma once
// What the analysis of a graph tells, without running it. Plain data, so that the planner needs no engine.

#include <cstdint>
#include <string>
#include <vector>

#include "image/tile_geometry.hpp"

namespace pantile {

/// Work of one layer: multiply-adds = macs_per_px × area, where the layer's area for an input of h × w pixels is
/// (numerator·(h − shrink.height) / denominator) × (numerator·(w − shrink.width) / denominator).
struct LayerCost {
  double macs_per_px = 0;
  int numerator = 1;  ///< the layer has numerator/denominator pixels per input pixel along an axis
  int denominator = 1;
  Extent shrink;  ///< input pixels lost to valid convolutions so far
};

struct ModelFacts {
  std::string input_name;
  std::string output_name;
  int input_channels = 0;
  int output_channels = 0;
  bool local = false;
  std::string why_not_local;  ///< plain words, naming the node; empty if local
  TileGeometry geometry;      ///< meaningful if local
  std::vector<LayerCost> layers;
  std::uint64_t weights_bytes = 0;
};

}  // namespace pantile
