#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pantile::detail {

/// Many names in little room: 16 bytes and the name each. A million paths as strings would take 80 MB.
class NameList {
 public:
  void add(std::string_view name);
  /// By the bytes of the names; equal ones stay in the order in which they came.
  void sort();

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return text_.size(); }
  /// Valid until the next add().
  [[nodiscard]] std::string_view name(std::size_t at) const;
  /// The how manieth it was to come.
  [[nodiscard]] std::size_t number(std::size_t at) const { return entries_[at].number; }

 private:
  struct Entry {
    std::uint64_t begin = 0;  ///< in text_
    std::uint32_t length = 0;
    std::uint32_t number = 0;
  };
  [[nodiscard]] std::string_view text(const Entry& entry) const {
    return std::string_view{text_}.substr(entry.begin, entry.length);
  }
  std::vector<Entry> entries_;
  std::string text_;
};

}  // namespace pantile::detail
