#pragma once
// The two-way line between a rank and its executor: whole messages as bytes, in order. A pair of queues between
// threads, or a socket between processes.

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "base/file.hpp"
#include "base/wire.hpp"

namespace pantile {

class Link {
 public:
  virtual ~Link() = default;
  /// Any thread. Never blocks.
  virtual void send(Bytes message) = 0;
  /// One thread. The next message, waiting for it at most `timeout`. Throws WireError, once, if what comes is none; the
  /// link is closed then.
  [[nodiscard]] virtual std::optional<Bytes> receive(std::chrono::milliseconds timeout) = 0;
  /// The thread that receives: nobody is at the other end any more, and all that was said has been received.
  [[nodiscard]] virtual bool closed() const = 0;
};

struct LinkPair {
  std::unique_ptr<Link> rank;
  std::unique_ptr<Link> executor;
};

[[nodiscard]] LinkPair linked_threads();

/// One end of a connected stream socket. A message is its length (u32) and its bytes; one that a death cut short is
/// never received, and one of more than `longest` bytes is none. What the other end does not take at once is kept, and
/// sent on by later calls. What it sends is read as it is received: 64 KiB beyond a message at most.
[[nodiscard]] std::unique_ptr<Link> linked_by_socket(File socket,
                                                     std::uint32_t longest = std::numeric_limits<std::uint32_t>::max());

}  // namespace pantile
