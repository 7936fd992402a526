#pragma once
// Does a model do what its graph says? Measured on real pixels, with the engine and the CPU that are here.

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/extent.hpp"
#include "model/analysis.hpp"
#include "model/engine.hpp"

namespace pantile {

/// Planar floats from 0 to 1, [channels, height, width], of an extent of the checker's choice.
using Picture = std::function<std::vector<float>(int channels, Extent extent)>;

/// A picture with edges, gradients and noise, so that nothing in a network stays idle. The same on every machine.
[[nodiscard]] std::vector<float> textured_picture(int channels, Extent extent);

struct CheckLine {
  bool ok = true;
  std::string what;  ///< "halo", "tiles", "smallest tile" …
  std::string text;
};

struct ModelCheck {
  std::vector<CheckLine> lines;
  std::optional<int> min_tile_px;       ///< found; nothing if the model cannot be tiled
  std::optional<double> bytes_per_px;   ///< of engine memory, measured
  std::optional<Margin> measured_halo;  ///< of the first output
  bool moves_far = false;               ///< one pixel moved more than the halo allows for
  [[nodiscard]] bool ok() const noexcept;
};

/// - Changes single pixels, and sees which output pixels move: never more than the analysis says; just as many, unless
///   the weights hide some. Of a model that is not local: more, unless the weights hide it.
/// - A local model: runs tiles of many sizes, and compares them with the whole image bit by bit.
/// That the engine cannot run it is a line too. Throws UsageError if it cannot open the model.
[[nodiscard]] ModelCheck check_model(const Engine& engine, std::span<const std::byte> model,
                                     const std::filesystem::path& folder, std::string_view name,
                                     const ModelReport& report, const Picture& picture = textured_picture);

}  // namespace pantile
