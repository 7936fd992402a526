#pragma once
// How the coordinator and its workers talk. Two ways behind one door: MPI between processes, queues within one.
// Everything above this line of code is the same for both.

#include <chrono>
#include <memory>
#include <optional>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/wire.hpp"

namespace pantile {

struct Envelope {
  RankId from{};
  Bytes payload;
};

/// The other ranks cannot be reached any more: one of them, or its machine, is gone. With Open MPI 4 that is the end of
/// all ranks.
class PeerLost : public Error {
 public:
  using Error::Error;
};

/// One end of the conversation. All calls of one end come from one thread. Neither call blocks, ever: a lost peer must
/// not hold the others. Messages from one sender arrive in the order they were sent.
class Transport {
 public:
  virtual ~Transport() = default;
  [[nodiscard]] virtual RankId self() const noexcept = 0;
  /// All ends, the coordinator (0) included.
  [[nodiscard]] virtual int size() const noexcept = 0;
  virtual void send(RankId to, Bytes payload) = 0;
  /// The next message, if one has arrived. Also lets earlier sends make progress.
  [[nodiscard]] virtual std::optional<Envelope> poll() = 0;
  /// True once everything sent has left this end; before that the end must keep polling.
  [[nodiscard]] virtual bool flushed() = 0;
};

/// Waits until everything sent has left this end, at most `patience`: the receiver may be gone.
void flush(Transport& transport, std::chrono::milliseconds patience);

}  // namespace pantile
