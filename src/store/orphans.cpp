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

/// Is it a name that we give to a sealed shard, and one that the journal does not know?
bool is_unnamed(const std::string& file, const JournalState& state) {
  return parse_shard_name(file) && state.find_shard(file) == nullptr;
}

}  // namespace

std::size_t put_unnamed_aside(Disk& disk, const RunLayout& layout, const JournalState& state) {
  std::vector<std::string> shards = disk.list(layout.shards());
  std::erase_if(shards, [&](const std::string& file) { return !is_unnamed(file, state); });
  if (shards.empty()) {
    return 0;
  }
  const std::filesystem::path kept = numbered(disk, layout.shards(), "torn");
  disk.make_folder(kept);
  for (const std::string& shard : shards) {
    disk.rename(layout.shard(shard), kept / shard);
  }
  disk.sync_folder(kept);
  disk.sync_folder(layout.shards());
  disk.sync_folder(layout.root);
  log::warn("{} shards that the journal no longer names are kept in {}", shards.size(), kept.string());
  return shards.size();
}

std::size_t remove_orphans(Disk& disk, const RunLayout& layout, const JournalState& state, Sealed sealed) {
  const std::size_t kept = sealed == Sealed::keep ? put_unnamed_aside(disk, layout, state) : 0;
  std::vector<std::filesystem::path> orphans;
  for (const std::string& file : disk.list(layout.shards())) {
    const bool partial = file.ends_with(partial_suffix);
    // Only names that we make: what somebody else put there is not ours to remove.
    if (layout.shard(file) == layout.probe() || (!partial && is_unnamed(file, state)) ||
        (partial && parse_shard_name(file.substr(0, file.size() - partial_suffix.size())))) {
      orphans.push_back(layout.shard(file));
    }
  }
  const bool in_shards = !orphans.empty();
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
  return orphans.size() + kept;
}

}  // namespace pantile
