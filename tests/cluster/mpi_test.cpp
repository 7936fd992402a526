// Started by mpirun at several sizes: a ring, a storm to rank 0, and what waiting costs.
#include "cluster/mpi.hpp"

#include <chrono>
#include <cstdio>
#include <thread>

#include "base/error.hpp"
#include "cluster/backoff.hpp"

namespace pantile {
namespace {

using namespace std::chrono_literals;

Envelope wait_for_one(Transport& transport) {
  Backoff backoff;
  for (;;) {
    if (auto envelope = transport.poll()) {
      return std::move(*envelope);
    }
    std::this_thread::sleep_for(backoff.next());
  }
}

Bytes number(std::uint64_t value) { return std::move(Writer{}.put(value)).bytes(); }
std::uint64_t number_in(const Envelope& envelope) { return Reader{envelope.payload}.get<std::uint64_t>(); }

/// Nobody begins the next part before rank 0 has ended this one.
void end_part(Transport& transport) {
  if (index(transport.self()) == 0) {
    for (int rank = 1; rank < transport.size(); ++rank) {
      transport.send(RankId{rank}, number(0));
    }
  } else {
    static_cast<void>(wait_for_one(transport));
  }
  flush(transport, 10s);
}

/// Each rank passes a growing number on; rank 0 gets the number of ranks back.
void ring(Transport& transport) {
  const auto self = index(transport.self());
  const RankId next{(self + 1) % transport.size()};
  if (self == 0) {
    transport.send(next, number(1));
    expect(number_in(wait_for_one(transport)) == static_cast<std::uint64_t>(transport.size()),
           "the ring counts all ranks");
  } else {
    const Envelope envelope = wait_for_one(transport);
    transport.send(next, number(number_in(envelope) + 1));
  }
  end_part(transport);
}

/// Every rank sends many messages at once, small ones and one of 8 MiB; they arrive in order.
void storm(Transport& transport) {
  constexpr std::uint64_t count = 1000;
  if (index(transport.self()) != 0) {
    for (std::uint64_t i = 0; i < count; ++i) {
      transport.send(RankId{0}, number(i));
    }
    transport.send(RankId{0}, Bytes(8 << 20));
    end_part(transport);
    return;
  }
  std::vector<std::uint64_t> next(static_cast<std::size_t>(transport.size()), 0);
  for (std::uint64_t left = (count + 1) * static_cast<std::uint64_t>(transport.size() - 1); left > 0; --left) {
    const Envelope envelope = wait_for_one(transport);
    auto& expected = next[static_cast<std::size_t>(index(envelope.from))];
    if (expected < count) {
      expect(number_in(envelope) == expected, "messages of one sender keep their order");
    } else {
      expect(envelope.payload.size() == 8 << 20, "a large message arrives whole");
    }
    ++expected;
  }
  end_part(transport);
}

/// A rank that waits a second looks for messages about a thousand times, not a million: it sleeps in between. (What
/// that costs is measured by tools/bench/idle_cost.py; a test of CPU time would fail on a busy machine.)
void idle(Transport& transport) {
  if (index(transport.self()) == 0) {
    std::this_thread::sleep_for(1s);
    end_part(transport);
    return;
  }
  Backoff backoff;
  int looks = 0;
  for (; !transport.poll(); ++looks) {
    std::this_thread::sleep_for(backoff.next());
  }
  expect(looks < 2000, "a rank that waits a second looks for messages about a thousand times");
}

/// Each rank says something of another length, rank 1 nothing at all; all of the node hear the same.
void exchange(const mpi::Environment& environment) {
  const auto words = [](int rank) { return Bytes(static_cast<std::size_t>(rank == 1 ? 0 : rank + 1), std::byte{7}); };
  const std::vector<Bytes> told = environment.exchange_on_node(words(environment.local_rank()));
  expect(static_cast<int>(told.size()) == environment.local_size(), "every rank of the node is heard");
  for (int rank = 0; rank < environment.local_size(); ++rank) {
    expect(told[static_cast<std::size_t>(rank)] == words(rank), "its words arrive as they were, in the order of ranks");
  }
}

int run() {
  mpi::Environment environment;
  exchange(environment);
  const auto transport = environment.transport();
  ring(*transport);
  storm(*transport);
  idle(*transport);
  if (environment.rank() == 0) {
    std::printf("%d ranks passed\n", environment.size());
  }
  return 0;
}

}  // namespace
}  // namespace pantile

int main() { return pantile::run(); }
