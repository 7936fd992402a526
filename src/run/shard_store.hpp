#pragma once
// Where a worker's finished blocks go. A worker knows its shards by this door alone; ShardThread is behind it, and in
// tests/sim something that needs no thread.

#include <optional>

#include "run/shard_desk.hpp"

namespace pantile {

/// Destroying it gives up what is not sealed: it never happened.
class ShardStore {
 public:
  ShardStore() = default;
  virtual ~ShardStore() = default;
  ShardStore(const ShardStore&) = delete;
  ShardStore& operator=(const ShardStore&) = delete;

  /// Never blocks. Orders are carried out one after another.
  virtual void tell(ShardOrder order) = 0;
  /// The next answer, if there is one.
  [[nodiscard]] virtual std::optional<ShardAnswer> poll() = 0;
  /// It is writing, or waits for the disk; but not for minutes in one piece, since a disk that does not answer at all
  /// is no excuse.
  [[nodiscard]] virtual bool waits_for_disk() const noexcept = 0;
};

}  // namespace pantile
