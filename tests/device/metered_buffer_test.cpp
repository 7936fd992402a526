#include "device/metered_buffer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <new>

#include "device/process_memory.hpp"

namespace pantile {
namespace {

TEST(MeteredBuffer, IsChargedWhileItLivesSmallOrLarge) {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{65'535}, std::size_t{65'536}, std::size_t{5'000'001}}) {
    SCOPED_TRACE(bytes);
    Meter meter;
    {
      MeteredBuffer buffer{meter, bytes};
      EXPECT_GE(meter.current(), bytes);
      EXPECT_LE(meter.current(), bytes + 64 + 64 + page_bytes());
      EXPECT_EQ(buffer.size(), bytes);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.bytes().data()) % 64, 0U);
      std::fill(buffer.bytes().begin(), buffer.bytes().end(), std::byte{7});
      EXPECT_EQ(buffer.floats().size(), bytes / sizeof(float));
    }
    EXPECT_EQ(meter.current(), 0U);
  }
}

TEST(MeteredBuffer, RefusesWhatTheMeterRefusesAndLeavesNoCharge) {
  Meter meter{100'000};
  EXPECT_THROW((MeteredBuffer{meter, 100'000}), std::bad_alloc);
  EXPECT_THROW((MeteredBuffer{meter, SIZE_MAX - 10}), std::bad_alloc);
  EXPECT_EQ(meter.current(), 0U);
}

TEST(MeteredBuffer, MovesItsBytesAndItsCharge) {
  Meter meter;
  MeteredBuffer first{meter, 1000};
  first.bytes()[0] = std::byte{42};
  const std::uint64_t charged = meter.current();
  MeteredBuffer second = std::move(first);
  EXPECT_EQ(meter.current(), charged);
  EXPECT_EQ(second.bytes()[0], std::byte{42});
  second = MeteredBuffer{};
  EXPECT_EQ(meter.current(), 0U);
}

}  // namespace
}  // namespace pantile
