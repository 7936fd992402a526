#include "source/probing.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "source/item_reader.hpp"

namespace pantile {

bool wants_probe(const Catalog& catalog, ItemId item) {
  return catalog.fault(item) == Fault::none && catalog.roots()[catalog.root(item)].kind != RootKind::stack;
}

int probe_threads(int cores) { return std::clamp(2 * cores, 4, 64); }

std::vector<Probed> probe_places(std::span<const ItemPlace> places, int threads) {
  expect(threads >= 1, "somebody reads the headers");
  constexpr std::size_t batch = 64;
  std::vector<Probed> probed(places.size());
  std::atomic<std::size_t> next = 0;
  std::exception_ptr error;
  std::mutex error_mutex;
  const auto work = [&] {
    try {
      ItemReader reader;
      for (std::size_t begin = next.fetch_add(batch); begin < places.size(); begin = next.fetch_add(batch)) {
        for (std::size_t at = begin; at < std::min(begin + batch, places.size()); ++at) {
          probed[at] = to_probed(reader.probe(places[at]));
        }
      }
    } catch (...) {
      const std::lock_guard lock{error_mutex};
      error = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> helpers;
    const auto most = std::min<std::size_t>(static_cast<std::size_t>(threads), places.size() / batch + 1);
    for (std::size_t i = 1; i < most; ++i) {
      helpers.emplace_back(work);
    }
    work();
  }
  if (error) {
    std::rethrow_exception(error);
  }
  return probed;
}

void probe_here(Catalog& catalog, ItemId first, int threads) {
  constexpr std::size_t slice = 16'384;  // Bounds what is held beside the catalog, whatever the size of the input.
  std::vector<ItemId> ids;
  std::vector<ItemPlace> places;
  for (std::uint64_t at = index(first); at < catalog.size();) {
    ids.clear();
    places.clear();
    for (; at < catalog.size() && ids.size() < slice; ++at) {
      if (wants_probe(catalog, ItemId{at})) {
        ids.push_back(ItemId{at});
        places.push_back(catalog.place(ItemId{at}));
      }
    }
    const std::vector<Probed> probed = probe_places(places, threads);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      catalog.settle(ids[i], probed[i]);
    }
  }
}

namespace {

std::vector<Probed> probe_items(const Catalog& catalog, std::span<const ItemId> items, int threads) {
  std::vector<ItemPlace> places;
  places.reserve(items.size());
  for (const ItemId item : items) {
    places.push_back(catalog.place(item));
  }
  return probe_places(places, threads);
}

bool is_known(const CatalogItem& known, const Probed& probed) {
  return known.fault == Fault::none && known.bytes == probed.bytes && known.format == probed.format &&
         HeaderFacts{known.extent, known.orientation, known.channels, known.bits} == probed.header;
}

}  // namespace

std::vector<ItemId> probe_mended(Catalog& catalog, std::span<const ItemId> items, int threads) {
  std::vector<ItemId> ids;
  for (const ItemId item : items) {
    if (catalog.roots()[catalog.root(item)].kind != RootKind::stack) {
      ids.push_back(item);
    }
  }
  const std::vector<Probed> probed = probe_items(catalog, ids, threads);
  std::vector<ItemId> mended;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (probed[i].fault == Fault::none && !is_known(catalog.item(ids[i]), probed[i])) {
      catalog.settle(ids[i], probed[i]);
      mended.push_back(ids[i]);
    }
  }
  return mended;
}

std::vector<ItemId> probe_unreadable_again(Catalog& catalog, ItemId end, int threads) {
  std::vector<ItemId> ids;
  for (std::uint64_t at = 0; at < index(end); ++at) {
    if (catalog.fault(ItemId{at}) == Fault::unreadable) {
      ids.push_back(ItemId{at});
    }
  }
  const std::vector<Probed> probed = probe_items(catalog, ids, threads);
  std::vector<ItemId> mended;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (probed[i].fault != Fault::unreadable && probed[i].fault != Fault::changed) {
      catalog.settle(ids[i], probed[i]);
      mended.push_back(ids[i]);
    }
  }
  return mended;
}

}  // namespace pantile
