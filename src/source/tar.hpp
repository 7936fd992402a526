#pragma once
// The members of a tar archive that is not compressed: where each lies, so that any of them is one read away.
//
// A reader of our own, because no library gives random access: a member is then as cheap to probe and to read as a
// file, from any thread. It knows ustar, GNU and pax archives, and the older ones without a name.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/result.hpp"
#include "codec/byte_reader.hpp"

namespace pantile::detail {

struct TarMember {
  std::string name;         ///< as member_name(); bytes as they are stored
  std::uint64_t at = 0;     ///< of its first byte
  std::uint64_t bytes = 0;  ///< all of them are in the file
  std::string link;         ///< the member that it is a link to: then it has no bytes of its own
  Failure failure;          ///< why it cannot be read, if it cannot: Fault::none if it can
};

/// Hands out the files and links among the members, in the order of the archive. Throws UsageError if the file is no
/// tar archive, is compressed, damaged, or cut short; Error if it cannot be read.
void list_tar(const std::filesystem::path& path, const std::function<void(const TarMember&)>& visit);

/// The words for an archive that is packed as a whole, like .tar.gz.
[[nodiscard]] std::string compressed_tar(const std::filesystem::path& path);

/// True if the bytes at `at` still follow the header of a member of that size.
[[nodiscard]] bool is_tar_member(ByteReader& archive, std::uint64_t at, std::uint64_t bytes);

}  // namespace pantile::detail
