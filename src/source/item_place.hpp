#pragma once
// Where an item lies, for whoever reads it. A plain record: it travels in messages, and needs no catalog beside it.

#include <cstdint>
#include <string>

namespace pantile {

/// What the items of an input lie in. The numbers are in catalog.h5 and in messages: never change one, only add.
enum class RootKind : std::uint8_t {
  folder = 0,  ///< files; those of a text list too
  tar = 1,     ///< members of an archive that is not compressed
  zip = 2,     ///< members of a .zip or .cbz
  stack = 3    ///< rows of an HDF5 dataset
};

struct ItemPlace {
  RootKind kind = RootKind::folder;
  std::string container;              ///< the item's own file, or the archive or HDF5 file that it is in
  std::uint64_t container_bytes = 0;  ///< of archive or HDF5 file, by the catalog; another size means that it changed
  std::string name;                   ///< of the member, for zip; of the dataset, for a stack
  std::uint64_t at = 0;               ///< tar: offset of the member's bytes; zip: position in the directory; stack: row
  std::uint64_t bytes = 0;            ///< of the item, unpacked, by the catalog; another size means that it changed
  bool operator==(const ItemPlace&) const = default;
};

template <class Archive>
void fields(Archive& archive, ItemPlace& place) {
  archive(place.kind, place.container, place.container_bytes, place.name, place.at, place.bytes);
}

}  // namespace pantile
