#include "store/journal.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "base/byte_size.hpp"
#include "base/log.hpp"
#include "base/wire.hpp"
#include "store/journal_records.hpp"
#include "store/journal_state.hpp"
#include "store/shard_writer.hpp"

namespace pantile {

namespace {

constexpr std::string_view file_magic = "PANTILE-JOURNAL\n";
constexpr std::uint32_t file_version = 1;
constexpr std::size_t header_bytes = 16 + 4 + 4 + 8;
constexpr std::uint32_t record_magic = 0x434a5450;  // "PTJC"
constexpr std::size_t record_head_bytes = 4 + 4 + 4 + 4 + 8;
constexpr std::size_t sum_bytes = sizeof(std::uint64_t);
constexpr std::uint64_t room_ahead = 256 * KiB;  // thousands of shards
constexpr std::uint64_t cannot_be_kept = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t largest_payload = std::uint64_t{1} << 30U;  // a length beyond it is damage, not a record

template <class T>
T load(std::span<const std::byte> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

Bytes make_header() {
  Writer writer;
  writer.raw(std::as_bytes(std::span{file_magic})).put(file_version).put(std::uint32_t{0});
  writer.put(xxh3_64(writer.bytes()));
  return std::move(writer).bytes();
}

struct RawRecord {
  std::uint32_t type = 0;
  Epoch epoch{};
  std::span<const std::byte> payload;
  std::uint64_t sum = 0;
  std::size_t bytes = 0;  ///< with head and sum
};

/// The record at `at`, if it is whole, in its place, and chained to the eight bytes before it.
std::optional<RawRecord> take_record(std::span<const std::byte> file, std::size_t at, std::uint64_t sequence) {
  if (file.size() - at < record_head_bytes + sum_bytes) {
    return std::nullopt;
  }
  Reader head{file.subspan(at, record_head_bytes)};
  const auto magic = head.get<std::uint32_t>();
  const auto type = head.get<std::uint32_t>();
  const std::uint64_t length = head.get<std::uint32_t>();
  const auto epoch = head.get<Epoch>();
  if (magic != record_magic || head.get<std::uint64_t>() != sequence || length > largest_payload ||
      file.size() - at - record_head_bytes - sum_bytes < length) {
    return std::nullopt;
  }
  const std::size_t body = record_head_bytes + length;
  const auto sum = load<std::uint64_t>(file.subspan(at + body));
  if (xxh3_64(file.subspan(at - sum_bytes, sum_bytes + body)) != sum) {
    return std::nullopt;
  }
  return RawRecord{type, epoch, file.subspan(at + record_head_bytes, length), sum, body + sum_bytes};
}

enum class Header { absent, sound, damaged };

/// Absent if there is no whole header yet: the process that began the file died before its first sync. A damaged one
/// counts if the first record is chained to what it should be.
Header check_header(const std::filesystem::path& path, std::span<const std::byte> file) {
  const Bytes ours = make_header();
  // Blocks that were never written read as zeros after a power cut.
  const bool zeros = std::all_of(file.begin(), file.end(), [](std::byte b) { return b == std::byte{0}; });
  if (file.size() < header_bytes || (zeros && file.size() == header_bytes)) {
    if (!zeros && !std::equal(file.begin(), file.end(), ours.begin())) {
      throw Error{path.string() + " is not a journal. Was something else written there?"};
    }
    return Header::absent;
  }
  const auto header = file.first(header_bytes);
  if (std::equal(header.begin(), header.end(), ours.begin())) {
    return Header::sound;
  }
  const auto version = load<std::uint32_t>(file.subspan(file_magic.size()));
  const bool is_whole =
      std::memcmp(file.data(), file_magic.data(), file_magic.size()) == 0 &&
      xxh3_64(header.first(header_bytes - sum_bytes)) == load<std::uint64_t>(file.subspan(header_bytes - sum_bytes));
  if (is_whole && version != file_version) {
    throw ForeignFormat{path.string() + " has format version " + std::to_string(version) + " (this program reads " +
                        std::to_string(file_version) + "). Use the program that wrote it."};
  }
  Bytes mended{file.begin(), file.end()};
  std::copy(ours.begin(), ours.end(), mended.begin());
  if (!take_record(mended, header_bytes, 0)) {
    throw Error{path.string() +
                " is not a journal, or its beginning is damaged. Restore it from a copy; or `pantile verify RUN "
                "--repair` puts it aside and begins another from the sound shards."};
  }
  return Header::damaged;
}

}  // namespace

ShardCommit to_commit(const SealedShard& shard) {
  return {.shard = shard.name,
          .bytes = shard.bytes,
          .hash = shard.hash,
          .content_sum = shard.content_sum,
          .ranges = to_ranges(shard.rows)};
}

JournalReplay replay_journal(const std::filesystem::path& path,
                             const std::function<void(Epoch, const JournalRecord&)>& visit, Disk& disk) {
  JournalReplay replay;
  if (!disk.exists(path)) {
    return replay;
  }
  Bytes file = read_file(disk, path);
  replay.file_bytes = file.size();
  const Header header = check_header(path, file);
  if (header == Header::absent) {
    return replay;
  }
  const Bytes ours = make_header();
  std::copy(ours.begin(), ours.end(), file.begin());
  replay.header_damaged = header == Header::damaged;
  replay.valid_bytes = header_bytes;
  replay.chain = load<std::uint64_t>(std::span{ours}.last(sum_bytes));
  while (const auto raw = take_record(file, replay.valid_bytes, replay.records)) {
    try {
      Reader payload{raw->payload};
      visit(raw->epoch, decode_record(raw->type, payload));
    } catch (const Error& error) {
      // Its sum is right, so it is what was written: by a newer program, or by a mistake of ours.
      throw ForeignFormat{path.string() + ": record " + std::to_string(replay.records) +
                          " makes no sense: " + error.what() + ". Was it written by a newer version?"};
    }
    ++replay.records;
    replay.valid_bytes += raw->bytes;
    replay.chain = raw->sum;
    replay.epoch = raw->epoch;
  }
  return replay;
}

Journal::Journal(std::filesystem::path path, Disk& disk, std::unique_ptr<DiskFile> file, const JournalReplay& replay)
    : path_{std::move(path)},
      disk_{&disk},
      file_{std::move(file)},
      end_{replay.valid_bytes},
      size_{std::max(replay.valid_bytes, replay.file_bytes)},
      sequence_{replay.records},
      chain_{replay.chain},
      epoch_{replay.epoch},
      lost_tail_{replay.valid_bytes < replay.file_bytes} {}

Journal Journal::open(const std::filesystem::path& path, JournalState& state, Disk& disk) {
  JournalReplay replay = replay_journal(
      path, [&](Epoch epoch, const JournalRecord& record) { state.apply(epoch, record); }, disk);
  std::unique_ptr<DiskFile> file = disk.open(path, Access::create);
  const Bytes header = make_header();
  if (replay.header_damaged) {
    log::warn("{}: its header was damaged; written anew, since the records are chained to it", path.string());
    file->write(0, header);
    file->sync();
  }
  if (replay.valid_bytes == 0) {
    file->resize(0);
    file->write(0, header);
    file->sync();
    disk.sync_folder(folder_of(path));
    replay.valid_bytes = replay.file_bytes = header.size();
    replay.chain = load<std::uint64_t>(std::span{header}.last(sum_bytes));
  }
  Journal journal{path, disk, std::move(file), replay};
  if (journal.lost_tail_) {
    log::warn("{}: {} bytes behind record {} are no whole record (a write that a crash cut short, or damage)",
              path.string(), replay.file_bytes - replay.valid_bytes, replay.records);
  }
  journal.keep_room();
  return journal;
}

void Journal::keep_room() {
  const std::uint64_t needed = end_ + buffer_.size();
  if (room_ >= needed + room_ahead / 2) {
    return;
  }
  try {
    room_ = file_->reserve(end_, needed + room_ahead - end_) ? needed + room_ahead : cannot_be_kept;
  } catch (const Error& error) {
    log::debug("{}", error.what());  // There may be room again at the next commit.
  }
}

void Journal::give_back_room() noexcept {
  try {
    // Longer than we left it, it is another owner's by now.
    if (!broken_ && room_ > end_ && room_ != cannot_be_kept && file_->size() == end_) {
      file_->resize(end_);
    }
  } catch (const std::exception&) {
    return;  // A quarter of a megabyte: the next owner has it.
  }
}

void Journal::pass_over(Epoch epoch) noexcept { passed_ = std::max(passed_, epoch); }

void Journal::append(const JournalRecord& record, JournalState& state) {
  expect(!broken_, "a journal that failed is not used again");
  const bool starts = std::holds_alternative<RunStart>(record);
  expect(starts || index(epoch_) > 0, "a journal begins with a RunStart");
  const Epoch epoch = starts ? Epoch{index(std::max(epoch_, passed_)) + 1} : epoch_;

  Writer payload;
  encode_record(payload, record);
  if (payload.bytes().size() > largest_payload) {
    throw Error{path_.string() + ": a record of " + std::to_string(payload.bytes().size()) + " bytes is too large"};
  }
  state.apply(epoch, record);

  Writer chained;  // the sum before, then the record: what the new sum is over
  chained.put(chain_).put(record_magic).put(type_of(record));
  chained.put(static_cast<std::uint32_t>(payload.bytes().size())).put(epoch).put(sequence_).raw(payload.bytes());
  chain_ = xxh3_64(chained.bytes());
  chained.put(chain_);
  buffer_.insert(buffer_.end(), chained.bytes().begin() + sum_bytes, chained.bytes().end());
  ++sequence_;
  epoch_ = epoch;
}

/// Where locks do not reach, a run that slept for long may wake up to find that another one took it for dead.
bool Journal::is_ours() const { return broken_ || file_->size() == size_; }

void Journal::expect_ours() const {
  if (!is_ours()) {
    throw Error{
        path_.string() + " was written by another process: this run, of epoch " + std::to_string(index(epoch_)) +
        ", is no longer the owner of its folder. What it had committed is kept; what it has not is made again."};
  }
}

/// A copy stays, since damage looks the same as a torn write.
void Journal::keep_tail() {
  if (size_ == end_) {
    return;
  }
  Bytes tail(size_ - end_);
  tail.resize(file_->read(end_, tail));
  const std::filesystem::path copy = numbered(*disk_, path_, "torn");
  replace_file(*disk_, copy, {reinterpret_cast<const char*>(tail.data()), tail.size()}, Durable::yes);
  log::warn("{}: what was behind its last good record is moved to {}", path_.string(), copy.filename().string());
}

void Journal::commit() {
  expect(!broken_, "a journal that failed is not used again");
  if (buffer_.empty()) {
    return;
  }
  expect_ours();
  broken_ = true;  // until it is proved otherwise: all calls below may throw
  keep_tail();
  file_->write(end_, buffer_);
  end_ += buffer_.size();
  if (size_ > end_) {
    file_->resize(end_);
    room_ = end_;  // What was set aside behind the end went with the rest.
    file_->sync();
  } else {
    file_->sync_data();
  }
  size_ = end_;
  broken_ = false;
  buffer_.clear();
  keep_room();
}

}  // namespace pantile
