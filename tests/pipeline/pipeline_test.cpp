#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <thread>

#include "pipeline/arena.hpp"
#include "pipeline/bounded_queue.hpp"
#include "pipeline/executor_protocol.hpp"
#include "pipeline/link.hpp"

namespace pantile {
namespace {

using namespace std::chrono_literals;

TEST(ArenaSpace, SlotsNeverOverlapAndAllComesBack) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 dice{seed};
    ArenaSpace space{1 << 16};
    std::vector<Slot> out;
    for (int step = 0; step < 300; ++step) {
      if (dice() % 2 == 0 || out.empty()) {
        if (const auto slot = space.take(1 + dice() % 5000)) {
          for (const Slot& other : out) {
            EXPECT_TRUE(slot->offset + slot->bytes <= other.offset || other.offset + other.bytes <= slot->offset);
          }
          EXPECT_LE(slot->offset + slot->bytes, space.capacity());
          out.push_back(*slot);
        }
      } else {
        const std::size_t at = dice() % out.size();
        space.give_back(out[at]);
        out.erase(out.begin() + static_cast<std::ptrdiff_t>(at));
      }
    }
    for (const Slot& slot : out) {
      space.give_back(slot);
    }
    EXPECT_EQ(space.used(), 0U);
    EXPECT_TRUE(space.take(space.capacity())) << "all gaps are one again";
  }
}

TEST(ArenaSpace, RefusesWhatDoesNotFitNow) {
  ArenaSpace space{1024};
  const auto first = space.take(600);
  ASSERT_TRUE(first);
  EXPECT_FALSE(space.take(600));
  space.give_back(*first);
  EXPECT_TRUE(space.take(600));
}

TEST(ArenaSpaceDeathTest, ASlotComesBackOnce) {
  ArenaSpace space{1024};
  const Slot slot = *space.take(64);
  const Slot other = *space.take(64);
  space.give_back(slot);
  EXPECT_DEATH(space.give_back(slot), "a slot comes back once");
  space.give_back(other);
}

TEST(Arena, HoldsWhatIsWritten) {
  const Arena arena{1 << 20};
  const Slot slot{4096, 8192};
  std::ranges::fill(arena.at(slot), std::byte{7});
  EXPECT_EQ(arena.at({4096, 1})[0], std::byte{7});
  EXPECT_EQ(arena.at({12287, 1})[0], std::byte{7});
  EXPECT_EQ(arena.at({12288, 1})[0], std::byte{0});
}

TEST(BoundedQueue, IsBoundedInBytes) {
  BoundedQueue<int> queue{100};
  EXPECT_TRUE(queue.push(1, 60));
  EXPECT_TRUE(queue.push(2, 40));
  std::atomic<bool> third_is_in{false};
  std::jthread pusher{[&] {
    queue.push(3, 1);
    third_is_in = true;
  }};
  std::this_thread::sleep_for(50ms);
  EXPECT_FALSE(third_is_in) << "the queue holds 100 bytes already";
  EXPECT_EQ(queue.pop(), 1);
  pusher.join();
  EXPECT_EQ(queue.pop(), 2);
  EXPECT_EQ(queue.pop(), 3);
  EXPECT_EQ(queue.bytes(), 0U);
}

TEST(BoundedQueue, LetsAnEntryLargerThanItsBoundPassAlone) {
  BoundedQueue<int> queue{10};
  EXPECT_TRUE(queue.push(1, 1000));
  EXPECT_EQ(queue.pop(), 1);
}

TEST(BoundedQueue, ClosingWakesAllAndKeepsWhatIsThere) {
  BoundedQueue<int> queue{10};
  queue.push(1, 10);
  std::jthread waiting_for_room{[&] { EXPECT_FALSE(queue.push(2, 10)); }};
  std::this_thread::sleep_for(20ms);
  queue.close();
  waiting_for_room.join();
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(Link, PassesMessagesBothWaysInOrder) {
  LinkPair pair = linked_threads();
  std::jthread executor{[&] {
    for (int i = 0; i < 1000; ++i) {
      const auto message = pair.executor->receive(1s);
      ASSERT_TRUE(message);
      pair.executor->send(*message);
    }
  }};
  for (std::uint32_t i = 0; i < 1000; ++i) {
    pair.rank->send(std::move(Writer{}.put(i)).bytes());
  }
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const auto back = pair.rank->receive(1s);
    ASSERT_TRUE(back);
    EXPECT_EQ(Reader{*back}.get<std::uint32_t>(), i);
  }
  EXPECT_FALSE(pair.rank->receive(0ms));
}

TEST(ExecutorProtocol, FactsOfTheModelCrossUnchanged) {
  Opened opened;
  opened.facts.geometry = {.scale = 2, .halo = {7, 7, 7, 7}, .padding = Padding::valid, .min_tile_px = 16};
  opened.facts.layers = {{.macs_per_px = 3, .numerator = 2, .denominator = 1, .shrink = {14, 14}}};
  opened.probes = {{{48, 96}, 12345}};
  const auto message = decode_message<FromExecutor>(encode_message(FromExecutor{opened}));
  const auto& back = std::get<Opened>(message);
  EXPECT_EQ(back.facts.geometry.scale, 2);
  EXPECT_EQ(back.facts.geometry.halo, opened.facts.geometry.halo);
  EXPECT_EQ(back.facts.layers.at(0).shrink, (Extent{14, 14}));
  EXPECT_EQ(back.probes.at(0).peak_bytes, 12345U);
}

}  // namespace
}  // namespace pantile
