// An ONNX model: what the analysis tells of it is told again, and images can be cut as it says.

#include <numeric>
#include <optional>
#include <string>

#include "fuzz/fuzz.hpp"
#include "image/tile_grid.hpp"
#include "model/analysis.hpp"

namespace {

using namespace pantile;

/// No file is there, so that none is read.
const std::filesystem::path folder = "/nowhere/models";

void expect_tiles(const TileGeometry& geometry, Border border, Extent image, Extent core) {
  const Extent output = output_extent(geometry, border, image);
  if (output.empty()) {
    return;
  }
  const Rect target{0, 0, std::min(output.height, 2048), std::min(output.width, 2048)};
  const TileGrid grid{image, geometry, border, target, core};
  expect(grid.size() > 0, "a target has tiles");
  std::int64_t owned = 0;
  const std::size_t some = std::min<std::size_t>(grid.size(), 5'000);
  for (std::size_t at = 0; at < some; ++at) {
    const Rect mine = grid.owned(at);
    expect(!mine.empty() && target.contains(mine) && grid.produced(at).contains(mine), "a tile owns what it makes");
    owned += mine.extent().area();
  }
  expect(some < grid.size() || owned == target.extent().area(), "tiles cover their target once");
}

void expect_sense(const ModelFacts& facts) {
  expect(facts.local == (facts.why_not_local.empty() && facts.followed), "what is not local has a reason");
  if (!facts.makes_image) {
    return;
  }
  const TileGeometry& geometry = facts.geometry;
  expect(geometry.scale >= 1 && geometry.alignment_px >= 1 && geometry.min_tile_px >= 1, "a geometry has sizes");
  if (unfit(facts, "fuzz")) {
    return;
  }
  for (const Extent image : {Extent{1, 1}, Extent{40, 33}, Extent{700, 1300}}) {
    for (const Border border : {Border::none, Border::replicate}) {
      expect_tiles(geometry, border, image, {64, 96});
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = fuzz::bytes_of(data, size);
  std::optional<ModelFacts> facts;
  try {
    facts = analyse(bytes, "fuzz", folder);
  } catch (const UsageError&) {
    return 0;
  }
  expect_sense(*facts);
  try {
    for (const WeightFile& file : weight_files(bytes, folder, "fuzz")) {
      expect(!file.is_there, "no file is there");
    }
    const ModelReport report = examine(bytes, folder, "fuzz");
    expect(report.facts.local == facts->local && report.facts.why_not_local == facts->why_not_local &&
               report.facts.makes_image == facts->makes_image,
           "a model is told the same twice");
  } catch (const UsageError&) {
    return 0;  // Weights that lie elsewhere.
  }
  return 0;
}
