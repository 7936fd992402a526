#include "source/catalog.hpp"

#include <limits>
#include <utility>

#include "base/error.hpp"
#include "base/wire.hpp"

namespace pantile {

std::uint16_t Catalog::add_root(std::filesystem::path root) {
  expect(roots_.size() < std::numeric_limits<std::uint16_t>::max(), "a catalog has at most 65535 inputs");
  roots_.push_back(std::move(root));
  return static_cast<std::uint16_t>(roots_.size() - 1);
}

void Catalog::set_roots(std::vector<std::filesystem::path> roots) {
  expect(roots.size() == roots_.size(), "each input keeps its number");
  roots_ = std::move(roots);
}

ItemId Catalog::append(const CatalogItem& item) {
  expect(item.root < roots_.size(), "an item comes from a known input");
  const ItemId id{facts_.size()};
  facts_.push_back({.path_at = paths_.size(),
                    .bytes = item.bytes,
                    .mtime_ns = item.mtime_ns,
                    .extent = item.extent,
                    .root = item.root,
                    .channels = static_cast<std::uint8_t>(item.channels),
                    .bits = static_cast<std::uint8_t>(item.bits),
                    .orientation = static_cast<std::uint8_t>(item.orientation),
                    .format = item.format,
                    .fault = item.fault});
  paths_ += item.path;
  if (!item.detail.empty()) {
    details_.emplace(index(id), item.detail);
  }
  return id;
}

const Catalog::Facts& Catalog::facts(ItemId id) const {
  expect(index(id) < facts_.size(), "the item is in the catalog");
  return facts_[index(id)];
}

std::string_view Catalog::path(ItemId id) const {
  const std::uint64_t begin = facts(id).path_at;
  const std::uint64_t next = index(id) + 1;
  const std::uint64_t end = next < facts_.size() ? facts_[next].path_at : paths_.size();
  return std::string_view{paths_}.substr(begin, end - begin);
}

CatalogItem Catalog::item(ItemId id) const {
  const Facts& known = facts(id);
  const auto detail = details_.find(index(id));
  return {.path = std::string{path(id)},
          .root = known.root,
          .extent = known.extent,
          .channels = known.channels,
          .bits = known.bits,
          .orientation = known.orientation,
          .bytes = known.bytes,
          .mtime_ns = known.mtime_ns,
          .format = known.format,
          .fault = known.fault,
          .detail = detail == details_.end() ? std::string{} : detail->second};
}

Extent Catalog::extent(ItemId id) const { return facts(id).extent; }

Fault Catalog::fault(ItemId id) const { return facts(id).fault; }

std::filesystem::path Catalog::file(ItemId id) const { return roots_[facts(id).root] / path(id); }

Hash128 Catalog::digest() const {
  Hasher hasher;
  for (std::uint64_t at = 0; at < facts_.size(); ++at) {
    const ItemId id{at};
    const Facts& known = facts_[at];
    Writer record;
    record.put(id).put(path(id)).put(known.bytes).put(known.extent.height).put(known.extent.width);
    record.put(known.channels).put(known.bits).put(known.orientation).put(known.format).put(known.fault);
    hasher.update(record.bytes());
  }
  return hasher.digest();
}

}  // namespace pantile
