#include "device/process_memory.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

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

TEST(ProcessMemory, IsCountedOnceWhereProcessesShareIt) {
  if (testing::has_shadow_memory) {
    GTEST_SKIP() << "a sanitizer's shadow memory is resident too";
  }
  const std::array self{static_cast<int>(::getpid())};
  const std::uint64_t before = used_by_processes(self);
  ASSERT_GT(before, 0U);
  void* const arena = ::mmap(nullptr, 32 * MiB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(arena, MAP_FAILED);
  std::memset(arena, 1, 32 * MiB);
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::memset(arena, 2, 32 * MiB);
    (void)!::write(ready[1], "", 1);
    ::pause();
    ::_exit(0);
  }
  char byte = 1;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const std::array both{self[0], static_cast<int>(child)};
  const std::uint64_t together = used_by_processes(both);
  const std::uint64_t alone = used_by_processes(self);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::munmap(arena, 32 * MiB);
  EXPECT_GE(alone, before + 31 * MiB);
  EXPECT_LT(together, alone + 30 * MiB) << "the child has some pages of its own, and the 32 MiB in common";
  EXPECT_GE(together, alone);
  EXPECT_EQ(used_by_processes(std::array{static_cast<int>(child)}), 0U) << "it is gone";
}

TEST(ProcessMemory, CleanPagesAreDroppedAndEverythingStillRuns) {
  if (testing::has_shadow_memory) {
    GTEST_SKIP() << "a sanitizer's shadow memory is resident too";
  }
  // The program itself is such a file: its pages are read so that they are there, and dropped.
  const auto own = [] {
    std::ifstream maps{"/proc/self/smaps"};
    std::uint64_t kibibytes = 0;
    bool is_program = false;
    for (std::string line; std::getline(maps, line);) {
      std::istringstream words{line};
      std::string first;
      std::string second;
      words >> first >> second;
      if (!first.ends_with(':')) {
        is_program = line.find("device_tests") != std::string::npos && second.starts_with("r-x");
      } else if (is_program && first == "Rss:") {
        kibibytes += std::stoull(second);
      }
    }
    return kibibytes;
  };
  static const std::string untouched = "a string that is there before and after";
  const std::uint64_t before = own();
  const ResidentNow now_before = resident_now();
  drop_clean_pages();
  EXPECT_LT(own(), before);
  EXPECT_LT(resident_now().bytes, now_before.bytes);
  EXPECT_EQ(untouched, "a string that is there before and after");
  EXPECT_THROW(throw std::runtime_error{"relocated tables are as they were"}, std::runtime_error);
}

TEST(ProcessMemory, LargeBlocksGoBackToTheKernel) {
  if (testing::has_shadow_memory) {
    GTEST_SKIP() << "a sanitizer's shadow memory is resident too";
  }
  keep_heap_small();
  const auto churn = [] {
    for (std::size_t bytes = MiB; bytes <= 16 * MiB; bytes *= 2) {
      std::vector<char> block(bytes, 1);
      EXPECT_EQ(block[bytes / 2], 1);
    }
  };
  churn();
  const std::uint64_t before = resident_bytes();
  churn();
  const std::vector<char> small(64 * KiB, 1);  // above what was freed: a heap could not shrink
  EXPECT_LT(resident_bytes(), before + MiB);
}

TEST(ProcessMemory, PagesAreWhole) {
  EXPECT_EQ(whole_pages(0), 0U);
  EXPECT_EQ(whole_pages(1), page_bytes());
  EXPECT_EQ(whole_pages(page_bytes()), page_bytes());
  EXPECT_EQ(whole_pages(page_bytes() + 1), 2 * page_bytes());
}

}  // namespace
}  // namespace pantile
