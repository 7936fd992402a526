#include "app/item_choice.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/error.hpp"

namespace pantile::app {

ItemId chosen_item(const std::string& text, const std::vector<ItemId>& by_path, std::uint64_t items) {
  if (by_path.size() == 1) {
    return by_path.front();
  }
  if (by_path.size() > 1) {
    throw UsageError{fmt::format("{} items are called {} (in several inputs). Give the number of one: {}.",
                                 by_path.size(), text, index(by_path.front()))};
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size() && number < items) {
    return ItemId{number};
  }
  throw UsageError{
      fmt::format("the run has no item '{}'. Give its path below the input folder, or its number below {}. "
                  "`pantile inspect RUN` lists all.",
                  text, items)};
}

}  // namespace pantile::app
