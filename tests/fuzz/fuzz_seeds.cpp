// Writes the seeds that only our own code can make: each message that there is, and journals.
//
//     fuzz_seeds CORPUS
//
// make_corpus.py calls it.

#include <fstream>
#include <string>

#include "base/message.hpp"
#include "cluster/messages.hpp"
#include "fuzz/fuzz.hpp"
#include "pipeline/executor_protocol.hpp"
#include "sim/sim_disk.hpp"
#include "store/journal.hpp"
#include "store/journal_records.hpp"
#include "store/journal_state.hpp"

namespace {

using namespace pantile;
namespace fs = std::filesystem;

void save(const fs::path& path, std::span<const std::byte> bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream file{path, std::ios::binary};
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file) {
    throw Error{"cannot write " + path.string()};
  }
}

/// One of each of the variant's types, without content; those with more in them are made below.
template <class Message, std::size_t At = 0>
void save_each(const fs::path& folder, int way) {
  if constexpr (At < std::variant_size_v<Message>) {
    Bytes bytes{static_cast<std::byte>(way)};
    const Bytes message = encode_message(Message{std::in_place_index<At>});
    bytes.insert(bytes.end(), message.begin(), message.end());
    save(folder / ("way" + std::to_string(way) + "-" + std::to_string(At)), bytes);
    save_each<Message, At + 1>(folder, way);
  }
}

template <class Message>
void save_message(const fs::path& path, int way, const Message& message) {
  Bytes bytes{static_cast<std::byte>(way)};
  const Bytes encoded = encode_message(message);
  bytes.insert(bytes.end(), encoded.begin(), encoded.end());
  save(path, bytes);
}

void save_messages(const fs::path& folder) {
  save_each<ToCoordinator>(folder, 0);
  save_each<ToWorker>(folder, 1);
  save_each<ToExecutor>(folder, 2);
  save_each<FromExecutor>(folder, 3);
  const AssignedItem item{
      .item = ItemId{7},
      .attempt = 2,
      .place =
          {.kind = RootKind::zip, .container = "a.cbz", .container_bytes = 99, .name = "b.png", .at = 3, .bytes = 50},
      .header = {{30, 40}, 1, 3, 8},
      .output_extent = {60, 80},
      .blocks = {{OutputId{0}, BlockId{0}, 1}}};
  save_message<ToWorker>(folder / "assign", 1, AssignUnit{.items = {item, item}, .seal_after_ms = 1000});
  save_message<ToCoordinator>(folder / "sealed", 0,
                              ShardIsSealed{.shard = ShardId{1},
                                            .name = "e0001-r0001-000001.h5",
                                            .bytes = 4096,
                                            .hash = {1, 2},
                                            .content_sum = {3, 4},
                                            .ranges = {{.item = ItemId{5}, .items = 3}}});
  Opened opened;
  opened.device_class = "cpu:avx512";
  opened.facts.inputs = {{.name = "input", .type = "float32", .dims = {"n", "3", "h", "w"}}};
  opened.facts.layers = {{.macs_per_px = 27}};
  save_message<FromExecutor>(folder / "opened", 3, opened);
}

/// A run of two epochs: everything that a journal can say.
std::vector<JournalRecord> story() {
  const std::vector<OutputInfo> outputs{{"page", DType::u8}, {"mask", DType::f16}};
  const auto range = [](std::uint16_t output, std::uint64_t item, std::uint64_t items) {
    return RowRange{.output = OutputId{output}, .item = ItemId{item}, .items = items};
  };
  const RunStart start{.time = "2026-01-31T12:00:00Z",
                       .items = 6,
                       .outputs = outputs,
                       .plan = "plan",
                       .folder = "/jobs",
                       .identity = "identity"};
  const RowRange blocks{.item = ItemId{4}, .block = BlockId{1}, .blocks = 2, .of_blocks = 4};
  return {start,
          ShardCommit{.shard = "e0001-r0001-000000.h5",
                      .bytes = 1,
                      .hash = {1, 2},
                      .content_sum = {3, 4},
                      .ranges = {range(0, 0, 3), blocks}},
          ShardCommit{.shard = "e0001-r0002-000000.h5", .ranges = {range(1, 0, 2)}},
          AttemptFailed{.item = ItemId{5}, .attempt = 1, .failure = {Fault::crashed, "it died"}},
          ItemQuarantined{.item = ItemId{5}, .attempts = 2, .failure = {Fault::truncated, "it ends"}},
          start,
          Release{.item = ItemId{5}},
          ShardRetired{.shard = "e0001-r0002-000000.h5"},
          ShardAdopted{.commit = {.shard = "e0001-r0003-000000.h5", .ranges = {range(1, 2, 1)}}}};
}

void save_journals(const fs::path& folder) {
  sim::SimDisk disk;
  disk.make_folder("/run");
  JournalState state;
  Journal journal = Journal::open("/run/journal", state, disk);
  Writer framed;
  for (const JournalRecord& record : story()) {
    Writer payload;
    encode_record(payload, record);
    framed.put(static_cast<std::uint8_t>(type_of(record))).put(std::uint8_t{0});
    framed.put(static_cast<std::uint16_t>(payload.bytes().size())).raw(payload.bytes());
    journal.append(record, state);
  }
  journal.commit();
  save(folder / "records", framed.bytes());
  const Bytes file = read_file(disk, "/run/journal");
  save(folder / "file", file);
  save(folder / "file-torn", std::span{file}.first(file.size() - 9));
  Writer whole_run;
  const std::vector<JournalRecord> short_story{RunStart{.items = 1, .outputs = {{"page", DType::u8}}},
                                               ShardCommit{.shard = "e0001-r0001-000000.h5", .ranges = {{}}},
                                               RunEnd{.digest = {1, 2}, .index = {.hash = {3, 4}, .bytes = 5}}};
  for (const JournalRecord& record : short_story) {
    Writer payload;
    encode_record(payload, record);
    whole_run.put(static_cast<std::uint8_t>(type_of(record))).put(std::uint8_t{3});
    whole_run.put(static_cast<std::uint16_t>(payload.bytes().size())).raw(payload.bytes());
  }
  save(folder / "records-to-the-end", whole_run.bytes());
}

/// Changes of a shard and an index, one of each kind.
void save_changes(const fs::path& folder) {
  for (int what = 0; what < 15; ++what) {
    Writer changes;
    for (std::uint8_t which = 0; which < 4; ++which) {
      changes.put(static_cast<std::uint8_t>(what)).put(static_cast<std::uint8_t>(which * 5 + what));
      changes.put(std::uint16_t{which}).put(std::uint64_t{3} << 9U * which);
    }
    save(folder / ("changes-" + std::to_string(what)), changes.bytes());
  }
  save(folder / "none", Bytes{std::byte{0}});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    return 2;
  }
  const fs::path corpus = argv[1];
  save_messages(corpus / "message");
  save_journals(corpus / "journal");
  save_changes(corpus / "index");
  return 0;
}
