#pragma once
// What the scheduler hears, and what it says. run/ makes events of MPI messages and of the journal's answers, and
// carries the commands out; it holds no rule of its own.
//
// The life of an item, seen from here:
//
//     waiting ──Assign──► running ──ItemComputed──► computed ──SealAsked──► sealing ──SealCommitted──► committed
//        ▲                   │  ItemFailed             │ SealAsked without it  │ SealAborted                │
//        └───────────────────┴─────────────────────────┴───── RankLost ────────┘        quarantined ◄── ItemFailed
//
// The life of a shard: the worker asks SealAsked(rows) and gets SealVerdict(wanted); it writes /index, closes, checks,
// hashes, syncs and renames, and says SealReady; CommitShard: the coordinator writes the journal's record, and after
// the fdatasync tells SealCommitted. Or RefuseShard: the promise has been withdrawn meanwhile; the worker deletes the
// file.

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "plan/work.hpp"

namespace pantile {

// ---- events ---------------------------------------------------------------------------------------------------------

/// A worker is ready. Said again by a live rank it changes lanes and limit (the cap has moved).
struct RankJoined {
  RankId rank{};
  int lanes = 1;  ///< before any speed is known, a rank with twice the lanes is taken for twice as fast
  std::uint64_t largest_px = std::numeric_limits<std::uint64_t>::max();  ///< the largest item that its memory can hold
  double px_per_s = 0;                                                   ///< measured in its probes; 0: not known
};
/// A worker will never be ready: it cannot open its device.
struct RankUnable {
  RankId rank{};
};
/// All blocks that were asked of the item are rows of the rank's open shard (or of one it has asked to seal). Not
/// durable yet.
struct ItemComputed {
  RankId rank{};
  ItemId item{};
  /// Wall time that the item cost the rank: from the end of the item before it, or from its own start if that was
  /// later.
  double seconds = 0;
};
/// The rank gives the item up. `crashed` is for an item that ended its executor while it ran alone.
struct ItemFailed {
  RankId rank{};
  ItemId item{};
  Fault fault = Fault::none;
  std::string detail;
};
/// The rank gives the item back, and nobody is to blame: not begun at a recall, or its executor died beside others.
struct ItemReturned {
  RankId rank{};
  ItemId item{};
};
/// The rank wants to close its open shard, which has these rows. Every item that it has computed so far must have all
/// its rows in this or an earlier shard: what is missing is made again. Without rows: there is no open shard. Sent of
/// the worker's own accord (size, time, stop), and always as the answer to AskSeal.
struct SealAsked {
  RankId rank{};
  ShardId shard{};
  std::vector<BlockKey> rows;
};
/// The shard lies under its final name, durable. Answered by CommitShard or RefuseShard.
struct SealReady {
  RankId rank{};
  ShardId shard{};
};
/// The journal's record of the shard is durable. From the coordinator itself.
struct SealCommitted {
  RankId rank{};
  ShardId shard{};
};
/// The shard is lost before SealReady: an I/O error condemned it. All that the rank had computed for it is made again.
struct SealAborted {
  RankId rank{};
  ShardId shard{};
};
/// The rank is gone. What it ran, held and had been promised goes back to waiting, but for a shard whose CommitShard is
/// out.
struct RankLost {
  RankId rank{};
};
/// What room the disk has for results. As long as it is not enough nothing new is begun, and open shards are closed.
enum class Space : std::uint8_t {
  enough,
  low,  ///< what has begun still fits
  full  ///< what has begun cannot be stored either: nobody hangs because of that, and a drain does not wait for it
};
struct SpaceIs {
  Space space = Space::enough;
};
/// The rank is well and waits for its disk, which is slow: its silence says nothing.
struct RankWaits {
  RankId rank{};
};
/// Time has passed: about once a second.
struct Tick {};
/// How long a begun item may go on after a request to stop, before it is given back: a person waits for the end.
inline constexpr double drain_patience_s = 3;

/// Stop: no more dispatch; what has begun and ends within the patience is finished, all that is computed is sealed.
/// Said again with less patience, that holds.
struct Drain {
  double patience_s = drain_patience_s;
};
/// All must be computed, sealed and committed by then: what is predicted to take longer is not begun.
struct Deadline {
  double at_s = 0;
};

using Event = std::variant<RankJoined, RankUnable, ItemComputed, ItemFailed, ItemReturned, SealAsked, SealReady,
                           SealCommitted, SealAborted, RankLost, SpaceIs, RankWaits, Tick, Drain, Deadline>;

// ---- commands -------------------------------------------------------------------------------------------------------

/// What a rank has to make of one item.
struct UnitItem {
  ItemId item{};
  std::uint32_t attempt = 1;  ///< of the item; the first is 1
  std::vector<BlockRange> blocks{};
};
/// What is handed out at once: one item, or some small ones, to be computed in this order.
/// An item that has failed before is always a unit of its own.
struct Unit {
  std::vector<UnitItem> items{};
};

struct Assign {
  RankId rank{};
  Unit unit{};
};
/// To a rank at a drain: give back (ItemReturned) what you have not begun, and after the patience the rest.
struct Recall {
  RankId rank{};
  double patience_s = drain_patience_s;
};
/// Journal and quarantine.csv: the item is given up. One for each item at most.
struct Quarantine {
  ItemId item{};
  Fault fault = Fault::none;
  std::string detail;
  std::uint32_t attempts = 1;
};
/// Journal: an attempt failed, another will be made.
struct RecordFailure {
  ItemId item{};
  std::uint32_t attempt = 1;
  Fault fault = Fault::none;
  std::string detail;
};
/// To a rank that has nothing more to do: close the open shard, so that the run can end.
struct AskSeal {
  RankId rank{};
};
/// To a rank: which of the rows of SealAsked are to be in the shard's index, in that order. If none, the shard is
/// thrown away, and nothing more is said about it.
struct SealVerdict {
  RankId rank{};
  ShardId shard{};
  std::vector<bool> wanted;
};
/// To the journal: write the record of this shard, tell SealCommitted when it is durable.
struct CommitShard {
  RankId rank{};
  ShardId shard{};
};
/// To a rank: the shard came too late, delete it. Its rows are being made elsewhere.
struct RefuseShard {
  RankId rank{};
  ShardId shard{};
};
/// For people: no item that is left fits before the deadline, nothing more is begun. Once.
struct TimeIsUp {
  std::uint64_t items_left = 0;  ///< waiting, or running and perhaps not done in time
  ItemId largest{};              ///< of those
  double needs_s = 0;            ///< that one, on the fastest rank; 0: no speed is known
  double leaves_s = 0;           ///< for one item, had it been begun first of all
};
/// To a rank: there is no more work; leave.
struct Dismiss {
  RankId rank{};
};

enum class Outcome : std::uint8_t {
  complete,              ///< each item is committed or quarantined
  drained,               ///< stopped on request or by the deadline; all that was computed is committed
  out_of_ranks,          ///< every rank is lost, items are left
  too_many_quarantined,  ///< `max_quarantine` was passed; drained since
};
/// The last command, once.
struct Finished {
  Outcome outcome = Outcome::complete;
};

using Command = std::variant<Assign, Recall, Quarantine, RecordFailure, AskSeal, SealVerdict, CommitShard, RefuseShard,
                             TimeIsUp, Dismiss, Finished>;

}  // namespace pantile
