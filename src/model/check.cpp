#include "model/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <variant>

#include "base/error.hpp"
#include "image/tile_grid.hpp"
#include "model/detail/plain_model.hpp"
#include "model/session.hpp"

namespace pantile {

namespace {

using detail::PlainModel;
using detail::PlainOutput;

/// Pixels are changed by these: a little, and so much that nothing can hide it.
constexpr std::array<float, 3> changes{0.5F, 8.0F, -8.0F};
constexpr std::chrono::seconds patience{20};
constexpr int largest_side_px = 2048;
constexpr int longest_thin_px = 16;

std::string text_of(const Margin& margin) {
  const bool even = margin.top == margin.left && margin.top == margin.bottom && margin.top == margin.right;
  return even ? fmt::format("{} px", margin.top)
              : fmt::format("{} px above, {} left, {} below, {} right", margin.top, margin.left, margin.bottom,
                            margin.right);
}

Margin united(const Margin& a, const Margin& b) {
  return {std::max(a.top, b.top), std::max(a.left, b.left), std::max(a.bottom, b.bottom), std::max(a.right, b.right)};
}

bool is_within(const Margin& inner, const Margin& outer) { return united(inner, outer) == outer; }

/// Rows and columns of an output [.., height, width] that moved, and how many of its values.
struct Moved {
  Rect rect;
  std::uint64_t values = 0;
};
Moved moved(const PlainOutput& a, const PlainOutput& b) {
  const std::size_t rank = a.dims.size();
  const auto width = rank >= 1 ? static_cast<std::size_t>(a.dims[rank - 1]) : 1;
  const auto height = rank >= 2 ? static_cast<std::size_t>(a.dims[rank - 2]) : 1;
  Moved all;
  std::size_t top = SIZE_MAX;
  std::size_t left = SIZE_MAX;
  std::size_t bottom = 0;
  std::size_t right = 0;
  for (std::size_t at = 0; (at + 1) * a.element_bytes <= a.bytes.size(); ++at) {
    if (std::memcmp(a.bytes.data() + at * a.element_bytes, b.bytes.data() + at * a.element_bytes, a.element_bytes) !=
        0) {
      const std::size_t x = at % width;
      const std::size_t y = at / width % height;
      top = std::min(top, y);
      left = std::min(left, x);
      bottom = std::max(bottom, y + 1);
      right = std::max(right, x + 1);
      ++all.values;
    }
  }
  if (all.values > 0) {
    all.rect = {static_cast<int>(top), static_cast<int>(left), static_cast<int>(bottom - top),
                static_cast<int>(right - left)};
  }
  return all;
}

class Checker {
 public:
  Checker(const Engine& engine, std::span<const std::byte> bytes, const std::filesystem::path& folder,
          std::string_view name, const ModelReport& report, const Picture& picture)
      : engine_{engine},
        bytes_{bytes},
        folder_{report.weight_files.empty() ? std::filesystem::path{} : folder},
        name_{name},
        report_{report},
        facts_{report.facts},
        picture_{picture},
        model_{engine, bytes, name, folder_} {}

  ModelCheck check() && {
    try {
      perturb();
      if (facts_.local && !report_.unfit) {
        compare_tiles();
      }
      if (!report_.unfit) {
        measure_memory();
      }
    } catch (const Error& error) {  // sizes of image that the analysis holds for possible
      say(false, "run", fmt::format("the engine cannot run it: {}", error.what()));
    }
    return std::move(result_);
  }

 private:
  void say(bool ok, std::string what, std::string text) {
    result_.lines.push_back({ok, std::move(what), std::move(text)});
  }

  [[nodiscard]] int unit() const { return std::max(1, facts_.geometry.alignment_px); }

  /// Dimensions of the input as the model wants them.
  [[nodiscard]] std::vector<std::int64_t> input_dims(Extent extent) const {
    const bool last = facts_.channel_place == ChannelPlace::last;
    std::vector<std::int64_t> dims{1, last ? extent.height : facts_.input_channels, last ? extent.width : extent.height,
                                   last ? facts_.input_channels : extent.width};
    if (facts_.inputs.front().dims.size() == 3) {
      dims.erase(dims.begin());
    }
    return dims;
  }

  [[nodiscard]] std::size_t place(Extent extent, int channel, int y, int x) const {
    const auto [h, w, c] = std::array{extent.height, extent.width, facts_.input_channels};
    const bool last = facts_.channel_place == ChannelPlace::last;
    return static_cast<std::size_t>(last ? (std::int64_t{y} * w + x) * c + channel
                                         : (std::int64_t{channel} * h + y) * w + x);
  }

  [[nodiscard]] std::vector<float> image(Extent extent) const {
    const std::vector<float> planes = picture_(facts_.input_channels, extent);
    std::vector<float> laid(planes.size());
    std::size_t from = 0;
    for (int channel = 0; channel < facts_.input_channels; ++channel) {
      for (int y = 0; y < extent.height; ++y) {
        for (int x = 0; x < extent.width; ++x) {
          laid[place(extent, channel, y, x)] = planes[from++];
        }
      }
    }
    return laid;
  }

  [[nodiscard]] Extent perturbed_extent() const {
    if (!facts_.fixed.empty()) {
      return facts_.fixed;
    }
    int halo = 0;
    for (const OutputFacts& output : report_.outputs) {
      halo = std::max({halo, output.halo.top, output.halo.left, output.halo.bottom, output.halo.right});
    }
    const int wanted = facts_.local ? 2 * halo + 2 * unit() + 24 : std::max(224, 4 * unit());
    const int side = rounded_up(std::min(wanted, largest_side_px), unit());
    return {side, side + unit()};
  }

  /// Changes pixels on a diagonal, one of each phase of the alignment, and unites what moved.
  void perturb() {
    const Extent extent = perturbed_extent();
    const auto dims = input_dims(extent);
    std::vector<float> pixels = image(extent);
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<PlainOutput> before = model_.run(pixels, dims);
    std::vector<Moved> far(before.size());
    std::vector<std::optional<Margin>> reach(before.size());
    std::vector<std::uint64_t> most(before.size(), 0);
    const int y0 = extent.height / 2 / unit() * unit();
    const int x0 = extent.width / 2 / unit() * unit();
    // What is not local is asked at a few places: one pixel may mean nothing to it.
    const int phases = facts_.local ? unit() : 4;
    const int step = facts_.local ? 1 : std::max(1, std::min(extent.height, extent.width) / 11);
    for (int phase = 0; phase < phases; ++phase) {
      for (const float change : changes) {
        if (std::chrono::steady_clock::now() - begin > patience && phase > 0) {
          break;
        }
        const int y = y0 + phase * step;
        const int x = x0 + phase * step;
        std::vector<float> changed = pixels;
        for (int channel = 0; channel < facts_.input_channels; ++channel) {
          changed[place(extent, channel, y, x)] += change;
        }
        const std::vector<PlainOutput> after = model_.run(changed, dims);
        for (std::size_t at = 0; at < before.size(); ++at) {
          const Moved now = moved(before[at], after[at]);
          most[at] = std::max(most[at], now.values);
          if (now.values > 0 && report_.outputs[at].up > 0) {
            const Margin seen = margin_of(report_.outputs[at], now.rect, y, x);
            reach[at] = reach[at] ? united(*reach[at], seen) : seen;
          }
        }
      }
    }
    for (std::size_t at = 0; at < before.size(); ++at) {
      report_reach(at, reach[at], most[at], before[at]);
    }
  }

  /// What the changed pixel is to the output pixels that moved: as far as they saw.
  static Margin margin_of(const OutputFacts& output, const Rect& rect, int y, int x) {
    const auto own = [&](int at, int shift) { return at * output.down / output.up + shift; };
    return {.top = std::max(0, own(rect.bottom() - 1, output.shift_y) - y),
            .left = std::max(0, own(rect.right() - 1, output.shift_x) - x),
            .bottom = std::max(0, y - own(rect.y, output.shift_y)),
            .right = std::max(0, x - own(rect.x, output.shift_x))};
  }

  void report_reach(std::size_t at, const std::optional<Margin>& reach, std::uint64_t most, const PlainOutput& output) {
    const OutputFacts& facts = report_.outputs[at];
    const std::uint64_t all = output.bytes.size() / output.element_bytes;
    if (!reach) {
      say(most > 0 || !facts_.local, "reach",
          fmt::format("one pixel moves {} of the {} values of '{}'{}", most, all, facts.name,
                      most > 0 ? "" : ": they hide whatever is changed in this picture; try --image FILE"));
      result_.moves_far = result_.moves_far || most > 0;
      return;
    }
    if (at == 0) {
      result_.measured_halo = reach;
    }
    const bool within = is_within(*reach, facts.halo);
    result_.moves_far = result_.moves_far || !within;
    if (!facts_.local) {
      say(true, "reach",
          fmt::format("'{}' is not local by its graph; one pixel moves {} of {} values, up to {} away{}", facts.name,
                      most, all, text_of(*reach), within ? ", no further than its local part sees" : ""));
    } else if (*reach == facts.halo) {
      say(true, "halo", fmt::format("'{}' sees {}, as its graph says", facts.name, text_of(*reach)));
    } else if (within) {
      say(true, "halo",
          fmt::format("'{}' sees {}, its graph says {}: the weights hide the rest", facts.name, text_of(*reach),
                      text_of(facts.halo)));
    } else {
      say(false, "halo",
          fmt::format("'{}' sees {}, and its graph says {}: the analysis is wrong about this model", facts.name,
                      text_of(*reach), text_of(facts.halo)));
    }
  }

  // ---- tiles --------------------------------------------------------------------------------------

  [[nodiscard]] std::vector<float> part(const std::vector<float>& planes, Extent extent, const Rect& rect) const {
    std::vector<float> cut;
    cut.reserve(static_cast<std::size_t>(rect.area() * facts_.input_channels));
    for (int channel = 0; channel < facts_.input_channels; ++channel) {
      for (int y = rect.y; y < rect.bottom(); ++y) {
        const auto row = planes.begin() + static_cast<std::ptrdiff_t>(place(extent, channel, y, rect.x));
        cut.insert(cut.end(), row, row + rect.width);
      }
    }
    return cut;
  }

  /// Values of tile `index` that differ from the whole.
  [[nodiscard]] std::uint64_t differing(const TileGrid& grid, std::size_t index, const std::vector<float>& pixels,
                                        Extent extent, const PlainOutput& whole) const {
    const Rect source = grid.source(index);
    PlainOutput tile;
    try {
      tile = model_.run(part(pixels, extent, source), input_dims(source.extent())).front();
    } catch (const Error&) {  // the engine refuses what the analysis lets pass
      return static_cast<std::uint64_t>(grid.owned(index).area());
    }
    const Rect produced = grid.produced(index);
    const Rect owned = grid.owned(index);
    if (tile.dims[2] != produced.height || tile.dims[3] != produced.width) {
      return static_cast<std::uint64_t>(owned.area());
    }
    const auto offset = [](const PlainOutput& from, std::int64_t channel, std::int64_t y, std::int64_t x) {
      return static_cast<std::size_t>((channel * from.dims[2] + y) * from.dims[3] + x) * sizeof(float);
    };
    std::uint64_t count = 0;
    for (std::int64_t channel = 0; channel < tile.dims[1]; ++channel) {
      for (int y = owned.y; y < owned.bottom(); ++y) {
        for (int x = owned.x; x < owned.right(); ++x) {
          count += std::memcmp(tile.bytes.data() + offset(tile, channel, y - produced.y, x - produced.x),
                               whole.bytes.data() + offset(whole, channel, y, x), sizeof(float)) == 0
                       ? 0
                       : 1;
        }
      }
    }
    return count;
  }

  /// Whether tiles of this core give the bits of the whole: the corners, and some between.
  [[nodiscard]] bool equals(Extent core, const std::vector<float>& pixels, Extent extent,
                            const PlainOutput& whole) const {
    TileGeometry geometry = facts_.geometry;
    geometry.min_tile_px = 1;
    const Extent output{static_cast<int>(whole.dims[2]), static_cast<int>(whole.dims[3])};
    const TileGrid grid{extent, geometry, Border::none, pantile::whole(output), core};
    const std::size_t step = std::max<std::size_t>(1, grid.size() / 4);
    for (std::size_t index = 0; index < grid.size(); index += step) {
      if (differing(grid, index, pixels, extent, whole) > 0) {
        return false;
      }
    }
    return differing(grid, grid.size() - 1, pixels, extent, whole) == 0;
  }

  void compare_tiles() {
    const Margin& halo = facts_.geometry.halo;
    const int reach = std::max({halo.top, halo.left, halo.bottom, halo.right});
    const int side = rounded_up(std::min(2 * reach + 144, largest_side_px), unit());
    const Extent extent{side, side + unit()};
    const std::vector<float> pixels = image(extent);
    const PlainOutput whole = model_.run(pixels, input_dims(extent)).front();
    const Extent promised = output_extent(facts_.geometry, Border::none, extent);
    if (whole.dims.size() != 4 || whole.dims[2] != promised.height || whole.dims[3] != promised.width) {
      say(false, "tiles",
          fmt::format("an image of {} becomes [{}], and its graph says {}: the analysis is wrong about "
                      "this model",
                      to_string(extent), fmt::join(whole.dims, ", "), to_string(promised)));
      return;
    }
    std::vector<int> sizes;
    for (int px = 1; px < 40; ++px) {
      sizes.push_back(rounded_up(px, unit()));
    }
    for (const int px : {48, 64, 96, 128}) {
      sizes.push_back(rounded_up(px, unit()));
    }
    sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
    int smallest = sizes.front();
    int largest_unequal = 0;
    for (const int px : sizes) {
      std::vector<Extent> cores{{px, px}};
      if (px <= longest_thin_px) {  // thin tiles too: kernels are chosen by the product of both sides
        cores.insert(cores.end(), {{px, sizes.back()}, {sizes.back(), px}});
      }
      if (!std::all_of(cores.begin(), cores.end(), [&](Extent core) { return equals(core, pixels, extent, whole); })) {
        largest_unequal = px;
      }
    }
    const auto next = std::upper_bound(sizes.begin(), sizes.end(), largest_unequal);
    const int least = facts_.geometry.min_tile_px;
    if (next == sizes.end()) {
      say(false, "tiles",
          fmt::format("tiles of all sizes up to {} px differ from the whole image on this CPU", sizes.back()));
      return;
    }
    smallest = *next;
    result_.min_tile_px = smallest;
    say(largest_unequal < rounded_up(least, unit()), "tiles",
        largest_unequal == 0
            ? fmt::format("tiles of {} to {} px equal the whole image bit by bit", sizes.front(), sizes.back())
            : fmt::format("tiles of {} px and more equal the whole image bit by bit on this CPU; the largest that "
                          "differs has {} px. `run` uses {} px and more",
                          smallest, largest_unequal, rounded_up(least, unit())));
  }

  void measure_memory() {
    Meter meter;
    SlabPool slabs{meter};
    const Session session{engine_, slabs, bytes_, name_, folder_};
    const int side = rounded_up(256, unit());
    const std::vector<float> pixels = image({side, side});
    const RunOutcome outcome = session.run(pixels, facts_.input_channels, {side, side});
    if (const auto* output = std::get_if<Tensor>(&outcome)) {
      result_.bytes_per_px = static_cast<double>(output->peak_bytes()) / (static_cast<double>(side) * side);
      say(true, "memory",
          fmt::format("{:.0f} bytes a pixel at once; {:.0f} by the graph's shapes", *result_.bytes_per_px,
                      report_.bytes_per_px));
    } else if (const auto* failure = std::get_if<EngineFailure>(&outcome)) {
      say(false, "memory", failure->text);
    }
  }

  const Engine& engine_;
  std::span<const std::byte> bytes_;
  std::filesystem::path folder_;
  std::string name_;
  const ModelReport& report_;
  const ModelFacts& facts_;
  const Picture& picture_;
  PlainModel model_;
  ModelCheck result_;
};

}  // namespace

bool ModelCheck::ok() const noexcept {
  return std::all_of(lines.begin(), lines.end(), [](const CheckLine& line) { return line.ok; });
}

ModelCheck check_model(const Engine& engine, std::span<const std::byte> model, const std::filesystem::path& folder,
                       std::string_view name, const ModelReport& report, const Picture& picture) {
  if (report.facts.channel_place == ChannelPlace::none || report.facts.inputs.size() != 1 ||
      report.facts.input_channels < 1 || report.facts.inputs.front().type != "float32") {
    throw UsageError{
        fmt::format("{} cannot be checked: a model with one image of float32 as its only input can.", name)};
  }
  return Checker{engine, model, folder, name, report, picture}.check();
}

}  // namespace pantile
