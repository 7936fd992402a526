#pragma once
// What the simulated model makes of a block: a few words that anybody can tell from its key alone.

#include <cstring>

#include "base/hash.hpp"
#include "base/ids.hpp"
#include "base/wire.hpp"

namespace pantile::sim {

inline std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31U);
}
inline std::uint64_t mix(const BlockKey& key) {
  return mix(mix(index(key.item) * 3 + index(key.output)) + index(key.block) + 1);
}

inline std::uint32_t tiles_of(const BlockKey& key) { return 1 + static_cast<std::uint32_t>(mix(key) % 4); }
/// What stands for the pixels of a block: so many words, dealt out among its tiles.
inline constexpr std::size_t block_words = 4;
inline constexpr std::size_t block_bytes = block_words * sizeof(std::uint64_t);
inline std::uint64_t block_word(const BlockKey& key, std::size_t at) { return mix(mix(key) + 7 + at); }

inline void make_tile(const BlockKey& key, std::uint32_t tile, std::span<std::byte> block) {
  for (std::size_t at = tile; at < block_words; at += tiles_of(key)) {
    const std::uint64_t word = block_word(key, at);
    std::memcpy(block.data() + at * sizeof word, &word, sizeof word);
  }
}
inline Bytes block_pixels(const BlockKey& key) {
  Bytes pixels(block_bytes);
  for (std::uint32_t tile = 0; tile < tiles_of(key); ++tile) {
    make_tile(key, tile, pixels);
  }
  return pixels;
}
inline Hash128 block_digest(const BlockKey& key) { return xxh3_128(block_pixels(key)); }

}  // namespace pantile::sim
