#include "plan/waiting_list.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace pantile {
namespace {

TEST(WaitingList, AgreesWithASortedSetWhateverIsInsertedAndErased) {
  for (const std::size_t size : {1U, 2U, 63U, 64U, 65U, 4096U, 4097U, 20'000U}) {
    SCOPED_TRACE(size);
    std::mt19937_64 random{size};
    std::vector<std::uint64_t> costs(size);
    for (auto& cost : costs) {
      cost = 1 + random() % 1000;
    }
    WaitingList list{costs};
    const auto larger = [&](std::uint32_t a, std::uint32_t b) {
      return std::pair{costs[b], a} < std::pair{costs[a], b};
    };
    std::set<std::uint32_t, decltype(larger)> expected{larger};
    std::uint64_t total = 0;
    for (int step = 0; step < 2000; ++step) {
      const auto item = static_cast<std::uint32_t>(random() % size);
      ASSERT_EQ(list.contains(item), expected.contains(item));
      if (expected.contains(item)) {
        list.erase(item);
        expected.erase(item);
        total -= costs[item];
      } else {
        list.insert(item);
        expected.insert(item);
        total += costs[item];
      }
      const std::uint64_t limit = random() % 1100;
      std::optional<std::uint32_t> largest;
      for (const auto one : expected) {
        if (costs[one] <= limit) {
          largest = one;
          break;
        }
      }
      ASSERT_EQ(list.largest(limit), largest);
      const auto behind = expected.upper_bound(item);
      ASSERT_EQ(list.after(item), behind == expected.end() ? std::nullopt : std::optional{*behind});
      ASSERT_EQ(list.last(), expected.empty() ? std::nullopt : std::optional{*expected.rbegin()});
      ASSERT_EQ(list.size(), expected.size());
      ASSERT_EQ(list.total_px(), total);
    }
  }
}

TEST(WaitingList, EqualCostsKeepTheirOrder) {
  WaitingList list{{5, 7, 5}};
  for (const std::uint32_t item : {2U, 0U, 1U}) {
    list.insert(item);
  }
  EXPECT_EQ(list.largest(100), 1U);
  EXPECT_EQ(list.after(1), 0U);
  EXPECT_EQ(list.after(0), 2U);
  EXPECT_EQ(list.after(2), std::nullopt);
  EXPECT_EQ(list.largest(4), std::nullopt);
}

}  // namespace
}  // namespace pantile
