#pragma once
// What is damaged or no longer named is put aside, never deleted: it may be the only copy of something.

#include <filesystem>
#include <string_view>

#include "store/format.hpp"

namespace pantile {

/// Moves shards to a folder of their own, `shards`.WORD-N, which is made with the first of them. Both folders are
/// synced. Throws Error.
class ShardsAside {
 public:
  ShardsAside(const RunLayout& layout, std::string_view word) : layout_{layout}, word_{word} {}
  /// Nothing happens if there is no such shard.
  void move(std::string_view shard);
  /// Empty if nothing was moved.
  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }

 private:
  const RunLayout& layout_;
  std::string_view word_;
  std::filesystem::path folder_;
};

/// A second name, `path`.bad-N, for a file that is about to be replaced. Nothing if it is not there. Throws Error.
void keep_aside(const std::filesystem::path& path);

}  // namespace pantile
