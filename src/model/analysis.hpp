#pragma once
// Reads an ONNX graph, without running it: is it local, and how do its input pixels map to its output pixels?
//
// Local means: an output pixel depends on a window of input pixels of one size, wherever it is. Only then may an image
// be cut into tiles and give the same bits. Whoever is not proven local here is not local, and says which node is why.

#include <cstddef>
#include <span>
#include <string_view>

#include "model/facts.hpp"

namespace pantile {

/// The engine picks other kernels, which sum in another order, for few pixels: upconv7 rounds differently where a tile
/// has (height + 2) × (width + 2) ≤ 64 core pixels on an AVX-512 EPYC (7 × 7 is equal), and below 11 px a side on a
/// Xeon. With 32 a side, tiles of images that are only a few pixels wide are beyond that too. Smaller tiles would save
/// no memory worth having: 2.4 MiB of upconv7 for a tile of 32.
inline constexpr int default_min_tile_px = 32;

/// `name` is for messages only. Throws UsageError, which tells what to do, if the bytes are no ONNX model, or one that
/// this version cannot feed: not exactly one input [N, C, H, W] of float32 with free H and W, more than one output,
/// weights in other files.
///
/// For a valid model the output on a region of h × w covers scale × (that region shrunk by `halo`). Where the shrinkage
/// is odd (even kernels), an output pixel belongs to the upper left of its two middle pixels.
[[nodiscard]] ModelFacts analyse(std::span<const std::byte> model, std::string_view name);

}  // namespace pantile
