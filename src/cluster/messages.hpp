#pragma once
// What coordinator and workers say to each other. Plain records; their position in the variants is their type on the
// wire.
//
//     worker                                   coordinator
//     Hello ─────────────────────────────────►
//           ◄───────────────────────────────── ProbeBatch …      (while the catalog is made)
//     ProbedBatch … ─────────────────────────►
//           ◄───────────────────────────────── Welcome
//     Ready ─────────────────────────────────►
//           ◄───────────────────────────────── AssignUnit …
//     ItemIsComputed, ItemHasFailed … ───────►
//     SealRequest ───────────────────────────►
//           ◄───────────────────────────────── SealAnswer
//     ShardIsSealed ─────────────────────────►          (journal, fdatasync)
//           ◄───────────────────────────────── Leave

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/message.hpp"
#include "base/result.hpp"
#include "codec/header_facts.hpp"
#include "device/footprint.hpp"
#include "plan/work.hpp"
#include "source/item_place.hpp"
#include "source/probed.hpp"
#include "store/row_ranges.hpp"

namespace pantile {

/// Grows with each change of a message. Ranks of different versions refuse each other in words.
inline constexpr std::uint32_t protocol_version = 4;

// ---- worker → coordinator -------------------------------------------------------------------------------------------

/// The first message. Its first field stays where it is in all versions.
struct Hello {
  std::uint32_t version = protocol_version;
  std::string host;
  std::int64_t pid = 0;
};
/// Of a rank and its executor together, bytes. See DeviceLive.
struct MemoryState {
  std::uint64_t cap = 0;        ///< in force now
  std::uint64_t predicted = 0;  ///< that the plan takes of it
  std::uint64_t used = 0;       ///< resident
  std::uint64_t peak = 0;       ///< the most that was resident
  std::uint64_t others = 0;     ///< that other programs take of the device
};
/// The executor is open, the tiles are planned: send work.
struct Ready {
  std::string device;        ///< "node1:cpu0"
  std::string device_class;  ///< "cpu:avx512"
  std::string engine;        ///< "ONNX Runtime 1.31.1"
  std::int32_t lanes = 1;
  std::string why;     ///< of tiles and lanes, for the log
  MemoryState memory;  ///< as it is planned
};
struct ItemIsComputed {
  ItemId item{};
  double seconds = 0;
};
struct ItemHasFailed {
  ItemId item{};
  Fault fault = Fault::none;
  std::string detail;
};
struct ItemComesBack {
  ItemId item{};
};
struct SealRequest {
  ShardId shard{};
  std::vector<BlockKey> rows;
};
/// The shard is durable under its final name.
struct ShardIsSealed {
  ShardId shard{};
  std::string name;
  std::uint64_t bytes = 0;
  Hash128 hash;
  Hash128 content_sum;
  std::vector<RowRange> ranges;
};
/// Each second: alive, and how it goes.
struct Beat {
  MemoryState memory;
  double utilisation = 0;  ///< busy share of the lanes since the last beat
  bool waits_for_disk = false;
};
/// A signal asks this rank to stop; the coordinator stops all.
struct StopRequest {};
/// This rank cannot go on (a full disk, a missing library); it leaves after this.
struct WorkerGivesUp {
  std::int32_t code = 1;  ///< ExitCode
  std::string text;
};

/// The headers of a ProbeBatch, in its order.
struct ProbedBatch {
  std::uint64_t task = 0;
  std::vector<Probed> headers;
};

/// The disk had no room for the shard: what it had is to be made again. The rank stores nothing until SpaceIsBack.
struct ShardIsLost {
  ShardId shard{};
  std::int32_t number = 0;  ///< errno
  std::string text;
};

/// What became of SetMemory with this number; or, with 0, the cap has moved because of other programs.
struct MemoryIsSet {
  std::uint64_t number = 0;
  bool granted = true;  ///< else all stays as it was
  std::string text;     ///< "512 MiB: tiles of …", or why not
  std::int32_t lanes = 1;
};

/// What a rank has learnt of the memory that tiles need: it holds for all devices of the class, at once. Passed on by
/// the coordinator.
struct FootprintHasChanged {
  std::string device_class;
  Footprint footprint;
};

using ToCoordinator =
    std::variant<Hello, Ready, ItemIsComputed, ItemHasFailed, ItemComesBack, SealRequest, ShardIsSealed, Beat,
                 StopRequest, WorkerGivesUp, ProbedBatch, ShardIsLost, MemoryIsSet, FootprintHasChanged>;

// ---- coordinator → worker -------------------------------------------------------------------------------------------

/// Extents of the run's items with how many there are: what the tile planner looks at.
struct ExtentClass {
  Extent extent;
  std::uint64_t count = 0;
};
struct Welcome {
  std::uint32_t version = protocol_version;
  Epoch epoch{};
  std::string run_folder;  ///< absolute
  std::string run_id;
  std::string config;         ///< effective text
  std::string config_folder;  ///< what its relative paths count from
  Hash128 model_digest;       ///< of the model file as rank 0 read it
  std::vector<ExtentClass> extents;
  std::uint32_t output_channels = 0;  ///< of the model
  std::vector<std::string> roots;     ///< folders and archives that the items lie in: each node must see all of them
};
/// One item to make, with all that the worker needs to know of it.
struct AssignedItem {
  ItemId item{};
  std::uint32_t attempt = 1;
  ItemPlace place;
  HeaderFacts header;  ///< by the catalog; others mean that it changed
  Extent output_extent;
  std::vector<BlockRange> blocks;
};
struct AssignUnit {
  std::vector<AssignedItem> items;
  std::int64_t seal_after_ms = 0;  ///< an open shard older than this is sealed
};
/// Give back what is not begun; after the patience also what is. Said again with less patience, that holds.
struct GiveBack {
  std::int64_t patience_ms = 0;
};
struct SealPlease {};
struct SealAnswer {
  ShardId shard{};
  std::vector<std::uint8_t> wanted;  ///< 0 or 1 per row of the request
};
struct DeleteShard {
  ShardId shard{};
};
/// Read these headers, before the Welcome. Answered by a ProbedBatch.
struct ProbeBatch {
  std::uint64_t task = 0;
  std::vector<ItemPlace> places;
};
/// The last message: leave, with this exit code.
struct Leave {
  std::int32_t code = 0;  ///< ExitCode
};

/// The disk has room: store again.
struct SpaceIsBack {};

/// Caps are other ones from now on. Answered by MemoryIsSet.
struct SetMemory {
  std::uint64_t number = 0;  ///< from 1
  std::string config;        ///< effective text: as that of Welcome, but for devices.memory
};

using ToWorker = std::variant<Welcome, AssignUnit, GiveBack, SealPlease, SealAnswer, DeleteShard, Leave, ProbeBatch,
                              SpaceIsBack, SetMemory, FootprintHasChanged>;

// ---- fields ---------------------------------------------------------------------------------------------------------

template <class Archive>
void fields(Archive& archive, BlockRange& range) {
  archive(range.output, range.first, range.count);
}
template <class Archive>
void fields(Archive& archive, RowRange& range) {
  archive(range.output, range.item, range.items, range.block, range.blocks, range.of_blocks);
}
template <class Archive>
void fields(Archive& archive, Hello& message) {
  archive(message.version, message.host, message.pid);
}
template <class Archive>
void fields(Archive& archive, MemoryState& memory) {
  archive(memory.cap, memory.predicted, memory.used, memory.peak, memory.others);
}
template <class Archive>
void fields(Archive& archive, Ready& message) {
  archive(message.device, message.device_class, message.engine, message.lanes, message.why, message.memory);
}
template <class Archive>
void fields(Archive& archive, ItemIsComputed& message) {
  archive(message.item, message.seconds);
}
template <class Archive>
void fields(Archive& archive, ItemHasFailed& message) {
  archive(message.item, message.fault, message.detail);
}
template <class Archive>
void fields(Archive& archive, ItemComesBack& message) {
  archive(message.item);
}
template <class Archive>
void fields(Archive& archive, SealRequest& message) {
  archive(message.shard, message.rows);
}
template <class Archive>
void fields(Archive& archive, ShardIsSealed& message) {
  archive(message.shard, message.name, message.bytes, message.hash, message.content_sum, message.ranges);
}
template <class Archive>
void fields(Archive& archive, Beat& message) {
  archive(message.memory, message.utilisation, message.waits_for_disk);
}
template <class Archive>
void fields(Archive& archive, MemoryIsSet& message) {
  archive(message.number, message.granted, message.text, message.lanes);
}
template <class Archive>
void fields(Archive& archive, FootprintHasChanged& message) {
  archive(message.device_class, message.footprint);
}
template <class Archive>
void fields(Archive& archive, SetMemory& message) {
  archive(message.number, message.config);
}
template <class Archive>
void fields(Archive&, StopRequest&) {}
template <class Archive>
void fields(Archive& archive, WorkerGivesUp& message) {
  archive(message.code, message.text);
}
template <class Archive>
void fields(Archive& archive, ExtentClass& extents) {
  archive(extents.extent, extents.count);
}
template <class Archive>
void fields(Archive& archive, Welcome& message) {
  archive(message.version, message.epoch, message.run_folder, message.run_id, message.config, message.config_folder,
          message.model_digest, message.extents, message.output_channels, message.roots);
}
template <class Archive>
void fields(Archive& archive, AssignedItem& item) {
  archive(item.item, item.attempt, item.place, item.header, item.output_extent, item.blocks);
}
template <class Archive>
void fields(Archive& archive, AssignUnit& message) {
  archive(message.items, message.seal_after_ms);
}
template <class Archive>
void fields(Archive& archive, GiveBack& message) {
  archive(message.patience_ms);
}
template <class Archive>
void fields(Archive&, SealPlease&) {}
template <class Archive>
void fields(Archive& archive, SealAnswer& message) {
  archive(message.shard, message.wanted);
}
template <class Archive>
void fields(Archive& archive, DeleteShard& message) {
  archive(message.shard);
}
template <class Archive>
void fields(Archive& archive, ProbeBatch& message) {
  archive(message.task, message.places);
}
template <class Archive>
void fields(Archive& archive, ProbedBatch& message) {
  archive(message.task, message.headers);
}
template <class Archive>
void fields(Archive& archive, ShardIsLost& message) {
  archive(message.shard, message.number, message.text);
}
template <class Archive>
void fields(Archive&, SpaceIsBack&) {}
template <class Archive>
void fields(Archive& archive, Leave& message) {
  archive(message.code);
}

}  // namespace pantile
