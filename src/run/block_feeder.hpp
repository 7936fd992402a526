#pragma once
// From an order to make a block to tiles that lanes can take: which pixels the block needs, decoded in as few parts as
// there is room for.

#include <cstdint>
#include <functional>
#include <span>

#include "pipeline/executor_protocol.hpp"
#include "pipeline/lanes.hpp"
#include "pipeline/model_stage.hpp"
#include "run/item_decoder.hpp"

namespace pantile {

struct FeedWatch {
  std::function<bool(std::uint64_t ticket)> is_off;    ///< cancelled: the rest of it need not be made
  std::function<void(const DecodeSpan&)> has_decoded;  ///< a part, and how long it took
  std::function<std::uint64_t()> room;                 ///< for decoded pixels, now
  std::function<bool()> is_crowded;                    ///< decoded pixels have taken room that was meant for tiles
};

/// Opens the block in the lanes and feeds it, or gives it up: the lanes tell what became of it. Each part is some rows
/// of its tiles. On the decoder's thread. `pixels`: where the block's pixels go. Throws MissingModule.
void feed_block(const RunBlock& run, ItemDecoder& decoder, const ModelStage& stage, Lanes& lanes,
                std::span<std::uint8_t> pixels, const FeedWatch& watch);

}  // namespace pantile
