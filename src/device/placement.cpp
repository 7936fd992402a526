#include "device/placement.hpp"

#include <algorithm>
#include <numeric>

#include "device/process_memory.hpp"

namespace pantile {

namespace {

constexpr std::size_t with_frame(std::size_t payload_bytes) { return block_header + payload_bytes + block_padding; }

bool overlap(const TracedBlock& a, const TracedBlock& b) { return a.born < b.died && b.born < a.died; }

}  // namespace

std::size_t slab_bytes_of(std::size_t payload_bytes) noexcept {
  const std::size_t bytes = with_frame(payload_bytes);
  return bytes >= big_block_bytes ? whole_pages(bytes) : 0;
}

std::size_t heap_bytes_of(std::size_t payload_bytes) noexcept {
  const std::size_t bytes = with_frame(payload_bytes);
  return bytes >= big_block_bytes ? 0 : (bytes + block_alignment - 1) / block_alignment * block_alignment;
}

std::vector<std::uint64_t> place(std::span<const TracedBlock> blocks) {
  std::vector<std::size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return blocks[a].bytes > blocks[b].bytes; });

  std::vector<std::uint64_t> offsets(blocks.size(), 0);
  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t block : order) {
    if (blocks[block].bytes == 0) {
      break;
    }
    std::uint64_t offset = 0;
    for (const std::size_t other : placed) {
      if (overlap(blocks[block], blocks[other])) {
        if (offset + blocks[block].bytes <= offsets[other]) {
          break;
        }
        offset = std::max(offset, offsets[other] + blocks[other].bytes);
      }
    }
    offsets[block] = offset;
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), block, [&](auto a, auto b) { return offsets[a] < offsets[b]; }),
        block);
  }
  return offsets;
}

std::uint64_t live_peak(std::span<const TracedBlock> blocks) {
  std::vector<const TracedBlock*> dying;  // the next to die last
  dying.reserve(blocks.size());
  for (const TracedBlock& block : blocks) {
    dying.push_back(&block);
  }
  std::sort(dying.begin(), dying.end(), [](const auto* a, const auto* b) { return a->died > b->died; });
  std::uint64_t live = 0;
  std::uint64_t peak = 0;
  for (const TracedBlock& block : blocks) {
    for (; dying.back()->died <= block.born; dying.pop_back()) {
      live -= dying.back()->bytes;
    }
    live += block.bytes;
    peak = std::max(peak, live);
  }
  return peak;
}

RunPlan plan_run(std::span<const TracedBlock> blocks) {
  std::vector<TracedBlock> in_slab{blocks.begin(), blocks.end()};
  std::vector<TracedBlock> on_heap = in_slab;
  for (std::size_t at = 0; at < blocks.size(); ++at) {
    in_slab[at].bytes = slab_bytes_of(blocks[at].bytes);
    on_heap[at].bytes = heap_bytes_of(blocks[at].bytes);
  }
  const std::vector<std::uint64_t> offsets = place(in_slab);
  RunPlan plan;
  for (std::size_t at = 0; at < blocks.size(); ++at) {
    plan.blocks.push_back({.payload_bytes = blocks[at].bytes, .offset = offsets[at]});
    plan.peak_bytes = std::max(plan.peak_bytes, in_slab[at].bytes > 0 ? offsets[at] + in_slab[at].bytes : 0);
  }
  plan.peak_bytes += live_peak(on_heap);
  return plan;
}

}  // namespace pantile
