#include "run/tile_timing.hpp"

#include <atomic>
#include <barrier>
#include <thread>
#include <vector>

#include "image/image.hpp"

namespace pantile {
namespace {

/// An image with one core in its middle and the halo around it, and the output pixels of that core.
struct Sample {
  Extent image;
  Rect target;
};

Sample sample_of(const TileGeometry& geometry, Border border, Extent core) {
  const Margin& halo = geometry.halo;
  const Extent image{core.height + halo.vertical(), core.width + halo.horizontal()};
  const bool shrinks = geometry.padding == Padding::valid && border == Border::none;
  const int top = shrinks ? 0 : halo.top;
  const int left = shrinks ? 0 : halo.left;
  return {image,
          Rect{top * geometry.scale, left * geometry.scale, core.height * geometry.scale, core.width * geometry.scale}};
}

/// Neither black nor all alike: an engine may be quicker with zeros.
Image patterned(Extent extent) {
  Image image{extent, 3, Depth::u8};
  std::uint32_t value = 1;
  for (std::byte& byte : image.bytes()) {
    value = value * 1664525U + 1013904223U;
    byte = static_cast<std::byte>(value >> 24U);
  }
  return image;
}

}  // namespace

Extent timed_source(const TileGeometry& geometry, Border border, Extent core) {
  const Sample sample = sample_of(geometry, border, core);
  return TileGrid{sample.image, geometry, border, sample.target, core}.source(0).extent();
}

double tiles_per_s(const ModelStage& stage, Extent core, int lanes, std::chrono::milliseconds least) {
  using Clock = std::chrono::steady_clock;
  const Sample sample = sample_of(stage.geometry(), stage.border(), core);
  const Image image = patterned(sample.image);
  const TileGrid grid{sample.image, stage.geometry(), stage.border(), sample.target, core};
  std::barrier together{lanes};
  std::atomic<bool> is_broken = false;
  std::vector<double> rates(static_cast<std::size_t>(lanes));
  {
    std::vector<std::jthread> threads;
    for (std::size_t lane = 0; lane < rates.size(); ++lane) {
      threads.emplace_back([&, lane] {
        std::vector<std::uint8_t> block(static_cast<std::size_t>(sample.target.area()) *
                                        static_cast<std::size_t>(stage.output_channels()));
        const auto make = [&] {
          is_broken = is_broken || !stage.run_tile(image.view(), grid, 0, block, sample.target).ok();
        };
        make();  // Its slab is taken, and pages are touched, before the clock starts.
        together.arrive_and_wait();
        const Clock::time_point begin = Clock::now();
        int tiles = 0;
        do {
          make();
          ++tiles;
        } while (Clock::now() - begin < least && !is_broken);
        rates[lane] = tiles / std::chrono::duration<double>(Clock::now() - begin).count();
      });
    }
  }
  double sum = 0;
  for (const double rate : rates) {
    sum += rate;
  }
  return is_broken ? 0 : sum;
}

}  // namespace pantile
