#pragma once
// Zip archives for tests, packed by libzip.

#include <zip.h>

#include <string>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "base/temp_folder.hpp"

namespace pantile::testing {

enum class Packing { stored, deflated };

/// The bytes of an archive with these members.
inline std::string zip_of(const std::vector<std::pair<std::string, std::string>>& members,
                          Packing packing = Packing::deflated) {
  const TempFolder folder;
  const std::string path = (folder.path() / "a.zip").string();
  int error = 0;
  zip_t* const archive = ::zip_open(path.c_str(), ZIP_CREATE | ZIP_EXCL, &error);
  if (archive == nullptr) {
    throw Error{"the test cannot pack " + path};
  }
  for (const auto& [name, data] : members) {
    zip_source_t* const source = ::zip_source_buffer(archive, data.data(), data.size(), 0);
    const zip_int64_t at = ::zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
    ::zip_set_file_compression(archive, static_cast<zip_uint64_t>(at),
                               packing == Packing::stored ? ZIP_CM_STORE : ZIP_CM_DEFLATE, 0);
  }
  if (::zip_close(archive) != 0) {
    throw Error{"the test cannot write " + path};
  }
  return read_text(path);
}

}  // namespace pantile::testing
