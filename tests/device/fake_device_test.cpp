#include "device/fake_device.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include "base/byte_size.hpp"
#include "base/error.hpp"
#include "base/temp_folder.hpp"
#include "device/other_process.hpp"

namespace pantile {
namespace {

class FakeDeviceTest : public ::testing::Test {
 protected:
  [[nodiscard]] FakeDevice join(std::uint64_t total = 100 * MiB) const { return FakeDevice{book_, total}; }

  testing::TempFolder folder_;
  std::filesystem::path book_ = folder_.path() / "book";
};

TEST_F(FakeDeviceTest, GivesOutWhatItHasAndNoMore) {
  FakeDevice device = join();
  EXPECT_EQ(device.total_bytes(), 100 * MiB);
  void* const block = device.try_allocate(60 * MiB);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 256, 0U);
  std::memset(block, 1, 60 * MiB);
  EXPECT_EQ(device.free_bytes(), 40 * MiB);
  EXPECT_EQ(device.try_allocate(40 * MiB + 1), nullptr);
  EXPECT_EQ(device.try_allocate(SIZE_MAX), nullptr);
  void* const rest = device.try_allocate(40 * MiB);
  EXPECT_NE(rest, nullptr);
  EXPECT_EQ(device.free_bytes(), 0U);
  device.deallocate(block, 60 * MiB);
  device.deallocate(rest, 40 * MiB);
  EXPECT_EQ(device.free_bytes(), 100 * MiB);
}

TEST_F(FakeDeviceTest, IsSharedByAllWhoJoinAndHasTheSizeThatTheFirstOneGave) {
  FakeDevice one = join();
  FakeDevice two = join(7);
  EXPECT_EQ(two.total_bytes(), 100 * MiB);
  void* const block = one.try_allocate(70 * MiB);
  EXPECT_EQ(two.free_bytes(), 30 * MiB);
  EXPECT_EQ(two.try_allocate(40 * MiB), nullptr);
  EXPECT_EQ(two.taken_bytes(), 0U);
  const auto monitor = monitor_of(two);
  EXPECT_EQ(monitor->sample().value().used_bytes, 70 * MiB);
  EXPECT_EQ(monitor->sample().value().limit_bytes, 100 * MiB);
  one.deallocate(block, 70 * MiB);
  EXPECT_EQ(two.free_bytes(), 100 * MiB);
}

TEST_F(FakeDeviceTest, HasAgainWhatAProcessHadThatWasKilled) {
  FakeDevice device = join();
  testing::OtherProcess other{[&](const auto& wait) {
    FakeDevice theirs = join();
    wait(theirs.try_allocate(80 * MiB) != nullptr);
  }};
  ASSERT_TRUE(other.has_begun());
  EXPECT_EQ(device.free_bytes(), 20 * MiB);
  other.kill();
  EXPECT_EQ(device.free_bytes(), 100 * MiB);
  FakeDevice next = join();  // in the place of the dead
  EXPECT_EQ(next.taken_bytes(), 0U);
}

TEST_F(FakeDeviceTest, HasRoomForScripts) {
  FakeDevice device = join();
  // As the header of the class tells: lock a place, write what it takes.
  const int file = ::open(book_.c_str(), O_RDWR);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_start = 1 + 9;
  lock.l_len = 1;
  ASSERT_EQ(::fcntl(file, F_OFD_SETLK, &lock), 0);
  const std::uint64_t bytes = 30 * MiB;
  ASSERT_EQ(::pwrite(file, &bytes, 8, 8 + 9 * 8), 8);
  EXPECT_EQ(device.free_bytes(), 70 * MiB);
  ::close(file);
  EXPECT_EQ(device.free_bytes(), 100 * MiB);
}

TEST_F(FakeDeviceTest, RefusesAFileThatIsNoBook) {
  std::ofstream{book_} << "something else";
  EXPECT_THROW(static_cast<void>(join()), Error);
}

TEST_F(FakeDeviceTest, TakesNoMoreThanItHasPlaces) {
  std::vector<std::unique_ptr<FakeDevice>> all;
  all.reserve(FakeDevice::places);
  for (int i = 0; i < FakeDevice::places; ++i) {
    all.push_back(std::make_unique<FakeDevice>(book_, MiB));
  }
  EXPECT_THROW(static_cast<void>(join()), Error);
  all.pop_back();
  EXPECT_NO_THROW(static_cast<void>(join()));
}

}  // namespace
}  // namespace pantile
