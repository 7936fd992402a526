#include "store/adopt.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "store/digest.hpp"
#include "store/file_seal.hpp"
#include "store/shard_reader.hpp"

namespace pantile {

namespace {

/// The commit that the shard's own content makes, checked down to the pixels. Throws Error with what is wrong.
ShardCommit proven_commit(const RunLayout& layout, const ShardName& name, std::string_view run_id,
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
void make_durable(const RunLayout& layout, const std::string& name) {
  const auto path = layout.shard(name);
  sync_file(open_file(path, O_RDWR).get(), path.string());
  sync_folder(layout.shards());
}

/// All that lies in the folder under names of ours, in order.
std::vector<std::pair<ShardName, bool>> shards_there(const RunLayout& layout) {
  std::vector<std::pair<ShardName, bool>> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator{layout.shards(), error}) {
    std::string name = entry.path().filename().string();
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

Epoch latest_epoch(const RunLayout& layout) {
  const auto there = shards_there(layout);
  return there.empty() ? Epoch{} : there.back().first.epoch;
}

std::size_t adopt_shards(const RunLayout& layout, std::string_view run_id, Journal& journal, JournalState& state) {
  std::size_t adopted = 0;
  for (const auto& [name, partial] : shards_there(layout)) {
    const std::string text = to_string(name);
    if (partial || name.epoch >= journal.epoch() || state.find_shard(text) != nullptr || state.retired(text)) {
      continue;
    }
    try {
      ShardAdopted record{proven_commit(layout, name, run_id, state)};
      make_durable(layout, text);
      journal.append(record, state);
      ++adopted;
    } catch (const Error& error) {
      log::debug("shard {}, which the journal does not name, is not adopted: {}", text, error.what());
    }
  }
  return adopted;
}

}  // namespace pantile
