#pragma once
// Reads an ONNX graph, without running it: is it local, and how do its input pixels map to its output pixels?
//
// Local means: an output pixel depends on a window of input pixels of one size, wherever it is. Only then may an image
// be cut into tiles and give the same bits. Whoever is not proven local here is not local, and says which node is why.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/facts.hpp"

namespace pantile {

/// The engine picks other kernels, which sum in another order, for few pixels: upconv7 rounds differently where a tile
/// has (height + 2) × (width + 2) ≤ 64 core pixels on an AVX-512 EPYC (7 × 7 is equal), and below 11 px a side on a
/// Xeon. With 32 a side, tiles of images that are only a few pixels wide are beyond that too. Smaller tiles would save
/// no memory worth having: 2.4 MiB of upconv7 for a tile of 32.
inline constexpr int default_min_tile_px = 32;

/// Facts of any well-formed graph; `unfit()` tells whether it can be run. `name` is for messages only. `place`:
/// where weights in other files are; shapes may be computed with some of them. Throws UsageError, which tells what to
/// do, if the bytes are no ONNX model.
///
/// For a valid model the output on a region of h × w covers scale × (that region shrunk by `halo`). Where the shrinkage
/// is odd (even kernels), an output pixel belongs to the upper left of its two middle pixels. A model with an alignment
/// takes regions whose sides are multiples of it.
[[nodiscard]] ModelFacts analyse(std::span<const std::byte> model, std::string_view name, const ModelPlace& place = {});

/// Why this version cannot run the model as a stage that makes an image of an image: one sentence, and what to try.
/// Nothing if it can. What is not local can be run too, if the job allows how: see stage_setup.
[[nodiscard]] std::optional<std::string> unfit(const ModelFacts& facts, std::string_view name);

/// Of a model without its weight files: the limit of the format.
inline constexpr std::uint64_t largest_model_bytes = INT32_MAX;

/// A file beside the model that holds weights.
struct WeightFile {
  std::string location;        ///< as the model names it
  std::uint64_t bytes = 0;     ///< of it that the model uses
  bool is_there = false;       ///< and at least as long as the model thinks
  ModelPlace place;            ///< where it was found, with all others of the model
  std::filesystem::path real;  ///< what its name leads to, if it is there
};

/// The weight files of a model: in its folder or, if they are not all there and its name is a link, beside what that
/// leads to. Throws UsageError if one is named by a path, or is a link, that leads out of both.
[[nodiscard]] std::vector<WeightFile> weight_files(std::span<const std::byte> model, const ModelPlace& place,
                                                   std::string_view name);

/// A model as the engine takes it: its weights lie in `folder`, and no link leads out of that.
struct EngineModel {
  std::vector<std::byte> bytes;
  std::filesystem::path folder;
};
/// ONNX Runtime follows no link out of the folder that it is told. If one of `files` is such a link, the model with the
/// names of what they lead to, and the folder of those; else nothing. Precondition: all files are there.
[[nodiscard]] std::optional<EngineModel> with_links_followed(std::span<const std::byte> model,
                                                             const std::vector<WeightFile>& files,
                                                             std::string_view name);

/// A place in the order of nodes where few tensors cross.
struct ModelCut {
  std::uint64_t position = 0;  ///< nodes before it
  std::string node;            ///< the last node before it
  std::uint64_t tensors = 0;
  double bytes_per_px = 0;  ///< of all that cross, for each input pixel
  double work_before = 0;   ///< share of the multiply-adds
};

/// What one output is to the first image.
struct OutputFacts {
  std::string name;
  std::string scale;  ///< "2", "1/4", "2 × 1"; empty if it is not made of pixels
  int up = 0;         ///< the scale as up / down; 0 if it differs between the sides, or there is none
  int down = 1;
  Margin halo;      ///< input pixels that one of its pixels needs around its own
  int shift_y = 0;  ///< output pixel (0, 0) belongs to input pixel (shift_y, shift_x): valid models lose their edges
  int shift_x = 0;
  int alignment_px = 1;
};

/// All that can be told of a model. Figures for each input pixel are for `nominal`.
struct ModelReport {
  ModelFacts facts;
  std::optional<std::string> unfit;
  std::int64_t ir_version = 0;
  std::vector<std::pair<std::string, std::int64_t>> opsets;  ///< domain ("ai.onnx" is the standard one), version
  std::string producer;
  std::uint64_t nodes = 0;
  std::map<std::string, std::uint64_t> operators;
  std::uint64_t parameters = 0;
  std::vector<WeightFile> weight_files;
  std::vector<OutputFacts> outputs;
  Extent nominal;
  double macs_per_px = 0;
  double bytes_per_px = 0;            ///< activations that live at once, at most
  std::uint64_t unknown_tensors = 0;  ///< whose shape is not known, and which are missing in the two figures above
  std::vector<ModelCut> cuts;         ///< the best ones, in order of position
};

/// Like analyse(), and all the rest. `place`: where weights in other files are looked for.
[[nodiscard]] ModelReport examine(std::span<const std::byte> model, const ModelPlace& place, std::string_view name);

}  // namespace pantile
