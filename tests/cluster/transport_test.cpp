#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "cluster/backoff.hpp"
#include "cluster/in_process.hpp"
#include "cluster/messages.hpp"

namespace pantile {
namespace {

using namespace std::chrono_literals;

Bytes number(std::uint32_t value) { return std::move(Writer{}.put(value)).bytes(); }

TEST(InProcess, KeepsTheOrderOfEachSender) {
  const auto ends = in_process_ends(3);
  constexpr std::uint32_t count = 2'000;
  {
    std::vector<std::jthread> senders;
    for (int i : {1, 2}) {
      senders.emplace_back([&ends, i] {
        for (std::uint32_t k = 0; k < count; ++k) {
          ends[static_cast<std::size_t>(i)]->send(RankId{0}, number(k));
        }
      });
    }
  }
  std::array<std::uint32_t, 3> next{};
  while (const auto envelope = ends[0]->poll()) {
    Reader reader{envelope->payload};
    EXPECT_EQ(reader.get<std::uint32_t>(), next.at(static_cast<std::size_t>(index(envelope->from)))++);
  }
  EXPECT_EQ(next, (std::array<std::uint32_t, 3>{0, count, count}));
}

TEST(InProcess, NothingThereIsNoMessage) {
  const auto ends = in_process_ends(2);
  EXPECT_FALSE(ends[1]->poll());
  EXPECT_TRUE(ends[1]->flushed());
}

TEST(Backoff, IsAtItsLongestAfterAboutTenMillisecondsAndNeverLonger) {
  Backoff backoff;
  EXPECT_EQ(backoff.next(), 20us);
  auto waited = 20us;
  while (waited < 12ms) {
    waited += backoff.next();
  }
  EXPECT_EQ(backoff.next(), 1000us);
  EXPECT_EQ(backoff.next(), 1000us);
  backoff.reset();
  EXPECT_EQ(backoff.next(), 20us);
}

TEST(Messages, ComeBackAsTheyWereSent) {
  const AssignUnit unit{{{ItemId{3},
                          2,
                          {RootKind::zip, "a.cbz", 99, "b.png", 7, 1234},
                          {10, 20},
                          {20, 40},
                          {{OutputId{0}, BlockId{1}, 4}}}},
                        1500};
  const auto back = decode_message<ToWorker>(encode_message(ToWorker{unit}));
  const auto& assigned = std::get<AssignUnit>(back);
  ASSERT_EQ(assigned.items.size(), 1U);
  EXPECT_EQ(assigned.items[0].place, unit.items[0].place);
  EXPECT_EQ(assigned.items[0].output_extent, (Extent{20, 40}));
  EXPECT_EQ(assigned.items[0].blocks, unit.items[0].blocks);
  EXPECT_EQ(assigned.seal_after_ms, 1500);
}

TEST(Messages, TheVersionComesFirstSoThatAnyVersionCanReadIt) {
  Hello hello;
  hello.version = 77;
  const Bytes bytes = encode_message(ToCoordinator{hello});
  Reader reader{std::span{bytes}.subspan(1)};
  EXPECT_EQ(reader.get<std::uint32_t>(), 77U);
}

}  // namespace
}  // namespace pantile
