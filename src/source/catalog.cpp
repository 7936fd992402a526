#include "source/catalog.hpp"

#include <limits>
#include <utility>

#include "base/error.hpp"
#include "base/wire.hpp"

namespace pantile {

std::uint16_t Catalog::add_root(CatalogRoot root) {
  expect(roots_.size() < std::numeric_limits<std::uint16_t>::max(), "a catalog has at most 65535 inputs");
  roots_.push_back(std::move(root));
  return static_cast<std::uint16_t>(roots_.size() - 1);
}

void Catalog::relocate(const std::vector<CatalogRoot>& roots) {
  expect(roots.size() == roots_.size(), "each input keeps its number");
  for (std::size_t i = 0; i < roots.size(); ++i) {
    roots_[i].path = roots[i].path;
  }
}

ItemId Catalog::append(const CatalogItem& item) {
  expect(item.root < roots_.size(), "an item comes from a known input");
  const ItemId id{facts_.size()};
  facts_.push_back({.path_at = paths_.size(),
                    .bytes = item.bytes,
                    .mtime_ns = item.mtime_ns,
                    .at = item.at,
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

void Catalog::settle(ItemId id, const Probed& probed) {
  expect(index(id) < facts_.size(), "the item is in the catalog");
  Facts& known = facts_[index(id)];
  known.bytes = probed.bytes;
  known.mtime_ns = probed.mtime_ns;
  known.extent = probed.header.extent;
  known.channels = static_cast<std::uint8_t>(probed.header.channels);
  known.bits = static_cast<std::uint8_t>(probed.header.bits);
  known.orientation = static_cast<std::uint8_t>(probed.header.orientation);
  known.format = probed.format;
  known.fault = probed.fault;
  if (!probed.detail.empty()) {
    details_.insert_or_assign(index(id), probed.detail);
  } else if (!details_.empty()) {
    details_.erase(index(id));
  }
}

void Catalog::reserve(std::uint64_t items, std::uint64_t path_bytes) {
  // Exact where it pays; small additions, input after input, are left to double as usual.
  if (items > facts_.size() / 4) {
    facts_.reserve(facts_.size() + items);
    paths_.reserve(paths_.size() + path_bytes);
  }
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
  return {.path = std::string{path(id)},
          .root = known.root,
          .at = known.at,
          .extent = known.extent,
          .channels = known.channels,
          .bits = known.bits,
          .orientation = known.orientation,
          .bytes = known.bytes,
          .mtime_ns = known.mtime_ns,
          .format = known.format,
          .fault = known.fault,
          .detail = detail(id)};
}

std::uint16_t Catalog::root(ItemId id) const { return facts(id).root; }

Extent Catalog::extent(ItemId id) const { return facts(id).extent; }

Fault Catalog::fault(ItemId id) const { return facts(id).fault; }

std::string Catalog::detail(ItemId id) const {
  const auto found = details_.find(index(id));
  return found == details_.end() ? std::string{} : found->second;
}

ItemPlace Catalog::place(ItemId id) const {
  const Facts& known = facts(id);
  const CatalogRoot& root = roots_[known.root];
  ItemPlace place{.kind = root.kind,
                  .container = {},
                  .container_bytes = root.bytes,
                  .name = {},
                  .at = known.at,
                  .bytes = known.bytes};
  switch (root.kind) {
    case RootKind::folder: place.container = (root.path / path(id)).string(); break;
    case RootKind::zip: place.name = path(id); [[fallthrough]];
    case RootKind::tar: place.container = root.path.string(); break;
    case RootKind::stack:
      place.container = root.path.string();
      place.name = root.dataset;
      break;
  }
  return place;
}

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
