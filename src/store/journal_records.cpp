#include "store/journal_records.hpp"

#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace pantile {

namespace {

void put(Writer& writer, const Hash128& hash) { writer.put(hash.high).put(hash.low); }
void put(Writer& writer, const FileHash& file) {
  writer.put(file.bytes);
  put(writer, file.hash);
}
void put(Writer& writer, const Failure& failure) { writer.put(failure.fault).put(failure.detail); }

void put(Writer& writer, const RunStart& start) {
  writer.put(start.time).put(start.items).put(static_cast<std::uint32_t>(start.outputs.size()));
  for (const OutputInfo& output : start.outputs) {
    writer.put(output.name).put(output.dtype);
  }
  writer.put(start.plan).put(start.folder).put(start.identity);
  put(writer, start.catalog_digest);
  put(writer, start.catalog);
  writer.put(static_cast<std::uint8_t>(start.repairs));
}
void put(Writer& writer, const ShardCommit& commit) {
  writer.put(commit.shard).put(commit.bytes);
  put(writer, commit.hash);
  put(writer, commit.content_sum);
  writer.raw(encode_ranges(commit.ranges));
}
void put(Writer& writer, const AttemptFailed& failed) {
  writer.put(failed.item).put(failed.attempt);
  put(writer, failed.failure);
}
void put(Writer& writer, const ItemQuarantined& quarantine) {
  writer.put(quarantine.item).put(quarantine.attempts);
  put(writer, quarantine.failure);
}
void put(Writer& writer, const ShardRetired& retired) { writer.put(retired.shard); }
void put(Writer& writer, const RunEnd& end) {
  put(writer, end.digest);
  put(writer, end.index);
}
void put(Writer& writer, const Release& release) { writer.put(release.item); }
void put(Writer& writer, const ShardAdopted& adopted) { put(writer, adopted.commit); }

Hash128 get_hash(Reader& reader) {
  const auto high = reader.get<std::uint64_t>();
  return {high, reader.get<std::uint64_t>()};
}
FileHash get_file(Reader& reader) {
  const auto bytes = reader.get<std::uint64_t>();
  return {.hash = get_hash(reader), .bytes = bytes};
}
Failure get_failure(Reader& reader) {
  const auto fault = reader.get<Fault>();
  return {fault, reader.text()};
}

// One get() for each alternative; the tag says which.
RunStart get(Reader& reader, std::type_identity<RunStart>) {
  RunStart start;
  start.time = reader.text();
  start.items = reader.get<std::uint64_t>();
  for (auto left = reader.get<std::uint32_t>(); left > 0; --left) {
    std::string name = reader.text();
    start.outputs.push_back({.name = std::move(name), .dtype = reader.get<DType>()});
  }
  start.plan = reader.text();
  start.folder = reader.text();
  start.identity = reader.text();
  start.catalog_digest = get_hash(reader);
  start.catalog = get_file(reader);
  start.repairs = reader.get<std::uint8_t>() != 0;
  return start;
}
ShardCommit get(Reader& reader, std::type_identity<ShardCommit>) {
  ShardCommit commit;
  commit.shard = reader.text();
  commit.bytes = reader.get<std::uint64_t>();
  commit.hash = get_hash(reader);
  commit.content_sum = get_hash(reader);
  commit.ranges = decode_ranges(reader.take(reader.left()));
  return commit;
}
AttemptFailed get(Reader& reader, std::type_identity<AttemptFailed>) {
  const auto item = reader.get<ItemId>();
  const auto attempt = reader.get<std::uint32_t>();
  return {item, attempt, get_failure(reader)};
}
ItemQuarantined get(Reader& reader, std::type_identity<ItemQuarantined>) {
  const auto item = reader.get<ItemId>();
  const auto attempts = reader.get<std::uint32_t>();
  return {item, attempts, get_failure(reader)};
}
ShardRetired get(Reader& reader, std::type_identity<ShardRetired>) { return {reader.text()}; }
RunEnd get(Reader& reader, std::type_identity<RunEnd>) {
  const Hash128 digest = get_hash(reader);
  return {digest, get_file(reader)};
}
Release get(Reader& reader, std::type_identity<Release>) { return {reader.get<ItemId>()}; }
ShardAdopted get(Reader& reader, std::type_identity<ShardAdopted>) {
  return {get(reader, std::type_identity<ShardCommit>{})};
}

template <std::size_t At = 0>
JournalRecord decode_alternative(std::uint32_t type, Reader& reader) {
  if constexpr (At < std::variant_size_v<JournalRecord>) {
    if (type == At + 1) {
      JournalRecord record = get(reader, std::type_identity<std::variant_alternative_t<At, JournalRecord>>{});
      reader.finish();
      return record;
    }
    return decode_alternative<At + 1>(type, reader);
  } else {
    throw WireError{"a record of the unknown type " + std::to_string(type)};
  }
}

}  // namespace

std::uint32_t type_of(const JournalRecord& record) { return static_cast<std::uint32_t>(record.index() + 1); }

void encode_record(Writer& writer, const JournalRecord& record) {
  std::visit([&](const auto& alternative) { put(writer, alternative); }, record);
}

JournalRecord decode_record(std::uint32_t type, Reader& reader) { return decode_alternative(type, reader); }

}  // namespace pantile
