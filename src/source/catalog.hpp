#pragma once
// All items of a run: what they are called, where they lie, and what their headers say. Made on rank 0, and kept in
// catalog.h5.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/extent.hpp"
#include "base/hash.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "codec/header.hpp"
#include "source/item_place.hpp"
#include "source/probed.hpp"

namespace pantile {

/// What the items of one input lie in.
struct CatalogRoot {
  RootKind kind = RootKind::folder;
  std::filesystem::path path{};  ///< the folder, the archive, or the HDF5 file
  std::string dataset{};         ///< of a stack: "/images"
  std::uint64_t bytes = 0;       ///< of archive or HDF5 file when the catalog was made
  bool operator==(const CatalogRoot&) const = default;
};

struct CatalogItem {
  std::string path{};  ///< UTF-8, '/' between folders: below its folder, or the member's name, or "000123" of a stack
  std::uint16_t root = 0;  ///< which input: position in Catalog::roots()
  std::uint64_t at = 0;    ///< in an archive or a stack: ItemPlace::at
  Extent extent{};         ///< as seen, after orientation; empty if the header cannot be read
  int channels = 0;
  int bits = 0;
  int orientation = 1;
  std::uint64_t bytes = 0;                    ///< of the file, or of the member when it is unpacked
  std::int64_t mtime_ns = 0;                  ///< since 1970; of a member or row: its archive's
  ImageFormat format = ImageFormat::unknown;  ///< unknown for a row of a stack, which has none
  Fault fault = Fault::none;  ///< why the header cannot be read; such an item is quarantined without being tried
  std::string detail{};       ///< the same for a person
  bool operator==(const CatalogItem&) const = default;
};

/// Append-only: ids never change. At most 64 bytes and the path for an item, so that ten million fit beside everything
/// else on rank 0. Reading is safe from several threads while nobody appends; so is settle() of other items than those
/// that are read.
class Catalog {
 public:
  /// Adds an input, in the order of the config, and returns its number: CatalogItem::root.
  std::uint16_t add_root(CatalogRoot root);
  /// The same inputs, found in other places. Precondition: as many as there are.
  void relocate(const std::vector<CatalogRoot>& roots);
  /// Adds an item and returns its id: 0, 1, 2, … in the order of the calls. Precondition: item.root is known.
  ItemId append(const CatalogItem& item);
  /// Puts in what a probe of the item found. One thread at a time.
  void settle(ItemId id, const Probed& probed);
  /// Makes room for so many more items whose paths have so many bytes, and not more: for large inputs.
  void reserve(std::uint64_t items, std::uint64_t path_bytes);

  [[nodiscard]] std::uint64_t size() const noexcept { return facts_.size(); }
  [[nodiscard]] const std::vector<CatalogRoot>& roots() const noexcept { return roots_; }

  // Precondition of all below: index(id) < size().

  [[nodiscard]] CatalogItem item(ItemId id) const;
  /// item(id).path without a copy; valid until the next append.
  [[nodiscard]] std::string_view path(ItemId id) const;
  [[nodiscard]] std::uint16_t root(ItemId id) const;
  [[nodiscard]] Extent extent(ItemId id) const;
  [[nodiscard]] Fault fault(ItemId id) const;
  /// Why the header cannot be read, for a person; empty if it can.
  [[nodiscard]] std::string detail(ItemId id) const;
  /// For whoever reads the item.
  [[nodiscard]] ItemPlace place(ItemId id) const;

  /// Of what the results depend on: ids, relative paths, sizes, header facts and faults. Not of roots, places, times
  /// and details, so that a data set that was copied elsewhere, or packed into an archive, is still the same.
  [[nodiscard]] Hash128 digest() const;

 private:
  struct Facts {
    std::uint64_t path_at = 0;  ///< in paths_; the next item's is its end
    std::uint64_t bytes = 0;
    std::int64_t mtime_ns = 0;
    std::uint64_t at = 0;
    Extent extent;
    std::uint16_t root = 0;
    std::uint8_t channels = 0;
    std::uint8_t bits = 0;
    std::uint8_t orientation = 1;
    ImageFormat format = ImageFormat::unknown;
    Fault fault = Fault::none;
  };
  static_assert(sizeof(Facts) <= 64);
  [[nodiscard]] const Facts& facts(ItemId id) const;

  std::vector<CatalogRoot> roots_;
  std::vector<Facts> facts_;
  std::string paths_;
  std::unordered_map<std::uint64_t, std::string> details_;  ///< by item; few have one
};

}  // namespace pantile
