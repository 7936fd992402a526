// What planning tiles costs an item, with the footprints that probing real models gives.
//
//     planner_cost MODEL…      2,000 items: six of ten of one of twelve common extents, the others of one of their own
//
// Prints one line of JSON for each model and budget: CPU time, so that it holds on a busy machine, of the best of five.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <limits>
#include <map>
#include <random>
#include <utility>
#include <variant>
#include <vector>

#include "base/byte_size.hpp"
#include "base/file.hpp"
#include "model/analysis.hpp"
#include "model/session.hpp"
#include "plan/tile_planner.hpp"

namespace pantile {
namespace {

constexpr int items = 2000;

/// Extents as a folder of photos and scans has them: cameras' and screens' own, and cut ones around 2 MP.
std::vector<ExtentCount> mixture() {
  constexpr std::array<Extent, 12> common{{{720, 1280},
                                           {1080, 1920},
                                           {1920, 1080},
                                           {768, 1024},
                                           {1200, 1600},
                                           {2448, 3264},
                                           {3024, 4032},
                                           {4032, 3024},
                                           {3508, 2480},
                                           {1401, 992},
                                           {512, 512},
                                           {4000, 6000}}};
  std::mt19937 dice{6};
  std::lognormal_distribution<double> megapixels{std::log(2.0), 1.0};
  std::uniform_real_distribution<double> aspect{0.6, 1.7};
  std::map<std::pair<int, int>, std::uint64_t> counts;
  for (int item = 0; item < items; ++item) {
    if (dice() % 10 < 6) {
      const Extent extent = common[dice() % common.size()];
      ++counts[{extent.height, extent.width}];
      continue;
    }
    const double px = std::clamp(megapixels(dice), 0.01, 40.0) * 1e6;
    const double ratio = aspect(dice);
    ++counts[{static_cast<int>(std::sqrt(px * ratio)), static_cast<int>(std::sqrt(px / ratio))}];
  }
  std::vector<ExtentCount> extents;
  for (const auto& [extent, count] : counts) {
    extents.push_back({{extent.first, extent.second}, count});
  }
  return extents;
}

double cpu_ms() { return 1000.0 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

void measure(const Engine& engine, const std::filesystem::path& file, const std::vector<ExtentCount>& extents) {
  const std::vector<std::byte> model = read_file(file);
  const ModelFacts facts = analyse(model, file.string(), file.parent_path());
  Meter meter;
  SlabPool slabs{meter};
  Session session{engine, slabs, model, file.string(), file.parent_path()};
  const Footprint footprint = footprint_of(probe_footprint(session, {.alignment_px = facts.geometry.alignment_px}));
  for (const std::uint64_t budget : {8 * MiB, 32 * MiB, 128 * MiB, 8 * GiB}) {
    const TileRequest request{
        .facts = facts, .footprint = footprint, .items = extents, .budget_bytes = budget, .lanes = 2};
    double best_ms = std::numeric_limits<double>::max();
    std::string what;
    for (int repeat = 0; repeat < 5; ++repeat) {
      const double begin_ms = cpu_ms();
      const TileDecision decision = plan_tiles(request);
      best_ms = std::min(best_ms, cpu_ms() - begin_ms);
      const auto* const plan = std::get_if<TilePlan>(&decision);
      what = plan != nullptr ? fmt::format("{}x{}", plan->core.height, plan->core.width) : "does not fit";
    }
    fmt::print(
        "{{\"model\": \"{}\", \"budget_mib\": {}, \"items\": {}, \"extents\": {}, \"pattern\": {}, \"tile\": \"{}\", "
        "\"plan_ms\": {:.2f}, \"item_us\": {:.1f}}}\n",
        file.filename().string(), budget / MiB, items, extents.size(), footprint.pattern().has_value(), what, best_ms,
        1000 * best_ms / items);
  }
}

}  // namespace
}  // namespace pantile

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: planner_cost MODEL...\n");
    return 2;
  }
  const pantile::Engine engine;
  const auto extents = pantile::mixture();
  for (int i = 1; i < argc; ++i) {
    pantile::measure(engine, argv[i], extents);
  }
  return 0;
}
