#pragma once
// Where finished pixels wait to be written: one piece of shared memory that the rank owns and the executor maps. Data
// crosses between them as (offset, bytes), never as a pointer, so that the executor can become a process of its own.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "base/file.hpp"

namespace pantile {

/// A part of the arena.
struct Slot {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Slot&) const = default;
};

/// Decides which part of the arena is whose. Pure; first fit at the lowest offset, slots padded to 64 bytes.
/// Invariant: slots given out and not returned never overlap.
class ArenaSpace {
 public:
  explicit ArenaSpace(std::uint64_t capacity);
  /// Nothing if no gap is large enough now, or it would end above the limit.
  [[nodiscard]] std::optional<Slot> take(std::uint64_t bytes);
  /// Slots are taken below `bytes` from now on; those above stay as long as they are not given back. The capacity at
  /// first.
  void set_limit(std::uint64_t bytes) noexcept { limit_ = bytes; }
  /// The end of the highest slot that is out.
  [[nodiscard]] std::uint64_t highest_end() const noexcept;
  /// Precondition: `slot` came from take() and was not given back.
  void give_back(const Slot& slot);
  [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::uint64_t used() const noexcept { return used_; }

 private:
  std::uint64_t capacity_;
  std::uint64_t limit_;
  std::uint64_t used_ = 0;
  std::map<std::uint64_t, std::uint64_t> gaps_;  ///< offset → bytes, never adjacent to each other
};

/// The memory itself (memfd, mapped shared). Pages count as resident once they are touched.
class Arena {
 public:
  /// Throws Error if the system has no such memory.
  explicit Arena(std::uint64_t capacity);
  /// Maps what another process has created, and handed over as a file descriptor.
  Arena(File file, std::uint64_t capacity);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  [[nodiscard]] std::span<std::byte> at(const Slot& slot) const;
  /// Gives the pages of a slot back to the system; their content is lost.
  void forget(const Slot& slot) const noexcept;
  [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }
  /// For a process that is to map it too.
  [[nodiscard]] int descriptor() const noexcept { return file_.get(); }

 private:
  void map();
  File file_;
  std::byte* base_ = nullptr;
  std::uint64_t capacity_;
};

}  // namespace pantile
