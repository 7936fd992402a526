#include "source/text_list.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "codec/byte_reader.hpp"
#include "source/names.hpp"

namespace pantile::detail {
namespace {

std::string relative_to(const std::filesystem::path& folder, std::string_view line) {
  const std::filesystem::path path = std::filesystem::path{line}.lexically_normal();
  if (!path.is_absolute()) {
    return path.string();
  }
  const std::string below = path.lexically_relative(std::filesystem::absolute(folder).lexically_normal()).string();
  return below.empty() || below == ".." || below.starts_with("../") ? path.string() : below;
}

/// Throws if a name is there twice. `lines`: of each name, in the order of the list.
void expect_no_doubles(const std::filesystem::path& list, NameList names, const std::vector<std::uint32_t>& lines) {
  names.sort();
  for (std::size_t at = 1; at < names.size(); ++at) {
    if (names.name(at) == names.name(at - 1)) {
      throw UsageError{
          fmt::format("{}:{}: {} is on the list already, on line {} (results are found by their path). Take one out; "
                      "`sort -u` does it for a whole list.",
                      list.string(), lines[names.number(at)], names.name(at), lines[names.number(at - 1)])};
    }
  }
}

/// The lines of a file, of which only a part is in memory.
class Lines {
 public:
  explicit Lines(const std::filesystem::path& list) : file_{list} {}

  /// Without the mark at its end; a longer one than a path can be comes in part. False after the last one.
  bool next(std::string& line) {
    line.clear();
    for (;;) {
      if (rest_.empty() && !refill()) {
        return !line.empty();
      }
      const std::size_t end = rest_.find('\n');
      line += rest_.substr(0, end);
      rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
      if (line.size() > longest_path + 1 || end != std::string_view::npos) {
        ++number_;
        return true;
      }
    }
  }
  [[nodiscard]] std::uint32_t number() const noexcept { return number_; }

 private:
  bool refill() {
    const std::size_t count = file_.read_at(at_, std::as_writable_bytes(std::span{buffer_}));
    rest_ = std::string_view{buffer_}.substr(0, count);
    if (at_ == 0 && rest_.starts_with("\xEF\xBB\xBF")) {
      rest_.remove_prefix(3);
    }
    at_ += count;
    return count > 0;
  }
  FileReader file_;
  std::string buffer_ = std::string(std::size_t{64} << 10U, '\0');
  std::string_view rest_;
  std::uint64_t at_ = 0;
  std::uint32_t number_ = 0;
};

}  // namespace

NameList read_list(const std::filesystem::path& list) {
  const std::filesystem::path folder = list.parent_path();
  NameList names;
  std::vector<std::uint32_t> numbers;
  Lines lines{list};
  const auto refuse = [&](std::string_view why) {
    throw UsageError{
        fmt::format("{}:{}: the name {}. Is it a list of images, a path a line?", list.string(), lines.number(), why)};
  };
  for (std::string text; lines.next(text);) {
    std::string_view line = text;
    line.remove_suffix(line.ends_with('\r') ? 1 : 0);
    if (line.size() > longest_path) {  // A comment too: what follows would be taken for a line of its own.
      refuse(fmt::format("is longer than the {} bytes that a path can have", longest_path));
    }
    if (line.starts_with('#') || line.find_first_not_of(" \t") == std::string_view::npos) {
      continue;
    }
    if (const auto why = why_no_name(line)) {
      refuse(*why);
    }
    if (!is_utf8(line)) {
      refuse("is not UTF-8 (the catalog and the results name files in it)");
    }
    names.add(relative_to(folder, line));
    numbers.push_back(lines.number());
  }
  expect_no_doubles(list, names, numbers);
  return names;
}

}  // namespace pantile::detail
