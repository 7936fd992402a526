#pragma once
// The two-way line between a rank and its executor: whole messages as bytes, in order. Today a pair of queues between
// threads; a socketpair later, without a change to its callers.

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "base/wire.hpp"

namespace pantile {

class Link {
 public:
  virtual ~Link() = default;
  /// Any thread. Never blocks.
  virtual void send(Bytes message) = 0;
  /// One thread. The next message, waiting for it at most `timeout`.
  [[nodiscard]] virtual std::optional<Bytes> receive(std::chrono::milliseconds timeout) = 0;
};

struct LinkPair {
  std::unique_ptr<Link> rank;
  std::unique_ptr<Link> executor;
};

[[nodiscard]] LinkPair linked_threads();

}  // namespace pantile
