// What is told of a job before it begins.

#include <algorithm>
#include <map>

#include "image/block_grid.hpp"
#include "run/job.hpp"

namespace pantile {

Extent Prospect::output_extent(ItemId item) const {
  return pantile::output_extent(facts.geometry, border, catalog.extent(item));
}

std::uint64_t Prospect::output_bytes(ItemId item) const {
  return static_cast<std::uint64_t>(output_extent(item).area()) * static_cast<std::uint64_t>(facts.output_channels);
}

std::vector<ExtentClass> Prospect::extent_classes(std::size_t limit) const {
  std::map<std::pair<int, int>, std::uint64_t> counts;
  for (const WorkItem& item : work.items()) {
    const Extent extent = catalog.extent(item.item);
    ++counts[{extent.height, extent.width}];
  }
  std::vector<ExtentClass> classes;
  classes.reserve(counts.size());
  for (const auto& [extent, count] : counts) {
    classes.push_back({{extent.first, extent.second}, count});
  }
  const auto by_pixels = [](const ExtentClass& a, const ExtentClass& b) {
    return static_cast<double>(a.extent.area()) * static_cast<double>(a.count) >
           static_cast<double>(b.extent.area()) * static_cast<double>(b.count);
  };
  std::stable_sort(classes.begin(), classes.end(), by_pixels);
  // What is largest must be planned for, however rare it is: the image, and the block of an output, which a long
  // narrow image has none of.
  const auto block_area = [&](const ExtentClass& one) {
    const Extent output = pantile::output_extent(facts.geometry, border, one.extent);
    return std::int64_t{std::min(output.height, block_side_px)} * std::min(output.width, block_side_px);
  };
  std::vector<ExtentClass> must;
  if (!classes.empty()) {
    must.push_back(*std::max_element(classes.begin(), classes.end(), [](const ExtentClass& a, const ExtentClass& b) {
      return a.extent.area() < b.extent.area();
    }));
    must.push_back(*std::max_element(classes.begin(), classes.end(), [&](const ExtentClass& a, const ExtentClass& b) {
      return block_area(a) < block_area(b);
    }));
  }
  if (classes.size() > limit) {
    classes.resize(limit);
    for (std::size_t i = 0; i < must.size(); ++i) {
      const bool is_there = std::any_of(classes.begin(), classes.end(),
                                        [&](const ExtentClass& one) { return one.extent == must[i].extent; });
      if (!is_there) {
        classes[limit - 1 - i] = must[i];
      }
    }
  }
  return classes;
}

std::vector<std::string> Prospect::input_roots() const {
  std::vector<std::string> texts;
  texts.reserve(catalog.roots().size());
  for (const CatalogRoot& root : catalog.roots()) {
    texts.push_back(root.path.string());
  }
  return texts;
}

}  // namespace pantile
