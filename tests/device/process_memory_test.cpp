#include "device/process_memory.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/byte_size.hpp"
#include "device/metered_buffer.hpp"
#include "device/sanitizer.hpp"

namespace pantile {
namespace {

TEST(ProcessMemory, UnmeteredBytesDoNotGrowWithWhatIsMetered) {
  if (testing::has_shadow_memory) {
    GTEST_SKIP() << "a sanitizer's shadow memory is resident too";
  }
  Meter meter;
  const std::uint64_t before = unmetered_bytes(meter);
  ASSERT_GT(before, 0U);
  MeteredBuffer buffer{meter, 64 * MiB};
  std::fill(buffer.bytes().begin(), buffer.bytes().end(), std::byte{1});
  EXPECT_GT(resident_bytes(), before + 60 * MiB);
  EXPECT_LT(unmetered_bytes(meter), before + 2 * MiB);
}

TEST(ProcessMemory, PagesAreWhole) {
  EXPECT_EQ(whole_pages(0), 0U);
  EXPECT_EQ(whole_pages(1), page_bytes());
  EXPECT_EQ(whole_pages(page_bytes()), page_bytes());
  EXPECT_EQ(whole_pages(page_bytes() + 1), 2 * page_bytes());
}

}  // namespace
}  // namespace pantile
