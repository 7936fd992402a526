#include "source/catalog.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace pantile {
namespace {

CatalogItem page(std::string path) {
  return {.path = std::move(path),
          .extent = {1401, 992},
          .channels = 3,
          .bits = 8,
          .orientation = 6,
          .bytes = 2'044'756,
          .mtime_ns = 1'700'000'000'123'456'789,
          .format = ImageFormat::png};
}

Catalog of(const std::vector<CatalogItem>& items) {
  Catalog catalog;
  catalog.add_root({.path = "/data/pages"});
  catalog.add_root({.path = "more"});
  for (const CatalogItem& item : items) {
    catalog.append(item);
  }
  return catalog;
}

TEST(Catalog, GivesBackWhatWasAppended) {
  CatalogItem broken{.path = "b/broken.jpg", .root = 1, .bytes = 12, .fault = Fault::truncated, .detail = "it ends"};
  const std::vector<CatalogItem> items{page("a/seite-ä.png"), broken, page("z.png"), page("")};
  const Catalog catalog = of(items);
  ASSERT_EQ(catalog.size(), 4U);
  for (std::uint64_t at = 0; at < items.size(); ++at) {
    EXPECT_EQ(catalog.item(ItemId{at}), items[at]);
    EXPECT_EQ(catalog.path(ItemId{at}), items[at].path);
    EXPECT_EQ(catalog.extent(ItemId{at}), items[at].extent);
    EXPECT_EQ(catalog.fault(ItemId{at}), items[at].fault);
  }
  EXPECT_EQ(catalog.place(ItemId{0}).container, "/data/pages/a/seite-ä.png");
  EXPECT_EQ(catalog.place(ItemId{1}).container, "more/b/broken.jpg");
}

TEST(Catalog, DigestIsOfWhatResultsDependOn) {
  const std::vector<std::function<void(CatalogItem&)>> changes{
      [](CatalogItem& item) { item.path = "c.png"; },
      [](CatalogItem& item) { item.bytes += 1; },
      [](CatalogItem& item) { item.extent.height += 1; },
      [](CatalogItem& item) { item.extent.width += 1; },
      [](CatalogItem& item) { item.channels = 4; },
      [](CatalogItem& item) { item.bits = 16; },
      [](CatalogItem& item) { item.orientation = 1; },
      [](CatalogItem& item) { item.format = ImageFormat::jpeg; },
      [](CatalogItem& item) { item.fault = Fault::corrupt; },
  };
  const Hash128 digest = of({page("a.png"), page("b.png")}).digest();
  for (std::size_t i = 0; i < changes.size(); ++i) {
    CatalogItem changed = page("b.png");
    changes[i](changed);
    EXPECT_NE(of({page("a.png"), changed}).digest(), digest) << "change " << i;
  }
  EXPECT_NE(of({page("b.png"), page("a.png")}).digest(), digest) << "ids";
  EXPECT_NE(of({page("a.png")}).digest(), digest);
}

TEST(Catalog, DigestOfACopiedDataSetIsTheSame) {
  const Hash128 digest = of({page("a.png")}).digest();
  CatalogItem copied = page("a.png");
  copied.mtime_ns += 1;
  copied.root = 1;
  copied.detail = "other words";
  EXPECT_EQ(of({copied}).digest(), digest);
}

TEST(CatalogDeath, KnowsItsItems) {
  const Catalog catalog = of({page("a.png")});
  EXPECT_DEATH((void)catalog.item(ItemId{1}), "in the catalog");
}

}  // namespace
}  // namespace pantile
