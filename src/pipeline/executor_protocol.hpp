#pragma once
// What a rank and its executor say to each other. Pixels never travel here: they lie in the arena, and messages name
// slots.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/message.hpp"
#include "base/result.hpp"
#include "codec/header_facts.hpp"
#include "device/calibration.hpp"
#include "model/facts.hpp"
#include "pipeline/arena.hpp"
#include "source/item_place.hpp"

namespace pantile {

// ---- rank → executor ------------------------------------------------------------------------------------------------

/// The first message: get ready. Answered by Opened or OpenFailed.
struct Open {
  std::string config;  ///< effective text
  std::string config_folder;
  Hash128 model_digest;             ///< the model file must have it
  std::uint64_t cap_bytes = 0;      ///< of the device, all included
  std::uint64_t outside_bytes = 0;  ///< of it, taken by the rank for good: a process of its own
  Extent check_tile{};  ///< core input pixels; not empty: tiles of nothing are made first, to see that the device can
  std::int32_t check_lanes = 1;      ///< how many of them at once
  std::vector<Calibration> known{};  ///< of this model: one of this device and engine, if any, is taken as it is
};
/// What lanes and decoder may use, as it is planned: plan/memory_layout.
struct DeviceUse {
  std::uint64_t engine_bytes = 0;   ///< tiles and decoded pixels
  std::uint64_t decoded_bytes = 0;  ///< decoded pixels, of that
  Extent tile;                      ///< core input pixels of the largest tile
  std::int32_t lanes = 1;           ///< at work at once
  /// What is there already of decoded pixels may pass its share as long as it is needed; one tile of so many bytes
  /// finds room beside it.
  std::uint64_t least_tile_bytes = 0;
  bool is_passing = false;  ///< more room will come soon: it is waited for
};
/// The tiles are planned: start so many lanes.
struct StartLanes {
  std::int32_t lanes = 1;
  DeviceUse use;
};
/// The plan has changed: it holds from the next tile on.
struct ChangeUse {
  DeviceUse use;
};
/// Make tiles of nothing, to see how fast they are; instead of StartLanes. Answered by TilesTimed.
struct TimeTiles {
  Extent tile;             ///< core input pixels
  std::int32_t lanes = 1;  ///< all at work at once: those of every worker of the node
  std::uint64_t cap_bytes = 0;
  std::uint32_t least_ms = 0;
};
/// Make one block. Answered by BlockIsDone or BlockHasFailed, once.
struct RunBlock {
  std::uint64_t ticket = 0;
  BlockKey key;
  std::uint32_t attempt = 1;
  ItemPlace place;                    ///< of the item
  HeaderFacts header;                 ///< of the item, by the catalog
  Rect rect;                          ///< of the block, output pixels of the item
  Extent tile;                        ///< core input pixels
  Slot slot;                          ///< where the block's pixels go
  bool last_of_item = false;          ///< the decoded image is not needed for another block
  std::uint32_t strip = 0;            ///< block columns whose pixels are decoded together; 0: all
  std::vector<std::uint32_t> made{};  ///< tiles whose pixels lie in the slot already: an executor died over the block
};
/// The tiles of these blocks that are not begun need not be made; each block is still answered.
struct CancelBlocks {
  std::vector<std::uint64_t> tickets;
};
/// Finish what lanes have begun, answer no more, end.
struct StopExecutor {};

using ToExecutor = std::variant<Open, StartLanes, RunBlock, CancelBlocks, StopExecutor, TimeTiles, ChangeUse>;

// ---- executor → rank ------------------------------------------------------------------------------------------------

struct Opened {
  std::string device_class;
  std::string engine;
  std::uint64_t standing_bytes = 0;   ///< of any cap, taken for good: program, libraries, weights
  std::uint64_t least_cap_bytes = 0;  ///< the cap was too small to open the model under it: this would have done
  ModelFacts facts;
  Calibration calibration;
};
struct TilesTimed {
  double tiles_per_s = 0;  ///< of all lanes together; 0: they could not be made
};
/// Also said later, when an open executor cannot go on.
struct OpenFailed {
  std::int32_t code = 1;  ///< ExitCode
  std::string text;
  bool again = true;  ///< another executor may do better
};
/// Its item is being read and decoded: from here on a death of the executor may be the item's doing.
struct BlockBegins {
  std::uint64_t ticket = 0;
};
/// The pixels of this tile are in the block's slot. Not said of a block's last tile, and perhaps after BlockIsDone.
struct TileIsMade {
  std::uint64_t ticket = 0;
  std::uint32_t tile = 0;
};
struct BlockIsDone {
  std::uint64_t ticket = 0;
  Hash128 digest;
  std::uint64_t input_xxh3 = 0;
  float milliseconds = 0;
  std::uint64_t peak_bytes = 0;
  Extent input;          ///< what the model was shown for that peak
  Extent tile;           ///< the smallest that was run
  Extent out_of_memory;  ///< input extent that the cap refused; empty if none
  std::uint32_t lane = 0;
  std::int64_t begin_us = 0;  ///< of the steady clock
  std::int64_t end_us = 0;
};
struct BlockHasFailed {
  std::uint64_t ticket = 0;
  Fault fault = Fault::none;
  std::string detail;
};
struct DecodeSpan {
  ItemId item{};
  std::int64_t begin_us = 0;
  std::int64_t end_us = 0;
};
struct ExecutorBeat {
  std::uint64_t resident_bytes = 0;  ///< of its process, which may be the rank's
  std::uint64_t peak_bytes = 0;      ///< the most that was resident
  std::int64_t busy_us = 0;          ///< of all lanes since the start
};

using FromExecutor = std::variant<Opened, OpenFailed, BlockIsDone, BlockHasFailed, DecodeSpan, ExecutorBeat, TilesTimed,
                                  BlockBegins, TileIsMade>;

// ---- fields ---------------------------------------------------------------------------------------------------------

template <class Archive>
void fields(Archive& archive, Slot& slot) {
  archive(slot.offset, slot.bytes);
}
template <class Archive>
void fields(Archive& archive, Margin& margin) {
  archive(margin.top, margin.left, margin.bottom, margin.right);
}
template <class Archive>
void fields(Archive& archive, TileGeometry& geometry) {
  archive(geometry.scale, geometry.halo, geometry.padding, geometry.min_tile_px, geometry.alignment_px,
          geometry.whole_only);
}
template <class Archive>
void fields(Archive& archive, LayerCost& layer) {
  archive(layer.macs_per_px, layer.numerator, layer.denominator, layer.shrink);
}
template <class Archive>
void fields(Archive& archive, TensorFacts& tensor) {
  archive(tensor.name, tensor.type, tensor.dims, tensor.has_rank);
}
template <class Archive>
void fields(Archive& archive, ModelFacts& facts) {
  archive(facts.inputs, facts.outputs, facts.input_name, facts.output_name, facts.channel_place, facts.input_channels,
          facts.output_channels, facts.fixed, facts.local, facts.why_not_local, facts.makes_image, facts.followed,
          facts.geometry, facts.layers, facts.weights_bytes, facts.weight_files);
}
template <class Archive>
void fields(Archive& archive, Open& message) {
  archive(message.config, message.config_folder, message.model_digest, message.cap_bytes, message.outside_bytes,
          message.check_tile, message.check_lanes, message.known);
}
template <class Archive>
void fields(Archive& archive, DeviceUse& use) {
  archive(use.engine_bytes, use.decoded_bytes, use.tile, use.lanes, use.least_tile_bytes, use.is_passing);
}
template <class Archive>
void fields(Archive& archive, StartLanes& message) {
  archive(message.lanes, message.use);
}
template <class Archive>
void fields(Archive& archive, ChangeUse& message) {
  archive(message.use);
}
template <class Archive>
void fields(Archive& archive, RunBlock& message) {
  archive(message.ticket, message.key, message.attempt, message.place, message.header, message.rect, message.tile,
          message.slot, message.last_of_item, message.strip, message.made);
}
template <class Archive>
void fields(Archive& archive, CancelBlocks& message) {
  archive(message.tickets);
}
template <class Archive>
void fields(Archive&, StopExecutor&) {}
template <class Archive>
void fields(Archive& archive, TimeTiles& message) {
  archive(message.tile, message.lanes, message.cap_bytes, message.least_ms);
}
template <class Archive>
void fields(Archive& archive, TilesTimed& message) {
  archive(message.tiles_per_s);
}
template <class Archive>
void fields(Archive& archive, Opened& message) {
  archive(message.device_class, message.engine, message.standing_bytes, message.least_cap_bytes, message.facts,
          message.calibration);
}
template <class Archive>
void fields(Archive& archive, OpenFailed& message) {
  archive(message.code, message.text, message.again);
}
template <class Archive>
void fields(Archive& archive, BlockBegins& message) {
  archive(message.ticket);
}
template <class Archive>
void fields(Archive& archive, TileIsMade& message) {
  archive(message.ticket, message.tile);
}
template <class Archive>
void fields(Archive& archive, BlockIsDone& message) {
  archive(message.ticket, message.digest, message.input_xxh3, message.milliseconds, message.peak_bytes, message.input,
          message.tile, message.out_of_memory, message.lane, message.begin_us, message.end_us);
}
template <class Archive>
void fields(Archive& archive, BlockHasFailed& message) {
  archive(message.ticket, message.fault, message.detail);
}
template <class Archive>
void fields(Archive& archive, DecodeSpan& message) {
  archive(message.item, message.begin_us, message.end_us);
}
template <class Archive>
void fields(Archive& archive, ExecutorBeat& message) {
  archive(message.resident_bytes, message.peak_bytes, message.busy_us);
}

}  // namespace pantile
