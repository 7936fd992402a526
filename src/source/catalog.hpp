#pragma once
// All items of a run: what they are called, and what their headers say. Made once, on rank 0, and kept in catalog.h5.

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

namespace pantile {

struct CatalogItem {
  std::string path{};      ///< UTF-8, relative to its input's root, '/' between folders
  std::uint16_t root = 0;  ///< which input: position in Catalog::roots()
  Extent extent{};         ///< as seen, after orientation; empty if the header cannot be read
  int channels = 0;
  int bits = 0;
  int orientation = 1;
  std::uint64_t bytes = 0;    ///< of the file
  std::int64_t mtime_ns = 0;  ///< since 1970
  ImageFormat format = ImageFormat::unknown;
  Fault fault = Fault::none;  ///< why the header cannot be read; such an item is quarantined without being tried
  std::string detail{};       ///< the same for a person
  bool operator==(const CatalogItem&) const = default;
};

/// Append-only. 56 bytes and the path for an item, so that ten million fit beside everything else on rank 0.
/// Reading is safe from several threads while nobody appends.
class Catalog {
 public:
  /// Adds an input's folder, in the order of the config, and returns its number: CatalogItem::root.
  std::uint16_t add_root(std::filesystem::path root);
  /// The same inputs, found in other places. Precondition: as many as there are.
  void set_roots(std::vector<std::filesystem::path> roots);
  /// Adds an item and returns its id: 0, 1, 2, … in the order of the calls. Precondition: item.root is known.
  ItemId append(const CatalogItem& item);

  [[nodiscard]] std::uint64_t size() const noexcept { return facts_.size(); }
  [[nodiscard]] const std::vector<std::filesystem::path>& roots() const noexcept { return roots_; }

  // Precondition of all below: index(id) < size().

  [[nodiscard]] CatalogItem item(ItemId id) const;
  /// item(id).path without a copy; valid until the next append.
  [[nodiscard]] std::string_view path(ItemId id) const;
  [[nodiscard]] Extent extent(ItemId id) const;
  [[nodiscard]] Fault fault(ItemId id) const;
  /// Where the item's file lies: its root and its path.
  [[nodiscard]] std::filesystem::path file(ItemId id) const;

  /// Of what the results depend on: ids, relative paths, sizes, header facts and faults. Not of roots, times and
  /// details, so that a data set that was copied elsewhere is still the same.
  [[nodiscard]] Hash128 digest() const;

 private:
  struct Facts {
    std::uint64_t path_at = 0;  ///< in paths_; the next item's is its end
    std::uint64_t bytes = 0;
    std::int64_t mtime_ns = 0;
    Extent extent;
    std::uint16_t root = 0;
    std::uint8_t channels = 0;
    std::uint8_t bits = 0;
    std::uint8_t orientation = 1;
    ImageFormat format = ImageFormat::unknown;
    Fault fault = Fault::none;
  };
  static_assert(sizeof(Facts) <= 56);
  [[nodiscard]] const Facts& facts(ItemId id) const;

  std::vector<std::filesystem::path> roots_;
  std::vector<Facts> facts_;
  std::string paths_;
  std::unordered_map<std::uint64_t, std::string> details_;  ///< by item; few have one
};

}  // namespace pantile
