#include "store/orphans.hpp"

#include <string>
#include <vector>

#include "base/log.hpp"
#include "store/journal_state.hpp"

namespace pantile {
namespace {

/// Is it the name of a file that replace_file() was writing when its process died?
bool is_temporary(const std::string& name) {
  for (const char* ours : {"run.yaml", "catalog.h5", "catalog.h5.next", "index.h5", "live.json", "quarantine.csv",
                           "report.html", "trace.json"}) {
    if (name.starts_with(std::string{ours} + ".tmp-")) {
      return true;
    }
  }
  return false;
}

void move_aside(Disk& disk, const RunLayout& layout, const std::vector<std::string>& shards) {
  const std::filesystem::path kept = numbered(disk, layout.shards(), "torn");
  disk.make_folder(kept);
  for (const std::string& shard : shards) {
    disk.rename(layout.shard(shard), kept / shard);
  }
  disk.sync_folder(kept);
  disk.sync_folder(layout.root);
  log::warn("{} shards that the journal no longer names are kept in {}", shards.size(), kept.string());
}

}  // namespace

std::size_t remove_orphans(Disk& disk, const RunLayout& layout, const JournalState& state, Sealed sealed) {
  std::vector<std::filesystem::path> orphans;
  std::vector<std::string> unnamed;
  for (const std::string& file : disk.list(layout.shards())) {
    const bool partial = file.ends_with(partial_suffix);
    const std::string name = partial ? file.substr(0, file.size() - partial_suffix.size()) : file;
    // Only names that we make: what somebody else put there is not ours to remove.
    if (layout.shard(file) == layout.probe()) {
      orphans.push_back(layout.probe());
      continue;
    }
    if (!parse_shard_name(name) || (!partial && state.find_shard(name) != nullptr)) {
      continue;
    }
    if (partial || sealed == Sealed::remove) {
      orphans.push_back(layout.shard(file));
    } else {
      unnamed.push_back(file);
    }
  }
  const bool in_shards = !orphans.empty() || !unnamed.empty();
  if (!unnamed.empty()) {
    move_aside(disk, layout, unnamed);
  }
  for (const std::string& file : disk.list(layout.root)) {
    if (is_temporary(file)) {
      orphans.push_back(layout.root / file);
    }
  }
  for (const auto& orphan : orphans) {
    disk.remove(orphan);
    log::debug("removed {}, left by an epoch that was interrupted", orphan.string());
  }
  if (in_shards) {
    disk.sync_folder(layout.shards());
  }
  return orphans.size() + unnamed.size();
}

}  // namespace pantile
