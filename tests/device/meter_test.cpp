#include "device/meter.hpp"

#include <gtest/gtest.h>

#include <new>
#include <thread>
#include <vector>

namespace pantile {
namespace {

TEST(Meter, CountsWhatIsChargedAndRemembersThePeak) {
  Meter meter;
  meter.charge(100);
  meter.charge(50);
  meter.release(120);
  EXPECT_EQ(meter.current(), 30U);
  EXPECT_EQ(meter.peak(), 150U);
  meter.reset_peak();
  EXPECT_EQ(meter.peak(), 30U);
}

TEST(Meter, RefusesTheByteBeyondTheCapAndChargesNothingForIt) {
  Meter meter{100};
  EXPECT_TRUE(meter.try_charge(100));
  EXPECT_FALSE(meter.try_charge(1));
  EXPECT_THROW(meter.charge(1), std::bad_alloc);
  EXPECT_EQ(meter.current(), 100U);
  EXPECT_EQ(meter.peak(), 100U);
}

TEST(Meter, RefusesAChargeThatWouldOverflowTheCount) {
  Meter meter;
  meter.charge(10);
  EXPECT_FALSE(meter.try_charge(Meter::unlimited - 5));
  EXPECT_EQ(meter.current(), 10U);
}

TEST(Meter, ALoweredCapTakesNothingBackButRefusesUntilEnoughIsReleased) {
  Meter meter{100};
  meter.charge(80);
  meter.set_cap(50);
  EXPECT_EQ(meter.current(), 80U);
  EXPECT_FALSE(meter.try_charge(1));
  EXPECT_FALSE(meter.try_charge(0));
  meter.release(40);
  EXPECT_TRUE(meter.try_charge(10));
  EXPECT_FALSE(meter.try_charge(1));
}

TEST(Meter, NeverPassesItsCapHoweverManyThreadsCharge) {
  constexpr std::uint64_t cap = 1000;
  Meter meter{cap};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::uint64_t held = 0;
      for (std::uint64_t i = 0; i < 20'000; ++i) {
        const std::uint64_t bytes = 1 + (i * 7919 + static_cast<std::uint64_t>(t)) % 400;
        if (meter.try_charge(bytes)) {
          held += bytes;
        } else {
          meter.release(std::exchange(held, 0));
        }
      }
      meter.release(held);
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_LE(meter.peak(), cap);
  EXPECT_GT(meter.peak(), cap / 2);
  EXPECT_EQ(meter.current(), 0U);
}

TEST(Charge, LastsAsLongAsItsOwner) {
  Meter meter{100};
  {
    Charge charge{meter, 60};
    EXPECT_THROW((Charge{meter, 60}), std::bad_alloc);
    const Charge moved = std::move(charge);
    EXPECT_EQ(meter.current(), 60U);
    EXPECT_EQ(moved.bytes(), 60U);
  }
  EXPECT_EQ(meter.current(), 0U);
}

}  // namespace
}  // namespace pantile
