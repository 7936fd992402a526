#include "store/journal_state.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace pantile {

namespace {

// Items times outputs, a bit each: 256 MiB, a hundred times the largest input. A larger number is damage, or an attack.
constexpr std::uint64_t most_items = std::uint64_t{1} << 31U;
constexpr std::uint64_t most_begun_blocks = std::uint64_t{1} << 31U;  // of all items that are begun, a bit each
constexpr std::uint32_t most_blocks = std::uint32_t{1} << 26U;        // of one item: 2^48 pixels

std::string words(ItemId item) { return "item " + std::to_string(index(item)); }

bool overlap(const RowRange& a, const RowRange& b) {
  return a.output == b.output && index(b.item) < index(a.item) + a.items &&
         (a.item != b.item || a.of_blocks != b.of_blocks || index(b.block) < index(a.block) + a.blocks);
}

bool before(const RowRange& a, const RowRange& b) {
  return std::tie(a.output, a.item, a.block) < std::tie(b.output, b.item, b.block);
}

}  // namespace

void JournalState::apply(Epoch epoch, const JournalRecord& record) {
  const bool starts = std::holds_alternative<RunStart>(record);
  if (index(epoch) == 0 || (starts ? epoch <= epoch_ : epoch != epoch_)) {
    throw Error{"a record of epoch " + std::to_string(index(epoch)) + " (expected " +
                std::to_string(index(epoch_) + (starts ? 1 : 0)) + (starts ? " or later)" : ")")};
  }
  std::visit([this](const auto& alternative) { on(alternative); }, record);
  epoch_ = epoch;
}

void JournalState::on(const RunStart& start) {
  if (start.outputs.empty() || (!outputs_.empty() && outputs_ != start.outputs)) {
    throw Error{"a start with other outputs than before"};
  }
  if (start.items < items_ || start.items > most_items / start.outputs.size()) {
    throw Error{"a start with " + std::to_string(start.items) + " items after one with " + std::to_string(items_)};
  }
  if (start.items != items_) {
    end_.reset();
    ended_once_ = false;
  }
  ended_once_ = ended_once_ || start.repairs;
  ++starts_in_vain_;
  items_ = start.items;
  outputs_ = start.outputs;
  plan_ = start.plan;
  folder_ = start.folder;
  identity_ = start.identity;
  catalog_digest_ = start.catalog_digest;
  catalog_file_ = start.catalog;
  done_.resize(outputs_.size());
  for (auto& items : done_) {
    items.resize(items_);
  }
}

void JournalState::on(const ShardCommit& commit) {
  const auto name = parse_shard_name(commit.shard);
  if (!name || name->epoch != epoch_) {
    throw Error{"a commit of " + commit.shard + ", which is no shard of epoch " + std::to_string(index(epoch_))};
  }
  take(commit);
}

void JournalState::on(const ShardAdopted& adopted) {
  const auto name = parse_shard_name(adopted.commit.shard);
  if (!name || name->epoch >= epoch_) {
    throw Error{"an adoption of " + adopted.commit.shard + ", which is no shard of an epoch before " +
                std::to_string(index(epoch_))};
  }
  take(adopted.commit);
}

void JournalState::take(const ShardCommit& commit) {
  if (find_shard(commit.shard) != nullptr) {
    throw Error{"a second commit of " + commit.shard};
  }
  for (std::size_t i = 0; i < commit.ranges.size(); ++i) {
    check(commit.ranges[i], commit.shard);
    if (i > 0 && (!before(commit.ranges[i - 1], commit.ranges[i]) || overlap(commit.ranges[i - 1], commit.ranges[i]))) {
      throw Error{"a commit of " + commit.shard + " that names a block of " + words(commit.ranges[i].item) + " twice"};
    }
  }
  expect_room(commit);
  CommittedShard shard{.name = commit.shard,
                       .bytes = commit.bytes,
                       .hash = commit.hash,
                       .content_sum = commit.content_sum,
                       .ranges = encode_ranges(commit.ranges)};
  for (const RowRange& range : commit.ranges) {
    mark(range);
    shard.rows += range.rows();
  }
  rows_ += shard.rows;
  content_sum_ += shard.content_sum;
  shard_at_.emplace(shard.name, shards_.size());
  shards_.push_back(std::move(shard));
  end_.reset();
  starts_in_vain_ = 0;
}

void JournalState::on(const AttemptFailed& failed) {
  check(failed.item);
  auto& attempts = failed_attempts_[failed.item];
  attempts = std::max(attempts, failed.attempt);
}

void JournalState::on(const ItemQuarantined& quarantine) {
  check(quarantine.item);
  if (done(quarantine.item)) {
    throw Error{words(quarantine.item) + " goes into quarantine although it is done"};
  }
  quarantine_[quarantine.item] = {quarantine.failure, quarantine.attempts};
  failed_attempts_.erase(quarantine.item);
  end_.reset();
  starts_in_vain_ = 0;
}

void JournalState::on(const ShardRetired& retired) {
  const CommittedShard* shard = find_shard(retired.shard);
  if (shard == nullptr) {
    throw Error{retired.shard + " is retired, but not committed"};
  }
  for (const RowRange& range : decode_ranges(shard->ranges)) {
    unmark(range);
  }
  rows_ -= shard->rows;
  content_sum_ -= shard->content_sum;
  retired_.insert(retired.shard);
  shards_.erase(shards_.begin() + (shard - shards_.data()));
  shard_at_.clear();
  for (std::size_t at = 0; at < shards_.size(); ++at) {
    shard_at_.emplace(shards_[at].name, at);
  }
  end_.reset();
}

void JournalState::on(const RunEnd& end) {
  if (pending_items() > 0) {
    throw Error{"the run ends while " + std::to_string(pending_items()) + " items are pending"};
  }
  end_ = end;
  ended_once_ = true;
  starts_in_vain_ = 0;
}

void JournalState::on(const Release& release) {
  if (quarantine_.erase(release.item) == 0) {
    throw Error{words(release.item) + " leaves the quarantine, but is not in it"};
  }
  end_.reset();
  ended_once_ = false;
}

void JournalState::check(ItemId item) const {
  if (index(item) >= items_) {
    throw Error{words(item) + " is not one of the " + std::to_string(items_) + " of the catalog"};
  }
}

void JournalState::check(const RowRange& range, std::string_view shard) const {
  const bool makes_sense = index(range.output) < outputs_.size() && range.items >= 1 && index(range.item) < items_ &&
                           range.items <= items_ - index(range.item) && range.blocks >= 1 && range.of_blocks >= 1 &&
                           range.of_blocks <= most_blocks && (range.items == 1 || range.of_blocks == 1) &&
                           std::uint64_t{index(range.block)} + range.blocks <= range.of_blocks;
  if (!makes_sense) {
    throw Error{"a commit of " + std::string{shard} + " names rows that cannot be, at " + words(range.item)};
  }
  const auto& done = done_[index(range.output)];
  bool twice = false;
  for (std::uint64_t item = index(range.item); item < index(range.item) + range.items; ++item) {
    twice = twice || done[item];
  }
  const std::uint64_t end = index(range.item) + range.items;
  for (auto begun = partial_.lower_bound({range.output, range.item});
       begun != partial_.end() && begun->first.first == range.output && index(begun->first.second) < end; ++begun) {
    const std::vector<bool>& committed = begun->second.committed;
    if (committed.size() != range.of_blocks) {
      throw Error{"a commit of " + std::string{shard} + " gives " + words(begun->first.second) +
                  " another number of blocks"};
    }
    for (std::uint32_t i = 0; i < range.blocks; ++i) {
      twice = twice || committed[index(range.block) + i];
    }
  }
  if (twice) {
    throw Error{"a commit of " + std::string{shard} + " holds blocks of " + words(range.item) +
                " that are committed already"};
  }
}

/// An item of several blocks takes a bit for each of them, whatever of them the shard has: a few bytes may ask for
/// much.
void JournalState::expect_room(const ShardCommit& commit) const {
  std::uint64_t blocks = begun_blocks_;
  for (std::size_t i = 0; i < commit.ranges.size(); ++i) {
    const RowRange& range = commit.ranges[i];
    const bool begins =
        i == 0 || commit.ranges[i - 1].item != range.item || commit.ranges[i - 1].output != range.output;
    if (range.of_blocks > 1 && begins && !partial_.contains({range.output, range.item})) {
      blocks += range.of_blocks;
    }
  }
  if (blocks > most_begun_blocks) {
    throw Error{"a commit of " + commit.shard + " begins items of " + std::to_string(blocks) +
                " blocks, beyond any run"};
  }
}

void JournalState::mark(const RowRange& range) {
  if (range.of_blocks == 1) {
    for (std::uint64_t item = index(range.item); item < index(range.item) + range.items; ++item) {
      mark_done(ItemId{item}, range.output);
    }
    return;
  }
  Blocks& blocks = partial_[{range.output, range.item}];
  begun_blocks_ += range.of_blocks - blocks.committed.size();
  blocks.committed.resize(range.of_blocks);
  for (std::uint32_t i = 0; i < range.blocks; ++i) {
    blocks.committed[index(range.block) + i] = true;
  }
  blocks.count += range.blocks;
  if (blocks.count == range.of_blocks) {
    begun_blocks_ -= range.of_blocks;
    partial_.erase({range.output, range.item});
    mark_done(range.item, range.output);
  }
}

void JournalState::unmark(const RowRange& range) {
  if (range.of_blocks == 1) {
    for (std::uint64_t item = index(range.item); item < index(range.item) + range.items; ++item) {
      unmark_done(ItemId{item}, range.output);
    }
    return;
  }
  Blocks& blocks = partial_[{range.output, range.item}];
  if (done(range.item, range.output)) {
    unmark_done(range.item, range.output);
    blocks = {.committed = std::vector<bool>(range.of_blocks, true), .count = range.of_blocks};
    begun_blocks_ += range.of_blocks;
  }
  for (std::uint32_t i = 0; i < range.blocks; ++i) {
    blocks.committed[index(range.block) + i] = false;
  }
  blocks.count -= range.blocks;
  if (blocks.count == 0) {
    begun_blocks_ -= range.of_blocks;
    partial_.erase({range.output, range.item});
  }
}

void JournalState::mark_done(ItemId item, OutputId output) {
  done_[index(output)][index(item)] = true;
  if (done(item)) {
    ++done_items_;
    quarantine_.erase(item);
    failed_attempts_.erase(item);
  }
}

void JournalState::unmark_done(ItemId item, OutputId output) {
  if (done(item)) {
    --done_items_;
  }
  done_[index(output)][index(item)] = false;
}

bool JournalState::begun(ItemId item) const {
  bool any = false;
  for (std::size_t output = 0; output < outputs_.size(); ++output) {
    const OutputId id{static_cast<std::uint16_t>(output)};
    any = any || done(item, id) || partial_.contains({id, item});
  }
  return any && !done(item);
}

bool JournalState::committed(const BlockKey& key) const {
  if (done(key.item, key.output)) {
    return true;
  }
  const auto begun = partial_.find({key.output, key.item});
  return begun != partial_.end() && index(key.block) < begun->second.committed.size() &&
         begun->second.committed[index(key.block)];
}

bool JournalState::done(ItemId item, OutputId output) const {
  return index(output) < done_.size() && index(item) < items_ && done_[index(output)][index(item)];
}

bool JournalState::done(ItemId item) const {
  return index(item) < items_ && !done_.empty() &&
         std::all_of(done_.begin(), done_.end(), [&](const auto& items) { return items[index(item)]; });
}

std::uint32_t JournalState::failed_attempts(ItemId item) const {
  const auto found = failed_attempts_.find(item);
  return found == failed_attempts_.end() ? 0 : found->second;
}

const CommittedShard* JournalState::find_shard(std::string_view name) const {
  const auto found = shard_at_.find(std::string{name});
  return found == shard_at_.end() ? nullptr : &shards_[found->second];
}

RunStart JournalState::next_start(std::string time) const {
  return {.time = std::move(time),
          .items = items(),
          .outputs = outputs(),
          .plan = plan(),
          .folder = folder(),
          .identity = identity(),
          .catalog_digest = catalog_digest(),
          .catalog = catalog_file()};
}

JournalState read_journal(const std::filesystem::path& path, Disk& disk) {
  JournalState state;
  replay_journal(
      path, [&](Epoch epoch, const JournalRecord& record) { state.apply(epoch, record); }, disk);
  return state;
}

}  // namespace pantile
