// What a catalog costs: files listed and headers read a second, and the memory of rank 0 for it.
//
//     catalog_cost FOLDER|ARCHIVE [THREADS]      lists the input, reads the headers, writes catalog.h5, reads it back
//     catalog_cost --items N                     the same with N items that are not there, but for listing and headers
//
// Prints one line of JSON. Warm figures: run it twice.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include "source/inputs.hpp"
#include "source/probing.hpp"
#include "store/catalog_file.hpp"

namespace pantile {
namespace {

double seconds_of(const auto& action) {
  const auto begin = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// CPU seconds of all threads so far: what holds on a busy machine, too.
double cpu_s() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// "VmHWM" or "VmRSS" of this process, in MB.
double memory_mb(std::string_view what) {
  std::ifstream status{"/proc/self/status"};
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(what)) {
      return std::stod(line.substr(line.find(':') + 1)) * 1024 / 1e6;
    }
  }
  return 0;
}

/// Names as a large data set has them: 30 bytes each, 1000 to a folder.
void fill(Catalog& catalog, std::uint64_t items) {
  catalog.add_root({.path = "/data/set"});
  catalog.reserve(items, items * 30);
  for (std::uint64_t id = 0; id < items; ++id) {
    catalog.append({.path = fmt::format("part-{:05}/image-{:09}.jpg", id / 1000, id)});
    catalog.settle(
        ItemId{id},
        {.bytes = 300'000 + id, .mtime_ns = 1, .header = {{1080, 1920}, 1, 3, 8}, .format = ImageFormat::jpeg});
  }
}

void measure(std::string_view input, int threads) {
  const double base_mb = memory_mb("VmRSS");
  Catalog catalog;
  const double begin_cpu_s = cpu_s();
  double list_s = 0;
  double probe_s = 0;
  if (input == "--items") {
    list_s = seconds_of([&] { fill(catalog, static_cast<std::uint64_t>(threads)); });
  } else {
    const InputSpec spec{.path = input};
    list_s = seconds_of([&] { catalog = list_inputs(std::span{&spec, 1}); });
    probe_s = seconds_of([&] { probe_here(catalog, ItemId{0}, threads); });
  }
  const double built_cpu_s = cpu_s() - begin_cpu_s;
  const double built_mb = memory_mb("VmHWM");
  Hash128 digest;
  const double digest_s = seconds_of([&] { digest = catalog.digest(); });
  const auto file = std::filesystem::temp_directory_path() / fmt::format("catalog_cost-{}.h5", ::getpid());
  const double write_s = seconds_of([&] { write_catalog(file, catalog); });
  const double written_mb = memory_mb("VmHWM");
  const std::uint64_t items = catalog.size();
  catalog = {};
  const double read_s = seconds_of([&] { catalog = read_catalog(file); });
  const double file_mb = static_cast<double>(std::filesystem::file_size(file)) / 1e6;
  std::filesystem::remove(file);
  fmt::print(
      "{{\"items\": {}, \"list_s\": {:.3f}, \"probe_s\": {:.3f}, \"list_and_probe_cpu_s\": {:.3f}, \"digest_s\": "
      "{:.3f}, \"write_s\": {:.3f}, "
      "\"read_s\": {:.3f}, \"base_mb\": {:.1f}, \"peak_built_mb\": {:.1f}, \"peak_written_mb\": {:.1f}, "
      "\"peak_read_mb\": {:.1f}, \"file_mb\": {:.1f}, \"equal\": {}}}\n",
      items, list_s, probe_s, built_cpu_s, digest_s, write_s, read_s, base_mb, built_mb, written_mb, memory_mb("VmHWM"),
      file_mb, catalog.digest() == digest);
}

}  // namespace
}  // namespace pantile

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: catalog_cost FOLDER|ARCHIVE [THREADS] | catalog_cost --items N\n");
    return 2;
  }
  pantile::measure(argv[1], argc > 2 ? std::atoi(argv[2]) : 1);
  return 0;
}
