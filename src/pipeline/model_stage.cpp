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
    return TileReport{
        .peak_bytes = output.peak_bytes(), .input = source.extent(), .out_of_memory = {}, .tile = grid.tile()};
  } catch (const std::bad_alloc&) {
    return Refused{source.extent()};
  } catch (const Error& error) {
    return Failure{Fault::model_failed, error.what()};
  }
}

ModelStage::Attempt ModelStage::attempt_alone(const ImagePart& image, const TileGrid& grid, std::size_t index,
                                              std::span<std::uint8_t> block, Rect block_rect) const {
  const std::unique_lock lock{device_};
  session_.trim_idle();
  return attempt(image, grid, index, block, block_rect);
}

TileGrid ModelStage::cut_smaller(const ImagePart& image, const TileGrid& grid, std::size_t index, Extent core) const {
  const int least = rounded_up(std::max(1, facts_.geometry.min_tile_px), facts_.geometry.alignment_px);
  return {image.whole, facts_.geometry, options_.border, grid.owned(index),
          Extent{std::max(least, core.height), std::max(least, core.width)}};
}

/// The same pixels by smaller tiles: the result does not depend on how it was cut.
Result<TileReport> ModelStage::run_pieces(const ImagePart& image, const TileGrid& pieces, std::span<std::uint8_t> block,
                                          Rect block_rect) const {
  TileReport whole{.peak_bytes = 0, .input = {}, .out_of_memory = {}, .tile = pieces.tile()};
  for (std::size_t piece = 0; piece < pieces.size(); ++piece) {
    const Result<TileReport> done = run_tile(image, pieces, piece, block, block_rect);
    if (!done) {
      return done.failure();
    }
    const TileReport& report = done.value();
    if (report.peak_bytes > whole.peak_bytes) {
      whole.peak_bytes = report.peak_bytes;
      whole.input = report.input;
    }
    whole.tile = {std::min(whole.tile.height, report.tile.height), std::min(whole.tile.width, report.tile.width)};
    whole.out_of_memory = report.out_of_memory ? report.out_of_memory : whole.out_of_memory;
  }
  return whole;
}

Result<TileReport> ModelStage::run_tile(const ImagePart& image, const TileGrid& grid, std::size_t index,
                                        std::span<std::uint8_t> block, Rect block_rect) const {
  const Extent tile = grid.tile();
  const auto is_smaller = [&](Extent other) { return other.height < tile.height || other.width < tile.width; };
  const Extent largest = largest_tile_;
  if (!facts_.geometry.whole_only && is_smaller(largest)) {
    const TileGrid pieces =
        cut_smaller(image, grid, index, {std::min(tile.height, largest.height), std::min(tile.width, largest.width)});
    if (is_smaller(pieces.tile())) {  // else they are as small as they may be
      return run_pieces(image, pieces, block, block_rect);
    }
  }
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
  const TileGrid pieces = cut_smaller(image, grid, index, {tile.height / 2, tile.width / 2});
  if (facts_.geometry.whole_only || !is_smaller(pieces.tile())) {
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
  Result<TileReport> done = run_pieces(image, pieces, block, block_rect);
  if (done) {
    done.value().out_of_memory = refused;
  }
  return done;
}

}  // namespace pantile
