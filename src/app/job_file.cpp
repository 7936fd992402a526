#include "app/job_file.hpp"

#include <utility>

namespace pantile::app {

LoadedConfig load_job(const std::filesystem::path& job, const std::string& output, std::vector<std::string> sets) {
  if (!output.empty()) {
    // Quoted: a folder may be called 010 or true, and must not become a number.
    std::string quoted;
    for (const char c : output) {
      quoted += c == '\'' ? std::string{"''"} : std::string{c};
    }
    sets.push_back("output.dir='" + quoted + "'");
  }
  return pantile::load_job(job, {.sets = std::move(sets), .environment = process_environment()});
}

std::string shown(const std::filesystem::path& path) {
  const std::filesystem::path relative = path.lexically_proximate(std::filesystem::current_path());
  return relative.native().size() < path.native().size() ? relative.string() : path.string();
}

}  // namespace pantile::app
