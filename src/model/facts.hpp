#pragma once
// What the analysis of a graph tells, without running it. Plain data, so that the planner needs no engine.

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/extent.hpp"
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

/// An input or output of a graph, as the file describes it.
struct TensorFacts {
  std::string name;
  std::string type;               ///< "float32"; "?" if it is not told
  std::vector<std::string> dims;  ///< "3", or a name such as "H", or "?"
  bool has_rank = true;           ///< false: nothing is known of its dimensions
};

/// How the rows and columns of the model's first image lie in memory.
enum class ChannelPlace : std::uint8_t { first, last, none };

struct ModelFacts {
  std::vector<TensorFacts> inputs;  ///< without those that have a value of their own
  std::vector<TensorFacts> outputs;
  std::string input_name;  ///< of the first image, or the first input
  std::string output_name;
  ChannelPlace channel_place = ChannelPlace::none;  ///< of the first image; none: it takes no image
  int input_channels = 0;
  int output_channels = 0;
  Extent fixed;  ///< the one extent that it takes; empty: any
  bool local = false;
  std::string why_not_local;  ///< plain words, naming the node; empty if local
  /// The first output is an image of geometry.scale times the input (less the halo, if valid).
  bool makes_image = false;
  /// The geometry has the halo of all that is local; else it is good for whole images only.
  bool followed = false;
  TileGeometry geometry;  ///< meaningful if makes_image
  std::vector<LayerCost> layers;
  std::uint64_t weights_bytes = 0;
  std::vector<std::string> weight_files;  ///< beside the model, which hold weights; names as written in it
};

/// Where the files of a model are. Its name may be a link: caches of huggingface_hub keep all files of a model in one
/// folder, and have links to them in another.
struct ModelPlace {
  std::filesystem::path folder;  ///< of its name: where its weights are looked for
  std::filesystem::path real;    ///< of the file that the name leads to: links of weights may lead there too
  ModelPlace() = default;
  ModelPlace(std::filesystem::path both)
      : folder{both}, real{std::move(both)} {}  // NOLINT(google-explicit-constructor)
  ModelPlace(std::filesystem::path named, std::filesystem::path led) : folder{std::move(named)}, real{std::move(led)} {}
};
/// Of a model file.
[[nodiscard]] ModelPlace place_of(const std::filesystem::path& model);

}  // namespace pantile
