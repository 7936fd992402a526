#include "device/slab.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>

#include "base/byte_size.hpp"
#include "device/process_memory.hpp"
#include "device/sanitizer.hpp"

namespace pantile {
namespace {

TEST(Slab, ChargesItsHighWaterMarkAndNothingElse) {
  Meter meter;
  Slab slab{meter};
  EXPECT_EQ(meter.current(), 0U);
  std::byte* first = slab.try_allocate(MiB);
  std::byte* second = slab.try_allocate(2 * MiB);
  ASSERT_EQ(second, first + MiB) << "lowest address first";
  EXPECT_EQ(meter.current(), 3 * MiB);
  slab.deallocate(first, MiB);
  EXPECT_EQ(meter.current(), 3 * MiB) << "the pages stay for the next tile";
  EXPECT_EQ(slab.try_allocate(MiB / 2), first);
  EXPECT_EQ(meter.current(), 3 * MiB);
  slab.deallocate(first, MiB / 2);
  slab.deallocate(second, 2 * MiB);
  EXPECT_EQ(slab.trim(), 3 * MiB);
  EXPECT_EQ(meter.current(), 0U);
}

TEST(Slab, TrimKeepsWhatIsBelowTheLastLiveBlock) {
  Meter meter;
  Slab slab{meter};
  std::byte* low = slab.try_allocate(MiB);
  std::byte* middle = slab.try_allocate(MiB);
  std::byte* high = slab.try_allocate(MiB);
  std::memset(middle, 42, MiB);
  slab.deallocate(low, MiB);
  slab.deallocate(high, MiB);
  EXPECT_EQ(slab.trim(), MiB);
  EXPECT_EQ(meter.current(), 2 * MiB);
  EXPECT_EQ(middle[MiB - 1], std::byte{42});
  slab.deallocate(middle, MiB);
}

TEST(Slab, GivesNothingBeyondTheCapAndStaysAsItWas) {
  Meter meter{MiB};
  Slab slab{meter};
  EXPECT_EQ(slab.try_allocate(MiB + 1), nullptr);
  EXPECT_EQ(meter.current(), 0U);
  std::byte* all = slab.try_allocate(MiB);
  ASSERT_NE(all, nullptr);
  EXPECT_EQ(slab.try_allocate(1), nullptr);
  slab.deallocate(all, MiB);
  meter.set_cap(0);
  std::byte* again = slab.try_allocate(MiB);
  EXPECT_EQ(again, all) << "what is charged already may be used again under a lowered cap";
  slab.deallocate(again, MiB);
}

TEST(Slab, PlacesABlockWhereItIsToldIfThatPlaceIsFree) {
  Meter meter;
  Slab slab{meter};
  std::byte* base = slab.try_allocate(page_bytes());
  std::byte* far = slab.try_allocate_at(MiB, MiB);
  ASSERT_EQ(far, base + MiB);
  EXPECT_EQ(meter.current(), 2 * MiB);
  EXPECT_EQ(slab.try_allocate_at(MiB + page_bytes(), page_bytes()), nullptr) << "taken";
  EXPECT_EQ(slab.try_allocate_at(MiB - page_bytes(), 2 * page_bytes()), nullptr) << "overlaps at its end";
  EXPECT_EQ(slab.try_allocate_at(0, page_bytes()), nullptr);
  EXPECT_EQ(slab.peak_bytes(), 2 * MiB);
  slab.deallocate(base, page_bytes());
  slab.deallocate(far, MiB);
  slab.reset_peak();
  EXPECT_EQ(slab.peak_bytes(), 0U);
}

/// Against a plain list of blocks: nothing overlaps, the charge is the highest end ever, and all space comes back.
TEST(Slab, KeepsItsBlocksApartThroughRandomUse) {
  struct Held {
    std::byte* data;
    std::size_t bytes;
  };
  for (unsigned seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random{seed};
    Meter meter;
    Slab slab{meter, 64 * MiB};
    std::byte* const base = slab.try_allocate(1);
    slab.deallocate(base, 1);
    std::vector<Held> held;
    std::size_t highest = page_bytes();
    for (int step = 0; step < 400; ++step) {
      if (held.empty() || random() % 2 == 0) {
        const std::size_t bytes = 1 + random() % (200 * KiB);
        std::byte* data =
            random() % 4 == 0 ? slab.try_allocate_at(random() % 2048 * page_bytes(), bytes) : slab.try_allocate(bytes);
        if (data == nullptr) {
          continue;
        }
        for (const Held& other : held) {
          ASSERT_TRUE(data + whole_pages(bytes) <= other.data || other.data + whole_pages(other.bytes) <= data);
        }
        highest = std::max(highest, static_cast<std::size_t>(data - base) + whole_pages(bytes));
        held.push_back({data, bytes});
      } else {
        const std::size_t at = random() % held.size();
        slab.deallocate(held[at].data, held[at].bytes);
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(at));
      }
      ASSERT_EQ(meter.current(), highest);
      ASSERT_EQ(slab.high_water(), highest);
    }
    for (const Held& each : held) {
      slab.deallocate(each.data, each.bytes);
    }
    EXPECT_EQ(slab.live_bytes(), 0U);
    slab.trim();
    EXPECT_EQ(meter.current(), 0U);
    std::byte* whole_range = slab.try_allocate(64 * MiB);
    EXPECT_EQ(whole_range, base) << "the gaps grew together again";
    slab.deallocate(whole_range, 64 * MiB);
  }
}

TEST(Slab, KeepsTheResidentSizeAtItsChargeThroughChurn) {
  if (testing::has_shadow_memory) {
    GTEST_SKIP() << "a sanitizer's shadow memory is resident too";
  }
  Meter meter;
  Slab slab{meter};
  const std::uint64_t before = resident_bytes();
  std::mt19937 random{1};
  for (int round = 0; round < 50; ++round) {
    const std::size_t a = 64 * KiB + random() % (8 * MiB);
    const std::size_t b = 64 * KiB + random() % (8 * MiB);
    std::byte* first = slab.try_allocate(a);
    std::memset(first, 1, a);
    std::byte* second = slab.try_allocate(b);
    std::memset(second, 1, b);
    slab.deallocate(first, a);
    slab.deallocate(second, b);
  }
  EXPECT_LE(resident_bytes(), before + meter.current() + MiB);
  EXPECT_GT(resident_bytes(), before + meter.current() / 2);
  slab.trim();
  EXPECT_LE(resident_bytes(), before + MiB);
}

TEST(SlabPool, LendsEachLaneItsOwnSlabAndTheLastOneFirst) {
  Meter meter;
  SlabPool pool{meter};
  Slab* first = nullptr;
  {
    const auto lease = pool.lease();
    const auto other = pool.lease();
    first = &lease.slab();
    EXPECT_NE(first, &other.slab());
  }
  EXPECT_EQ(&pool.lease().slab(), first) << "given back last, since it was taken first";
}

TEST(SlabPool, TrimsWhatALaneHoldsOnceItIsGivenBack) {
  Meter meter;
  SlabPool pool{meter};
  {
    const SlabPool::Lease idle = pool.lease();
    const SlabPool::Lease busy = pool.lease();
    for (const SlabPool::Lease* lease : {&idle, &busy}) {
      lease->slab().deallocate(lease->slab().try_allocate(4 * MiB), 4 * MiB);
    }
  }
  EXPECT_EQ(meter.current(), 8 * MiB);
  {
    const SlabPool::Lease busy = pool.lease();
    pool.trim_all();
    EXPECT_EQ(meter.current(), 4 * MiB) << "what no lane holds goes at once";
  }
  EXPECT_EQ(meter.current(), 0U);
  {
    const SlabPool::Lease later = pool.lease();
    later.slab().deallocate(later.slab().try_allocate(MiB), MiB);
  }
  EXPECT_EQ(meter.current(), MiB) << "once, not for ever";
}

TEST(SlabPool, TrimsOnlyWhatNoLaneHolds) {
  Meter meter;
  SlabPool pool{meter};
  auto busy = pool.lease();
  busy.slab().deallocate(busy.slab().try_allocate(MiB), MiB);
  {
    const auto idle = pool.lease();
    idle.slab().deallocate(idle.slab().try_allocate(2 * MiB), 2 * MiB);
  }
  EXPECT_EQ(meter.current(), 3 * MiB);
  EXPECT_EQ(pool.trim_idle(), 2 * MiB);
  EXPECT_EQ(meter.current(), MiB);
}

}  // namespace
}  // namespace pantile
