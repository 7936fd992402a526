#include "store/aside.hpp"

#include <fmt/format.h>

#include <string>
#include <system_error>

#include "base/disk.hpp"
#include "base/error.hpp"
#include "base/file.hpp"

namespace pantile {

void ShardsAside::move(std::string_view shard) {
  const std::filesystem::path from = layout_.shard(shard);
  std::error_code error;
  if (!std::filesystem::exists(from, error)) {
    return;
  }
  if (folder_.empty()) {
    folder_ = numbered(real_disk(), layout_.shards(), word_);
    std::filesystem::create_directory(folder_, error);
    if (!error) {
      sync_folder(layout_.root);
    }
  }
  if (!error) {
    std::filesystem::rename(from, folder_ / shard, error);
  }
  if (error) {
    throw Error{fmt::format("cannot move {} to {}: {}", from.string(), folder_.string(), error.message())};
  }
  sync_folder(folder_);
  sync_folder(layout_.shards());
}

void keep_aside(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return;
  }
  const std::filesystem::path kept = numbered(real_disk(), path, "bad");
  std::filesystem::create_hard_link(path, kept, error);
  if (error) {
    std::filesystem::copy_file(path, kept, error);  // Not every file system has links.
  }
  if (error) {
    throw Error{fmt::format("cannot keep {} as {}: {}", path.string(), kept.filename().string(), error.message())};
  }
}

}  // namespace pantile
