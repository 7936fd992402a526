#include "store/shard_file.hpp"

#include "store/file_seal.hpp"

namespace pantile {

FileHash publish_shard(Disk& disk, const RunLayout& layout, const ShardName& name) {
  const std::filesystem::path partial = layout.partial(name);
  const std::filesystem::path path = layout.shard(to_string(name));
  try {
    const std::unique_ptr<DiskFile> file = disk.open(partial, Access::change);
    const FileHash found = write_seal(*file);
    publish(disk, *file, partial, path);
    return found;
  } catch (...) {
    try_to_remove(disk, partial);
    try_to_remove(disk, path);  // Named, but perhaps not for good.
    throw;
  }
}

}  // namespace pantile
