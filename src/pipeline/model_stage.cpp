#include "pipeline/model_stage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <variant>

#include "base/byte_size.hpp"
#include "device/metered_buffer.hpp"

namespace pantile {

ModelStage::ModelStage(const Session& session, const ModelFacts& facts, StageOptions options)
    : session_{session}, facts_{facts}, options_{std::move(options)}, table_{options_.scaling} {
  expect(table_.channels() == facts_.input_channels, "there is a scaling for each channel of the model's input");
}

ModelStage::Attempt ModelStage::attempt(const ImagePart& image, const TileGrid& grid, std::size_t index,
                                        std::span<std::uint8_t> block, Rect block_rect) const {
  const Rect source = grid.source(index);
  try {
    const auto values = static_cast<std::size_t>(facts_.input_channels) * static_cast<std::size_t>(source.area());
    MeteredBuffer input{session_.meter(), values * sizeof(float)};
    gather_tile(image, source, gather_border(facts_.geometry, options_.border), options_.color, table_, input.floats());
    RunOutcome outcome = session_.run(input.floats(), facts_.input_channels, source.extent());
    if (std::holds_alternative<OutOfMemory>(outcome)) {
      return Refused{source.extent()};
    }
    if (const auto* const failure = std::get_if<EngineFailure>(&outcome)) {
      return Failure{Fault::model_failed, failure->text};
    }
    const Tensor& output = std::get<Tensor>(outcome);
    const Rect produced = grid.produced(index);
    if (output.extent() != produced.extent() || output.channels() != facts_.output_channels) {
      return Failure{Fault::model_failed,
                     fmt::format("the model made {} channels of {} from a tile of {}, but its graph promised {} of {}",
                                 output.channels(), to_string(output.extent()), to_string(source.extent()),
                                 facts_.output_channels, to_string(produced.extent()))};
    }
    scatter_tile(output.data(), output.channels(), produced, grid.owned(index), options_.output_scale, options_.color,
                 block, block_rect);
    return TileReport{.peak_bytes = output.peak_bytes(), .out_of_memory = {}, .tile = grid.tile()};
  } catch (const std::bad_alloc&) {
    return Refused{source.extent()};
  } catch (const Error& error) {
    return Failure{Fault::model_failed, error.what()};
  }
}

ModelStage::Attempt ModelStage::attempt_alone(const ImagePart& image, const TileGrid& grid, std::size_t index,
                                              std::span<std::uint8_t> block, Rect block_rect) const {
  const std::unique_lock lock{device_};
  return attempt(image, grid, index, block, block_rect);
}

Result<TileReport> ModelStage::run_tile(const ImagePart& image, const TileGrid& grid, std::size_t index,
                                        std::span<std::uint8_t> block, Rect block_rect) const {
  Attempt first = [&] {
    const std::shared_lock lock{device_};
    return attempt(image, grid, index, block, block_rect);
  }();
  if (auto* const failure = std::get_if<Failure>(&first)) {
    return *failure;
  }
  if (auto* const report = std::get_if<TileReport>(&first)) {
    return *report;
  }
  const Extent refused = std::get<Refused>(first).input;
  const int least = rounded_up(std::max(1, facts_.geometry.min_tile_px), facts_.geometry.alignment_px);
  const Extent smaller{std::max(least, grid.tile().height / 2), std::max(least, grid.tile().width / 2)};
  if (facts_.geometry.whole_only || (grid.tile().height <= least && grid.tile().width <= least)) {
    Attempt last = attempt_alone(image, grid, index, block, block_rect);
    if (auto* const report = std::get_if<TileReport>(&last)) {
      return *report;
    }
    if (auto* const failure = std::get_if<Failure>(&last)) {
      return *failure;
    }
    return Failure{Fault::does_not_fit,
                   fmt::format("{} ({} with halo) does not fit under the engine's {}",
                               facts_.geometry.whole_only ? "the whole image" : "the smallest tile", to_string(refused),
                               format_byte_size(session_.meter().cap()))};
  }
  // The same pixels by smaller tiles: the result does not depend on how it was cut.
  const TileGrid pieces{image.whole, facts_.geometry, options_.border, grid.owned(index), smaller};
  TileReport whole{.peak_bytes = 0, .out_of_memory = refused, .tile = pieces.tile()};
  for (std::size_t piece = 0; piece < pieces.size(); ++piece) {
    const Result<TileReport> done = run_tile(image, pieces, piece, block, block_rect);
    if (!done) {
      return done.failure();
    }
    whole.peak_bytes = std::max(whole.peak_bytes, done.value().peak_bytes);
    whole.tile = {std::min(whole.tile.height, done.value().tile.height),
                  std::min(whole.tile.width, done.value().tile.width)};
  }
  return whole;
}

}  // namespace pantile
