#include "store/journal.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>

#include "base/log.hpp"
#include "store/fixture.hpp"

namespace pantile {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;

RunStart start(std::uint64_t items = 100) {
  return {.time = "2026-01-31T12:00:00Z", .items = items, .outputs = {{"page", DType::u8}}, .plan = "tiles: 96"};
}

ShardCommit commit_of(const ShardName& name, std::uint64_t item, std::uint64_t items) {
  return {.shard = to_string(name),
          .bytes = 1000 + item,
          .hash = {1, item},
          .content_sum = {2, item},
          .ranges = {{.item = ItemId{item}, .items = items}}};
}

/// One record of each type, in an order that makes sense.
std::vector<JournalRecord> all_types() {
  return {start(),
          commit_of(testing::shard_name(0), 0, 50),
          AttemptFailed{.item = ItemId{60}, .attempt = 1, .failure = {Fault::crashed, "SIGSEGV"}},
          commit_of(testing::shard_name(1), 50, 10),
          ItemQuarantined{.item = ItemId{60}, .attempts = 2, .failure = {Fault::crashed, "SIGSEGV"}},
          Release{.item = ItemId{60}},
          ShardRetired{.shard = to_string(testing::shard_name(0))},
          start(),
          commit_of(testing::shard_name(0, 2), 0, 50),
          commit_of(testing::shard_name(1, 2), 60, 30),
          ShardAdopted{commit_of(testing::shard_name(2), 90, 9)},
          ItemQuarantined{.item = ItemId{99}, .attempts = 1, .failure = {Fault::corrupt, "bad checksum"}},
          RunEnd{{3, 4}, {{5, 6}, 7}}};
}

void write_records(const std::filesystem::path& path, const std::vector<JournalRecord>& records) {
  JournalState state;
  Journal journal = Journal::open(path, state);
  for (const JournalRecord& record : records) {
    journal.append(record, state);
  }
  journal.commit();
}

std::size_t count_records(const std::filesystem::path& path) {
  return replay_journal(path, [](Epoch, const JournalRecord&) {}).records;
}

TEST(Journal, GivesBackWhatWasCommitted) {
  const TempFolder folder;
  const auto path = folder.path() / "journal";
  JournalState written;
  {
    Journal journal = Journal::open(path, written);
    for (const JournalRecord& record : all_types()) {
      journal.append(record, written);
      EXPECT_TRUE(journal.pending());
      journal.commit();
      EXPECT_FALSE(journal.pending());
    }
    EXPECT_EQ(journal.epoch(), Epoch{2});
  }
  const JournalState read = read_journal(path);
  EXPECT_EQ(read.epoch(), Epoch{2});
  EXPECT_EQ(read.items(), 100U);
  EXPECT_EQ(read.plan(), "tiles: 96");
  EXPECT_EQ(read.outputs(), start().outputs);
  EXPECT_EQ(read.done_items(), 99U);
  EXPECT_EQ(read.pending_items(), 0U);
  EXPECT_EQ(read.quarantine().at(ItemId{99}).failure, (Failure{Fault::corrupt, "bad checksum"}));
  EXPECT_EQ(read.content_sum(), written.content_sum());
  EXPECT_EQ(read.end()->digest, (Hash128{3, 4}));
  EXPECT_EQ(read.end()->index, (FileHash{{5, 6}, 7}));
  ASSERT_EQ(read.shards().size(), 4U);
  EXPECT_EQ(read.shards()[1].name, "e0002-r0001-000000.h5");
  EXPECT_EQ(read.shards()[1].bytes, 1000U);
  EXPECT_EQ(read.shards()[1].hash, (Hash128{1, 0}));
  EXPECT_EQ(read.shards()[1].rows, 50U);
  EXPECT_EQ(read.find_shard("e0001-r0001-000000.h5"), nullptr);
}

TEST(Journal, IsOnDiskOnlyAfterCommit) {
  const TempFolder folder;
  const auto path = folder.path() / "journal";
  JournalState state;
  Journal journal = Journal::open(path, state);
  journal.append(start(), state);
  EXPECT_EQ(count_records(path), 0U);
  journal.append(commit_of(testing::shard_name(0), 0, 5), state);
  journal.commit();
  EXPECT_EQ(count_records(path), 2U);
}

TEST(Journal, SurvivesATailTornAtAnyByte) {
  const TempFolder folder;
  const auto whole = folder.path() / "whole";
  const auto records = all_types();
  write_records(whole, records);
  const Bytes bytes = read_file(whole);

  // Where each record ends: the file after each of them alone.
  std::vector<std::size_t> ends;
  for (std::size_t count = 0; count <= records.size(); ++count) {
    const auto part = folder.path() / "part";
    std::filesystem::remove(part);
    write_records(part, {records.begin(), records.begin() + static_cast<std::ptrdiff_t>(count)});
    ends.push_back(std::filesystem::file_size(part));
  }
  ASSERT_EQ(ends.back(), bytes.size());

  log::set_level(log::Level::error);  // each cut is a warning
  const auto torn = folder.path() / "torn" / "journal";
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    SCOPED_TRACE("cut at " + std::to_string(length));
    std::filesystem::remove_all(torn.parent_path());
    std::filesystem::create_directory(torn.parent_path());
    replace_file(torn, {reinterpret_cast<const char*>(bytes.data()), length}, Durable::no);
    const auto whole_records = static_cast<std::size_t>(
        std::upper_bound(ends.begin(), ends.end(), std::max(length, ends.front())) - ends.begin() - 1);
    ASSERT_EQ(count_records(torn), whole_records);
    if (length % 31 != 0) {
      continue;  // opening for writing syncs, which is slow
    }
    JournalState state;
    Journal journal = Journal::open(torn, state);
    journal.append(start(), state);
    journal.commit();
    ASSERT_EQ(count_records(torn), whole_records + 1);
    ASSERT_EQ(std::filesystem::file_size(torn), ends[whole_records] + (ends[1] - ends[0]));
  }
  log::set_level(log::Level::info);
}

void add_tail(const std::filesystem::path& path, std::string_view tail) {
  const File file = open_file(path, O_WRONLY | O_APPEND);
  write_all(file.get(), std::as_bytes(std::span{tail}), "the test");
}

TEST(Journal, KeepsWhatItWritesOver) {
  log::set_level(log::Level::error);
  for (const std::size_t bytes : {std::size_t{13}, std::size_t{5000}}) {  // less and more than the record of the start
    SCOPED_TRACE(bytes);
    const TempFolder folder;
    const auto path = folder.path() / "journal";
    const auto other = folder.path() / "other";
    write_records(path, {start()});
    write_records(other, {start()});
    write_records(other, {start()});
    const std::string tail(bytes, 't');
    add_tail(path, tail);
    write_records(path, {start()});
    EXPECT_EQ(read_file(path), read_file(other));
    EXPECT_EQ(read_text(folder.path() / "journal.torn-1"), tail);
  }
  log::set_level(log::Level::info);
}

TEST(Journal, KnowsOfATornTailUntilTheNextEpochIsCommitted) {
  log::set_level(log::Level::error);
  const TempFolder folder;
  const auto path = folder.path() / "journal";
  write_records(path, {start()});
  add_tail(path, "half a record");
  const Bytes before = read_file(path);
  for (int killed = 0; killed < 3; ++killed) {
    JournalState state;
    Journal journal = Journal::open(path, state);
    EXPECT_TRUE(journal.lost_tail());
    journal.append(start(), state);
    journal.give_back_room();  // and no commit(): as if it were killed here
    EXPECT_EQ(read_file(path), before);
  }
  write_records(path, {start()});
  JournalState state;
  EXPECT_FALSE(Journal::open(path, state).lost_tail());
}

TEST(Journal, NoticesAFlippedByteAnywhere) {
  const TempFolder folder;
  const auto path = folder.path() / "journal";
  write_records(path, all_types());
  const std::size_t records = count_records(path);
  const std::size_t size = std::filesystem::file_size(path);
  for (std::size_t at = 0; at < size; ++at) {
    testing::flip_byte(path, at);
    try {
      const JournalReplay replay = replay_journal(path, [](Epoch, const JournalRecord&) {});
      EXPECT_EQ(replay.header_damaged, at < 32U) << "byte " << at;
      EXPECT_EQ(replay.records == records, at < 32U) << "byte " << at;
    } catch (const Error& error) {
      ADD_FAILURE() << "byte " << at << ": " << error.what();
    }
    testing::flip_byte(path, at);
  }
  EXPECT_EQ(count_records(path), records);
}

TEST(Journal, WritesADamagedHeaderAnewAndKeepsAllRecords) {
  const TempFolder folder;
  const auto path = folder.path() / "journal";
  write_records(path, all_types());
  const Bytes whole = read_file(path);
  for (const std::uint64_t at : {3U, 17U, 31U}) {
    testing::flip_byte(path, at);
    JournalState state;
    EXPECT_FALSE(Journal::open(path, state).lost_tail());
    EXPECT_EQ(read_file(path), whole) << "byte " << at;
  }
  // Two of one file at once: nobody can tell what it is.
  testing::flip_byte(path, 5);
  testing::flip_byte(path, 40);
  EXPECT_THROW(static_cast<void>(count_records(path)), Error);
}

// Where locks do not reach, two processes may take the folder for theirs: the older one must not write over the newer.
TEST(Journal, OfAnOlderOwnerRefusesToWriteBehindANewerOne) {
  const TempFolder folder;
  const auto path = folder.path() / "journal";
  JournalState old_state;
  Journal old_owner = Journal::open(path, old_state);
  old_owner.append(start(), old_state);
  old_owner.commit();
  JournalState new_state;
  Journal new_owner = Journal::open(path, new_state);
  new_owner.append(start(), new_state);
  new_owner.commit();
  const Bytes before = read_file(path);
  old_owner.append(commit_of(testing::shard_name(0), 0, 5), old_state);
  try {
    old_owner.commit();
    ADD_FAILURE() << "it wrote";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("of epoch 1, is no longer the owner of its folder"));
  }
  EXPECT_EQ(read_file(path), before);
}

TEST(Journal, TakesNoRecordOfAnotherJournalForItsOwn) {
  const TempFolder folder;
  const auto one = folder.path() / "one";
  const auto two = folder.path() / "two";
  write_records(one, {start(), commit_of(testing::shard_name(0), 0, 5), commit_of(testing::shard_name(1), 5, 5)});
  write_records(two, {start(), commit_of(testing::shard_name(0), 0, 6), commit_of(testing::shard_name(1), 6, 5)});
  Bytes bytes = read_file(one);
  const Bytes other = read_file(two);
  ASSERT_EQ(bytes.size(), other.size());
  // The last record of the other one, whole and with its own right sum, behind records that it did not follow.
  std::copy(other.end() - 60, other.end(), bytes.end() - 60);
  replace_file(one, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, Durable::no);
  EXPECT_EQ(count_records(one), 2U);
}

TEST(Journal, RefusesForeignAndNewerFiles) {
  const TempFolder folder;
  const auto path = folder.path() / "journal";
  JournalState state;
  const auto message = [&] {
    try {
      static_cast<void>(Journal::open(path, state));
    } catch (const Error& error) {
      return std::string{error.what()};
    }
    return std::string{"no error"};
  };
  replace_file(path, "this is somebody's diary, and it is longer than a header", Durable::no);
  EXPECT_THAT(message(), HasSubstr("is not a journal"));
  replace_file(path, "short", Durable::no);
  EXPECT_THAT(message(), HasSubstr("is not a journal"));
  EXPECT_EQ(read_text(path), "short") << "it must not be touched";

  Writer newer;
  newer.raw(std::as_bytes(std::span{"PANTILE-JOURNAL\n", 16})).put(std::uint32_t{2}).put(std::uint32_t{0});
  newer.put(xxh3_64(newer.bytes()));
  replace_file(path, {reinterpret_cast<const char*>(newer.bytes().data()), newer.bytes().size()}, Durable::no);
  EXPECT_THAT(message(), HasSubstr("format version 2"));
}

TEST(Journal, IsFinishedAfterAFailedWrite) {
  const TempFolder folder;
  const auto path = folder.path() / "journal";
  JournalState state;
  Journal journal = Journal::open(path, state);
  journal.append(start(), state);
  journal.commit();

  // The disk is full: a limit on the size of files does the same as far as write() can tell.
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small{std::filesystem::file_size(path) + 20, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  journal.append(commit_of(testing::shard_name(0), 0, 5), state);
  EXPECT_THROW(journal.commit(), Error);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, before);

  EXPECT_DEATH(journal.commit(), "a journal that failed is not used again");
  JournalState again;
  Journal resumed = Journal::open(path, again);
  EXPECT_EQ(again.done_items(), 0U) << "what was not acknowledged is not there";
  resumed.append(start(), again);
  resumed.append(commit_of(testing::shard_name(0, 2), 0, 5), again);
  resumed.commit();
  EXPECT_EQ(read_journal(path).done_items(), 5U);
}

TEST(Journal, ReplaysAMillionUnitsInASecond) {
  const TempFolder folder;
  const auto path = folder.path() / "journal";
  constexpr std::uint64_t items = 2'000'000;
  {
    JournalState state;
    Journal journal = Journal::open(path, state);
    journal.append(start(items), state);
    for (std::uint32_t shard = 0; shard < 1000; ++shard) {
      ShardCommit commit{.shard = to_string(testing::shard_name(shard)), .bytes = 1};
      for (std::uint64_t i = 0; i < 1000; ++i) {
        commit.ranges.push_back({.item = ItemId{2 * (shard + 1000 * i)}});  // no two are neighbours
      }
      journal.append(commit, state);
    }
    journal.commit();
  }
  const auto begin = std::chrono::steady_clock::now();
  const JournalState state = read_journal(path);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(state.done_items(), 1'000'000U);
  RecordProperty("milliseconds", static_cast<int>(took.count() * 1000));
  RecordProperty("bytes", static_cast<int>(std::filesystem::file_size(path)));
  EXPECT_LT(took.count(), 5.0) << "0.1 s on an idle core; the margin is for sanitizers and busy machines";
}

TEST(Journal, AHeaderThatWasNeverWrittenIsNoJournalYet) {
  // After a power cut the file has its length, and its first block reads as zeros.
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{31}, std::size_t{32}}) {
    SCOPED_TRACE(bytes);
    const TempFolder folder;
    const auto path = folder.path() / "journal";
    pantile::replace_file(path, std::string(bytes, '\0'), Durable::no);
    EXPECT_EQ(count_records(path), 0U);
    write_records(path, {start()});
    EXPECT_EQ(count_records(path), 1U);
  }
}

}  // namespace
}  // namespace pantile
