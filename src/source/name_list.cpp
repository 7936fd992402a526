#include "source/name_list.hpp"

#include <algorithm>
#include <limits>

#include "base/error.hpp"

namespace pantile::detail {

void NameList::add(std::string_view name) {
  expect(entries_.size() < std::numeric_limits<std::uint32_t>::max(), "an input has at most 4 billion files");
  entries_.push_back(
      {text_.size(), static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(entries_.size())});
  text_ += name;
}

void NameList::sort() {
  std::sort(entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) {
    const int order = text(a).compare(text(b));
    return order < 0 || (order == 0 && a.number < b.number);
  });
}

std::string_view NameList::name(std::size_t at) const { return text(entries_[at]); }

}  // namespace pantile::detail
