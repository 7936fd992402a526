#pragma once
// Ids are types, so that a rank cannot pass for an item. `index(id)` is the only way back to a number.

#include <compare>
#include <cstdint>
#include <type_traits>

namespace pantile {

enum class RankId : std::int32_t {};     ///< An end of the transport: 0 is the coordinator, the others are workers.
enum class ItemId : std::uint64_t {};    ///< Position in the catalog; stable across restarts, ranks and orders.
enum class OutputId : std::uint16_t {};  ///< Position in the config's `outputs`.
enum class BlockId : std::uint32_t {};   ///< Row-major position in the block grid of one item's output.
enum class ShardId : std::uint32_t {};   ///< Counter of the shards one worker opened in one epoch.
enum class Epoch : std::uint32_t {};     ///< Counts the starts of a run: 1 for the first, +1 for each resume.

/// The number behind an id.
template <class Id>
requires std::is_enum_v<Id>
[[nodiscard]] constexpr auto index(Id id) noexcept { return static_cast<std::underlying_type_t<Id>>(id); }

/// What is committed at once: one block of one output of one item.
struct BlockKey {
  ItemId item{};
  OutputId output{};
  BlockId block{};
  auto operator<=>(const BlockKey&) const = default;
};

}  // namespace pantile
