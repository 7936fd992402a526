// The simulated disk loses what a real one may lose, and our store, over it, keeps its word.

#include "sim/sim_disk.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>

#include "base/faulty_disk.hpp"
#include "base/log.hpp"
#include "base/temp_folder.hpp"
#include "sim/small_store.hpp"
#include "store/shard_writer.hpp"

namespace pantile::sim {
namespace {

using testing::DiskFault;
using testing::FaultyDisk;

const RunLayout layout{"run"};

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span{text}); }

std::string content_of(Disk& disk, const std::filesystem::path& path) {
  const Bytes bytes = read_file(disk, path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void make_folders(Disk& disk, const RunLayout& where) {
  disk.make_folder(where.root);
  disk.make_folder(where.shards());
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

using MakeShards = std::function<ShardDesk::OpenShardFile(Disk&, const RunLayout&)>;

ShardDesk::OpenShardFile hdf5_shards(Disk& disk, const RunLayout& where) {
  return [&disk, where](const ShardName& name) {
    return std::make_unique<ShardWriter>(where, name, ShardFacts{.run_id = "r", .outputs = {{"page", DType::u8}}},
                                         disk);
  };
}

/// How many calls an undisturbed life makes.
std::uint64_t calls_of_a_life(Disk& under, const RunLayout& where, const MakeShards& shards) {
  make_folders(under, where);
  FaultyDisk disk{under};
  Promises promises;
  SmallStore{disk, where, promises, shards(disk, where)}.run();
  expect_complete(under, where);
  EXPECT_EQ(promises.acknowledged.size(), small_items);
  return disk.calls();
}

/// One call of a life fails; what is left must be trustworthy, and a resume without faults completes it.
void survive(Disk& under, const RunLayout& where, const DiskFault& fault, const MakeShards& shards) {
  SCOPED_TRACE(fmt::format("call {} fails with {}{}", fault.call, fault.number, fault.for_good ? " for good" : ""));
  make_folders(under, where);
  Promises promises;
  FaultyDisk disk{under, fault};
  try {
    SmallStore{disk, where, promises, shards(disk, where)}.run();
  } catch (const Error&) {
    ASSERT_TRUE(disk.has_failed());
  }
  ASSERT_NO_FATAL_FAILURE(expect_trustworthy(under, where, promises));
  ASSERT_NO_THROW((SmallStore{under, where, promises, shards(under, where)}.run()));
  ASSERT_NO_FATAL_FAILURE(expect_complete(under, where));
}

TEST(SmallStore, SurvivesAPowerCutAfterAnyCall) {
  log::set_level(log::Level::error);  // each torn tail is a warning
  SimDisk first;
  const std::uint64_t calls = calls_of_a_life(first, layout, trivial_shards);
  ASSERT_GT(calls, 40U);
  for (std::uint64_t call = 0; call < calls; ++call) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      SCOPED_TRACE("power cut at call " + std::to_string(call) + ", seed " + std::to_string(seed));
      SimDisk sim{seed};
      make_folders(sim, layout);
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
  SimDisk first;
  const std::uint64_t calls = calls_of_a_life(first, layout, trivial_shards);
  for (const int number : {EIO, ENOSPC}) {
    for (const bool for_good : {false, true}) {
      for (std::uint64_t call = 0; call < calls; ++call) {
        SimDisk sim;
        ASSERT_NO_FATAL_FAILURE(survive(sim, layout, {call, number, for_good}, trivial_shards));
      }
    }
  }
  log::set_level(log::Level::info);
}

/// The same with real shards on a real disk: what HDF5 wrote is published, or is not there.
TEST(SmallStore, SurvivesAnyCallThatFailsAroundHdf5) {
  log::set_level(log::Level::error);
  const testing::TempFolder folder;
  const std::uint64_t calls = calls_of_a_life(real_disk(), RunLayout{folder.path() / "whole"}, hdf5_shards);
  for (const int number : {EIO, ENOSPC}) {
    for (std::uint64_t call = 0; call < calls; ++call) {
      const RunLayout where{folder.path() / fmt::format("{}-{}", number, call)};
      ASSERT_NO_FATAL_FAILURE(survive(real_disk(), where, {call, number, number == ENOSPC}, hdf5_shards));
    }
  }
  log::set_level(log::Level::info);
}

/// A run that has ended, and whose journal is damaged so that it names no shard. Returns the shards' names.
std::vector<std::string> damaged_run(SimDisk& disk) {
  make_folders(disk, layout);
  Promises promises;
  SmallStore{disk, layout, promises}.run();
  // The file as it is behind its first record.
  JournalState state;
  Journal start = Journal::open("run/start", state, disk);
  start.append(RunStart{.time = "t", .items = small_items, .outputs = {{"page", DType::u8}}}, state);
  start.commit();
  const std::unique_ptr<DiskFile> journal = disk.open(layout.journal(), Access::change);
  journal->write(disk.content("run/start")->size() + 9, std::as_bytes(std::span{"damage"}));
  journal->sync();
  EXPECT_EQ(read_journal(layout.journal(), disk).epoch(), Epoch{1});
  EXPECT_TRUE(read_journal(layout.journal(), disk).shards().empty());
  return disk.list(layout.shards());
}

/// It is among the shards, or among those that are kept aside.
bool is_kept(SimDisk& disk, const std::string& shard) {
  const std::string folder = layout.shards().string();
  return disk.exists(layout.shard(shard)) || disk.exists(folder + ".torn-1/" + shard) ||
         disk.exists(folder + ".torn-2/" + shard);
}

TEST(SmallStore, KeepsWhatADamagedJournalNamedWhereverItDies) {
  log::set_level(log::Level::error);
  SimDisk first;
  damaged_run(first);
  FaultyDisk counting{first};
  Promises none;
  SmallStore{counting, layout, none}.run();
  for (std::uint64_t call = 0; call < counting.calls(); ++call) {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      SCOPED_TRACE("death at call " + std::to_string(call) + ", seed " + std::to_string(seed));
      SimDisk sim{seed};
      const std::vector<std::string> shards = damaged_run(sim);
      FaultyDisk disk{sim, {.call = call, .for_good = true}};
      EXPECT_THROW((SmallStore{disk, layout, none}.run()), Error);
      if (seed > 0) {
        sim.lose_power();
      }
      ASSERT_NO_THROW((SmallStore{sim, layout, none}.run()));
      for (const std::string& shard : shards) {
        ASSERT_TRUE(is_kept(sim, shard)) << shard;
      }
      ASSERT_NO_FATAL_FAILURE(expect_complete(sim, layout));
    }
  }
  log::set_level(log::Level::info);
}

TEST(SmallStore, CommitsOnAFullDisk) {
  SimDisk disk;
  make_folders(disk, layout);
  JournalState state;
  Journal journal = Journal::open(layout.journal(), state, disk);
  disk.set_capacity(disk.used());
  ASSERT_EQ(disk.free_bytes(layout.root), 0U);
  journal.append(RunStart{.time = "t", .items = 10'000, .outputs = {{"page", DType::u8}}}, state);
  for (std::uint64_t item = 0; item < 1000; ++item) {
    const ShardName name{journal.epoch(), RankId{1}, ShardId{static_cast<std::uint32_t>(item)}};
    journal.append(ShardCommit{.shard = to_string(name), .bytes = 1, .ranges = {{.item = ItemId{item}, .items = 1}}},
                   state);
    ASSERT_NO_THROW(journal.commit());
  }
  EXPECT_EQ(read_journal(layout.journal(), disk).done_items(), 1000U);
  const std::uint64_t before = disk.used();
  journal.give_back_room();
  EXPECT_LT(disk.used(), before);
  EXPECT_EQ(read_journal(layout.journal(), disk).done_items(), 1000U);
}

}  // namespace
}  // namespace pantile::sim
