#include "store/adopt.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/log.hpp"
#include "store/digest.hpp"
#include "store/file_seal.hpp"
#include "store/shard_reader.hpp"

namespace pantile {

namespace {

/// The commit that the shard's own content makes, checked down to the pixels. Throws Error with what is wrong.
ShardCommit proven_commit(const RunLayout& layout, const ShardName& name, const std::string& run_id,
                          const JournalState& state) {
  const std::filesystem::path path = layout.shard(to_string(name));
  const SealCheck seal = check_seal(path);
  if (!seal.holds) {
    throw Error{"its bytes are not the ones that were sealed"};
  }
  const ShardReader reader{path};
  if (reader.run_id() != run_id) {
    throw Error{"it is a shard of another run, " + reader.run_id()};
  }
  if (reader.name() != name) {
    throw Error{"it was written as " + to_string(reader.name())};
  }
  if (reader.outputs() != state.outputs()) {
    throw Error{"it has other outputs than the run"};
  }
  ShardCommit commit{.shard = to_string(name), .bytes = seal.found.bytes, .hash = seal.found.hash};
  std::vector<BlockRow> rows;
  for (const StoredRow& stored : reader.rows()) {
    const BlockRow& row = stored.row;
    if (index(row.key.item) >= state.items() || !state.wanted(row.key)) {
      throw Error{fmt::format("item {} has another result already, or is not of this run", index(row.key.item))};
    }
    if (block_digest(row.key.item, row.key.output, row.dtype, row.rect, row.channels, reader.read(stored)) !=
        row.digest) {
      throw Error{fmt::format("the pixels of item {} do not have the digest of their row", index(row.key.item))};
    }
    commit.content_sum += row.digest;
    rows.push_back(row);
  }
  commit.ranges = to_ranges(rows);
  return commit;
}

/// A writer that died may have renamed it without the folder being synced.
void make_durable(Disk& disk, const RunLayout& layout, const std::string& name) {
  disk.open(layout.shard(name), Access::change)->sync();
  disk.sync_folder(layout.shards());
}

/// All that lies in the folder under names of ours, in order.
std::vector<std::pair<ShardName, bool>> shards_there(Disk& disk, const RunLayout& layout) {
  std::vector<std::pair<ShardName, bool>> found;
  for (std::string name : disk.exists(layout.shards()) ? disk.list(layout.shards()) : std::vector<std::string>{}) {
    const bool partial = name.ends_with(partial_suffix);
    name.resize(name.size() - (partial ? partial_suffix.size() : 0));
    if (const auto parsed = parse_shard_name(name)) {
      found.emplace_back(*parsed, partial);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

Epoch latest_epoch(const RunLayout& layout, Disk& disk) {
  const auto there = shards_there(disk, layout);
  return there.empty() ? Epoch{} : there.back().first.epoch;
}

ProveShard prove_shards(RunLayout layout, std::string run_id) {
  return [layout = std::move(layout), run_id = std::move(run_id)](const ShardName& name, const JournalState& state) {
    return proven_commit(layout, name, run_id, state);
  };
}

std::size_t adopt_shards(const RunLayout& layout, const ProveShard& prove, Journal& journal, JournalState& state,
                         Disk& disk) {
  std::size_t adopted = 0;
  for (const auto& [name, partial] : shards_there(disk, layout)) {
    const std::string text = to_string(name);
    if (partial || name.epoch >= journal.epoch() || state.find_shard(text) != nullptr || state.retired(text)) {
      continue;
    }
    try {
      ShardAdopted record{prove(name, state)};
      make_durable(disk, layout, text);
      journal.append(record, state);
      ++adopted;
    } catch (const SystemError&) {
      throw;  // A disk that fails for a moment says nothing about the shard, and what is not adopted is removed.
    } catch (const Error& error) {
      log::debug("shard {}, which the journal does not name, is not adopted: {}", text, error.what());
    }
  }
  return adopted;
}

}  // namespace pantile
