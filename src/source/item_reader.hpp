#pragma once
// Items to bytes, wherever they lie: what is behind an ItemPlace.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "base/wire.hpp"
#include "codec/byte_reader.hpp"
#include "codec/header.hpp"
#include "image/image.hpp"
#include "source/item_place.hpp"

namespace pantile {

/// Reads items, and keeps the archives that it reads from open: the least recently used goes when there are too many.
/// Owned and used by one thread. An archive that is replaced while it is open is read on as it was.
///
/// Faults of all: unreadable (the file is away, cannot be read, or is no regular file), changed (another size than in
/// the catalog, or the archive has something else there), and of members unsupported, corrupt, truncated. Throws only
/// std::bad_alloc.
class ItemReader {
 public:
  explicit ItemReader(std::size_t most_open = 8);
  ~ItemReader();
  ItemReader(const ItemReader&) = delete;
  ItemReader& operator=(const ItemReader&) = delete;

  /// All encoded bytes; Fault::too_large beyond `limit`, before anything is read or unpacked. Members of zip archives
  /// are checked against their checksum. Precondition: place.kind is not RootKind::stack.
  [[nodiscard]] Result<Bytes> read(const ItemPlace& place, std::uint64_t limit);
  /// The encoded bytes, to be read in parts; valid until the next call of this reader. Precondition: as read().
  [[nodiscard]] Result<std::unique_ptr<ByteReader>> open(const ItemPlace& place);
  /// The pixels of a row. Precondition: place.kind is RootKind::stack.
  [[nodiscard]] Result<Image> row(const ItemPlace& place);
  /// What row() takes for a while beside the pixels. The same precondition.
  [[nodiscard]] Result<std::uint64_t> beside_row(const ItemPlace& place);
  /// What the catalog wants to know. The size of a file is found out; a member must have place.bytes. Precondition: as
  /// read().
  [[nodiscard]] ProbedFile probe(const ItemPlace& place);

 private:
  class Containers;
  std::unique_ptr<Containers> containers_;
};

}  // namespace pantile
