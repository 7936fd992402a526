// The simulated disk loses what a real one may lose, and our store, over it, keeps its word.

#include "sim/sim_disk.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/faulty_disk.hpp"
#include "base/log.hpp"
#include "sim/small_store.hpp"

namespace pantile::sim {
namespace {

using testing::FaultyDisk;

const RunLayout layout{"run"};

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span{text}); }

std::string content_of(Disk& disk, const std::filesystem::path& path) {
  const Bytes bytes = read_file(disk, path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void make_folders(Disk& disk) {
  disk.make_folder(layout.root);
  disk.make_folder(layout.shards());
}

/// Of `tries` power cuts after `prepare`, how many leave `holds`.
template <class Prepare, class Holds>
int count_cuts(int tries, Prepare prepare, Holds holds) {
  int count = 0;
  for (int seed = 0; seed < tries; ++seed) {
    SimDisk disk{static_cast<std::uint64_t>(seed)};
    disk.make_folder("run");
    prepare(disk);
    disk.lose_power();
    count += holds(disk) ? 1 : 0;
  }
  return count;
}

TEST(SimDisk, KeepsWhatIsSyncedAndNamed) {
  const auto write = [](SimDisk& disk) {
    const auto file = disk.open("run/a", Access::create);
    file->write(0, bytes_of("hello"));
    file->sync();
    disk.sync_folder("run");
  };
  EXPECT_EQ(count_cuts(100, write, [](SimDisk& disk) { return content_of(disk, "run/a") == "hello"; }), 100);
}

TEST(SimDisk, MayLoseOrTearWhatIsNotSynced) {
  const auto write = [](SimDisk& disk) {
    const auto file = disk.open("run/a", Access::create);
    disk.sync_folder("run");
    file->write(0, bytes_of("hello"));
  };
  const auto has_size = [](std::size_t low, std::size_t high) {
    return [=](SimDisk& disk) {
      const std::size_t size = content_of(disk, "run/a").size();
      return size >= low && size <= high;
    };
  };
  EXPECT_GT(count_cuts(100, write, has_size(0, 0)), 20);
  EXPECT_GT(count_cuts(100, write, has_size(1, 4)), 5);
  EXPECT_GT(count_cuts(100, write, has_size(5, 5)), 20);
}

TEST(SimDisk, MayLoseANameWhoseFolderIsNotSynced) {
  const auto write = [](SimDisk& disk) {
    const auto file = disk.open("run/a.partial", Access::create);
    disk.sync_folder("run");
    file->write(0, bytes_of("hello"));
    file->sync();
    disk.rename("run/a.partial", "run/a");
  };
  const int renamed = count_cuts(100, write, [](SimDisk& disk) { return disk.exists("run/a"); });
  const int not_renamed = count_cuts(100, write, [](SimDisk& disk) { return disk.exists("run/a.partial"); });
  EXPECT_GT(renamed, 20);
  EXPECT_GT(not_renamed, 20);
  EXPECT_EQ(renamed + not_renamed, 100) << "a rename is one step";
}

TEST(SimDisk, HoldsNoMoreThanItsCapacity) {
  SimDisk disk;
  disk.make_folder("run");
  disk.set_capacity(100);
  const auto file = disk.open("run/a", Access::create);
  EXPECT_TRUE(file->reserve(0, 60));
  EXPECT_EQ(disk.free_bytes("run"), 40U);
  const auto other = disk.open("run/b", Access::create);
  try {
    other->write(0, Bytes(50));
    FAIL() << "it does not fit";
  } catch (const SystemError& error) {
    EXPECT_TRUE(is_out_of_space(error));
  }
  EXPECT_EQ(other->size(), 40U) << "what fitted is written";
  file->write(0, Bytes(60));  // in room that was taken before
  disk.remove("run/b");
  EXPECT_EQ(disk.free_bytes("run"), 40U);
}

/// How many calls an undisturbed life makes.
std::uint64_t calls_of_a_life() {
  SimDisk sim;
  make_folders(sim);
  FaultyDisk disk{sim};
  Promises promises;
  SmallStore{disk, layout, promises}.run();
  expect_complete(sim, layout);
  EXPECT_EQ(promises.acknowledged.size(), small_items);
  return disk.calls();
}

TEST(SmallStore, SurvivesAPowerCutAfterAnyCall) {
  log::set_level(log::Level::error);  // each torn tail is a warning
  const std::uint64_t calls = calls_of_a_life();
  ASSERT_GT(calls, 40U);
  for (std::uint64_t call = 0; call < calls; ++call) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      SCOPED_TRACE("power cut at call " + std::to_string(call) + ", seed " + std::to_string(seed));
      SimDisk sim{seed};
      make_folders(sim);
      Promises promises;
      {
        FaultyDisk disk{sim, {.call = call, .for_good = true}};
        EXPECT_THROW((SmallStore{disk, layout, promises}.run()), Error);
      }
      sim.lose_power();
      ASSERT_NO_FATAL_FAILURE(expect_trustworthy(sim, layout, promises));
      ASSERT_NO_THROW((SmallStore{sim, layout, promises}.run()));
      ASSERT_NO_FATAL_FAILURE(expect_trustworthy(sim, layout, promises));
      ASSERT_NO_FATAL_FAILURE(expect_complete(sim, layout));
    }
  }
  log::set_level(log::Level::info);
}

TEST(SmallStore, SurvivesAnyCallThatFails) {
  log::set_level(log::Level::error);
  const std::uint64_t calls = calls_of_a_life();
  for (const int number : {EIO, ENOSPC}) {
    for (const bool for_good : {false, true}) {
      for (std::uint64_t call = 0; call < calls; ++call) {
        SCOPED_TRACE(fmt::format("call {} fails with {}{}", call, number, for_good ? " for good" : ""));
        SimDisk sim;
        make_folders(sim);
        Promises promises;
        FaultyDisk disk{sim, {.call = call, .number = number, .for_good = for_good}};
        try {
          SmallStore{disk, layout, promises}.run();
        } catch (const Error&) {
          ASSERT_TRUE(disk.has_failed());
        }
        ASSERT_NO_FATAL_FAILURE(expect_trustworthy(sim, layout, promises));
        ASSERT_NO_THROW((SmallStore{sim, layout, promises}.run()));
        ASSERT_NO_FATAL_FAILURE(expect_complete(sim, layout));
      }
    }
  }
  log::set_level(log::Level::info);
}

}  // namespace
}  // namespace pantile::sim
