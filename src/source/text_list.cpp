#include "source/text_list.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"
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

}  // namespace

NameList read_list(const std::filesystem::path& list) {
  const std::string text = read_text(list);
  const std::filesystem::path folder = list.parent_path();
  NameList names;
  std::vector<std::uint32_t> lines;
  std::string_view rest = text;
  rest.remove_prefix(rest.starts_with("\xEF\xBB\xBF") ? 3 : 0);
  for (std::uint32_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    line.remove_suffix(line.ends_with('\r') ? 1 : 0);
    if (line.starts_with('#') || line.find_first_not_of(" \t") == std::string_view::npos) {
      continue;
    }
    if (!is_utf8(line)) {
      throw UsageError{fmt::format("{}:{}: the name is not UTF-8 (the catalog and the results name files in it).",
                                   list.string(), number)};
    }
    names.add(relative_to(folder, line));
    lines.push_back(number);
  }
  expect_no_doubles(list, names, lines);
  return names;
}

}  // namespace pantile::detail
