#include "store/file_seal.hpp"

#include <algorithm>
#include <string_view>

#include "base/error.hpp"
#include "base/wire.hpp"

namespace pantile {

namespace {

constexpr std::string_view seal_magic = "PANTILE-SEALED-1";

Bytes seal_of(const Hash128& hash) {
  Writer writer;
  writer.raw(std::as_bytes(std::span{seal_magic})).put(hash.high).put(hash.low);
  expect(writer.bytes().size() == seal_bytes, "a seal has its size");
  return std::move(writer).bytes();
}

}  // namespace

FileHash write_seal(DiskFile& file) {
  FileHash whole = hash_file(file);
  file.write(whole.bytes, seal_of(whole.hash));
  whole.bytes += seal_bytes;
  return whole;
}

SealCheck check_seal(DiskFile& file, const std::function<void(std::uint64_t)>& progress) {
  const std::uint64_t size = file.size();
  const std::uint64_t content = size - std::min(size, seal_bytes);
  SealCheck check{.found = hash_file(file, progress, content)};
  check.found.bytes = size;
  Bytes seal(size - content);
  check.holds = file.read(content, seal) == seal.size() && seal == seal_of(check.found.hash);
  return check;
}

SealCheck check_seal(const std::filesystem::path& path, const std::function<void(std::uint64_t)>& progress) {
  return check_seal(*real_disk().open(path, Access::read), progress);
}

}  // namespace pantile
