#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
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

TEST(ArenaSpace, ALowerLimitHoldsForWhatIsTakenFromThenOn) {
  ArenaSpace space{1024};
  EXPECT_EQ(space.highest_end(), 0U);
  const Slot low = *space.take(256);
  const Slot high = *space.take(512);
  EXPECT_EQ(space.highest_end(), 768U);
  space.set_limit(512);
  EXPECT_FALSE(space.take(64)) << "all that is free lies above";
  space.give_back(low);
  EXPECT_TRUE(space.take(256));
  EXPECT_EQ(space.highest_end(), 768U) << "what is out stays";
  space.give_back(high);
  EXPECT_EQ(space.highest_end(), 256U);
  EXPECT_TRUE(space.take(256));
  EXPECT_FALSE(space.take(64));
  space.set_limit(1024);
  EXPECT_TRUE(space.take(512));
  EXPECT_EQ(space.highest_end(), 1024U);
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

LinkPair linked_sockets() {
  std::array<int, 2> ends{};
  expect(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0, "a socket pair can be made");
  return {linked_by_socket(File{ends[0]}), linked_by_socket(File{ends[1]})};
}

class LinkTest : public ::testing::TestWithParam<LinkPair (*)()> {};
INSTANTIATE_TEST_SUITE_P(Ways, LinkTest, ::testing::Values(&linked_threads, &linked_sockets));

TEST_P(LinkTest, PassesMessagesBothWaysInOrder) {
  LinkPair pair = GetParam()();
  std::jthread executor{[&] {
    for (int i = 0; i < 1000; ++i) {
      const auto message = pair.executor->receive(1s);
      ASSERT_TRUE(message);
      pair.executor->send(*message);
    }
    EXPECT_TRUE(pair.executor->receive(10s)) << "listening, it sends on what did not fit";
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
  pair.rank->send(Bytes(1));
}

TEST_P(LinkTest, NeverBlocksWhoeverSendsHoweverMuch) {
  // 64 MB, far more than a socket holds, before the other end reads any of it.
  LinkPair pair = GetParam()();
  constexpr std::uint32_t count = 64;
  for (std::uint32_t i = 0; i < count; ++i) {
    pair.rank->send(Bytes(1'000'000 + i, static_cast<std::byte>(i)));
  }
  std::jthread reader{[&] {
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto message = pair.executor->receive(10s);
      ASSERT_TRUE(message);
      EXPECT_EQ(*message, Bytes(1'000'000 + i, static_cast<std::byte>(i)));
    }
    pair.executor->send(Bytes(3));
  }};
  // What did not fit goes out while this end listens.
  EXPECT_EQ(pair.rank->receive(20s), Bytes(3));
  EXPECT_FALSE(pair.rank->closed());
}

TEST(SocketLink, GivesWholeMessagesUpToTheEndAndNothingOfATornOne) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const auto link = linked_by_socket(File{ends[0]});
  {
    const auto other = linked_by_socket(File{ends[1]});
    other->send(Bytes(5, std::byte{1}));
    other->send(Bytes(7, std::byte{2}));
    const std::array<char, 6> torn{100, 0, 0, 0, 3, 3};  // 100 bytes are announced, two come
    ASSERT_EQ(::write(ends[1], torn.data(), torn.size()), 6);
  }
  EXPECT_EQ(link->receive(1s), Bytes(5, std::byte{1}));
  EXPECT_FALSE(link->closed()) << "something is left to be received";
  EXPECT_EQ(link->receive(1s), Bytes(7, std::byte{2}));
  EXPECT_FALSE(link->receive(1s));
  EXPECT_TRUE(link->closed());
  link->send(Bytes(9));  // To nobody: no signal, no error.
}

TEST(SocketLink, ClosesAtWhatCannotBeAMessage) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const auto link = linked_by_socket(File{ends[0]}, 1000);
  const File other{ends[1]};
  const std::array<std::uint32_t, 4> said{4, 7, 1001, 0};
  ASSERT_EQ(::write(other.get(), said.data(), sizeof said), ssize_t{sizeof said});
  EXPECT_EQ(link->receive(1s), std::move(Writer{}.put(std::uint32_t{7})).bytes());
  EXPECT_FALSE(link->closed());
  EXPECT_THROW(static_cast<void>(link->receive(1s)), WireError);
  EXPECT_TRUE(link->closed()) << "nobody knows where the next message begins";
  EXPECT_EQ(link->receive(0ms), std::nullopt);
  link->send(Bytes(9));
}

TEST(SocketLink, ReadsLittleAtATimeHoweverMuchComes) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const auto link = linked_by_socket(File{ends[0]}, 1000);
  const File other{ends[1]};
  const auto fill = [&] {
    const std::vector<std::byte> messages(4096);  // Each of four zeros: nothing is said, a thousand times.
    ssize_t all = 0;
    for (ssize_t sent = 0; sent >= 0; all += std::max<ssize_t>(0, sent)) {
      sent = ::send(other.get(), messages.data(), messages.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return all;
  };
  const ssize_t held = fill();
  ASSERT_GT(held, 100'000) << "what a socket holds";
  ASSERT_EQ(link->receive(10s), Bytes{});
  EXPECT_LT(fill(), held * 3 / 4) << "most of it is still there";
}

TEST(Arena, IsTheSameMemoryThroughAnotherDescriptor) {
  const Arena ours{1 << 20};
  const Arena theirs{File{::dup(ours.descriptor())}, ours.capacity()};
  theirs.at({4096, 10})[3] = std::byte{42};
  EXPECT_EQ(ours.at({4096, 10})[3], std::byte{42});
}

Calibration some_calibration() {
  Footprint footprint{
      AllocationPattern{16, {{.growth = {.factors = {1, 2, 3, 4, 5}, .with_batch = 3}, .born = 0, .died = 1}}}};
  footprint.observe({64, 64}, 2, 1 << 20);
  footprint.forbid({900, 900}, 1, 1 << 30);
  return {.key = {{1, 2}, "f32", "cpu:avx2", "an engine"},
          .weights_bytes = 7,
          .probes = {{{48, 96}, 12345}},
          .footprint = footprint,
          .is_cut_short = true};
}

TEST(ExecutorProtocol, FactsOfTheModelCrossUnchanged) {
  Opened opened;
  opened.facts.geometry = {.scale = 2, .halo = {7, 7, 7, 7}, .padding = Padding::valid, .min_tile_px = 16};
  opened.facts.layers = {{.macs_per_px = 3, .numerator = 2, .denominator = 1, .shrink = {14, 14}}};
  opened.calibration = some_calibration();
  const auto message = decode_message<FromExecutor>(encode_message(FromExecutor{opened}));
  const auto& back = std::get<Opened>(message);
  EXPECT_EQ(back.facts.geometry.scale, 2);
  EXPECT_EQ(back.facts.geometry.halo, opened.facts.geometry.halo);
  EXPECT_EQ(back.facts.layers.at(0).shrink, (Extent{14, 14}));
  EXPECT_EQ(back.calibration, opened.calibration);
}

TEST(ExecutorProtocol, WhatIsKnownOfAModelReachesTheExecutor) {
  const Open open{.config = "schema: 1", .config_folder = "/", .model_digest = {}, .known = {some_calibration(), {}}};
  const auto message = decode_message<ToExecutor>(encode_message(ToExecutor{open}));
  EXPECT_EQ(std::get<Open>(message).known, open.known);
}

}  // namespace
}  // namespace pantile
