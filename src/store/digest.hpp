#pragma once
// Digests of content: what `verify` prints, and what proves that two runs made the same pixels.
//
// An output is cut into cells of 256 × 256 pixels from (0, 0) of the item's output. A cell's digest is
//     xxh3_128( u64 item | u16 output | u16 dtype | u32 cell y | u32 cell x | u32 h | u32 w | values )
// all little-endian and without gaps; cell y and x count cells (pixel position / 256), h and w are the cell's pixels
// (smaller at the far edges), values are row-major (h, w, channels) with floats by bit pattern and every NaN as the
// canonical quiet one (0x7fc00000, 0x7e00). A block's digest is the sum mod 2^128 over its cells, an item's over its
// blocks, a run's over its items: none depends on which shard, rank or order they came from. The channels need no field
// of their own: they follow from the number of values.

#include <cstddef>
#include <span>

#include "base/extent.hpp"
#include "base/hash.hpp"
#include "base/ids.hpp"
#include "base/records.hpp"
#include "base/result.hpp"

namespace pantile {

/// Digest of one block, or of any rectangle of an item's output that starts on a cell. `pixels` are its values, dense,
/// row-major (rect.height, rect.width, channels). Pure; any thread. Precondition: rect.y and rect.x are multiples of
/// cell_side_px, and `pixels` has exactly area × channels × size_of(dtype) bytes.
[[nodiscard]] Hash128 block_digest(ItemId item, OutputId output, DType dtype, const Rect& rect, int channels,
                                   std::span<const std::byte> pixels);

/// What an item in quarantine adds to the run digest: xxh3_128(u64 item | u16 0xffff | u16 fault) if its own bytes are
/// to blame (is_bad_input), nothing otherwise: a sick machine must not look like a property of the data.
[[nodiscard]] Hash128 quarantine_digest(ItemId item, Fault fault);

}  // namespace pantile
