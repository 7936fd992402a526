#pragma once
// What happens to one tile on a device: gather the pixels, run the model, scatter the result into its block.

#include <atomic>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "image/image.hpp"
#include "image/pixels.hpp"
#include "image/tile_grid.hpp"
#include "model/facts.hpp"
#include "model/session.hpp"

namespace pantile {

/// How pixels enter the model and leave it. Result-affecting, all of it.
struct StageOptions {
  ColorMode color = ColorMode::rgb;
  Border border = Border::replicate;
  std::vector<ChannelScaling> scaling;  ///< one per channel of the model's input
  float output_scale = 255;
};

/// What one tile cost.
struct TileReport {
  std::uint64_t peak_bytes = 0;         ///< engine memory of the largest run
  Extent input{};                       ///< what the model was shown in that run
  std::optional<Extent> out_of_memory;  ///< input extent that the cap refused; the tile was then made of smaller ones
  Extent tile;                          ///< core input pixels of what was run in the end
};

/// A model with its pixel rules, shared by all lanes of a device. Thread safe.
class ModelStage {
 public:
  /// `session` must outlive the stage. Precondition: facts.makes_image; where facts are not
  /// local, either geometry.whole_only is set or the results may differ from tile to tile.
  ModelStage(const Session& session, const ModelFacts& facts, StageOptions options);

  [[nodiscard]] const TileGeometry& geometry() const noexcept { return facts_.geometry; }
  [[nodiscard]] Border border() const noexcept { return options_.border; }
  [[nodiscard]] int output_channels() const noexcept { return facts_.output_channels; }

  /// Makes tile `index` of `grid` and writes the pixels it owns into `block` (u8, interleaved, of block_rect).
  /// Out of memory costs a retry with smaller tiles of the same pixels; only if the smallest tile does not fit alone on
  /// the device it is Fault::does_not_fit.
  [[nodiscard]] Result<TileReport> run_tile(const ImagePart& image, const TileGrid& grid, std::size_t index,
                                            std::span<std::uint8_t> block, Rect block_rect) const;

  /// Tiles whose core is larger, input pixels, are made of smaller ones from now on, and nobody calls that out of
  /// memory. Any thread.
  void set_largest_tile(Extent core) noexcept { largest_tile_ = core; }

 private:
  struct Refused {
    Extent input;
  };
  using Attempt = std::variant<TileReport, Refused, Failure>;
  [[nodiscard]] Attempt attempt(const ImagePart& image, const TileGrid& grid, std::size_t index,
                                std::span<std::uint8_t> block, Rect block_rect) const;
  [[nodiscard]] Attempt attempt_alone(const ImagePart& image, const TileGrid& grid, std::size_t index,
                                      std::span<std::uint8_t> block, Rect block_rect) const;
  [[nodiscard]] Result<TileReport> run_pieces(const ImagePart& image, const TileGrid& pieces,
                                              std::span<std::uint8_t> block, Rect block_rect) const;
  [[nodiscard]] TileGrid cut_smaller(const ImagePart& image, const TileGrid& grid, std::size_t index,
                                     Extent core) const;

  const Session& session_;
  ModelFacts facts_;
  StageOptions options_;
  InputTable table_;
  std::atomic<Extent> largest_tile_{Extent{std::numeric_limits<int>::max(), std::numeric_limits<int>::max()}};
  /// Runs hold it shared; one that found no memory even for the smallest tile tries once more with the device to
  /// itself.
  mutable std::shared_mutex device_;
};

}  // namespace pantile
