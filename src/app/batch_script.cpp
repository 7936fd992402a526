#include "app/batch_script.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"

namespace pantile::app {
namespace {

using Lines = std::vector<std::string>;

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return lines;
}

Lines::iterator beginning(Lines& lines, const std::string& start) {
  return std::find_if(lines.begin(), lines.end(), [&](const std::string& line) { return line.starts_with(start); });
}

void add_option(Lines& lines, const std::string& line) {
  const auto last =
      std::find_if(lines.rbegin(), lines.rend(), [](const std::string& one) { return one.starts_with("#SBATCH "); });
  lines.insert(last.base(), line);
}

/// `name=value`, where the template has `name=` at the beginning of a line.
void set_variable(Lines& lines, const std::string& name, const std::string& value) {
  const auto found = beginning(lines, name + "=");
  expect(found != lines.end(), "the templates have a line for each variable");
  *found = name + "=" + value;
}

}  // namespace

std::string fill(std::string_view script, const BatchValues& values) {
  Lines lines = lines_of(script);
  for (const auto& [name, value] : values.options) {
    const std::string start = fmt::format("#SBATCH --{}=", name);
    if (const auto found = beginning(lines, start); found != lines.end()) {
      *found = start + value;
    } else {
      add_option(lines, start + value);
    }
  }
  for (const std::string& name : values.without) {
    std::erase_if(lines, [&](const std::string& line) { return line.starts_with(fmt::format("#SBATCH --{}=", name)); });
  }
  for (const std::string& option : values.further) {
    add_option(lines, "#SBATCH " + option);
  }
  for (const auto& [name, value] : values.variables) {
    set_variable(lines, name, shell_word(value));
  }
  Lines words;
  std::transform(values.arguments.begin(), values.arguments.end(), std::back_inserter(words), shell_word);
  set_variable(lines, "options", fmt::format("({})", fmt::join(words, " ")));
  return fmt::format("{}\n", fmt::join(lines, "\n"));
}

std::string shell_word(const std::string& text) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) {
    return text;
  }
  std::string word = "'";
  for (const char letter : text) {
    word += letter == '\'' ? std::string{"'\\''"} : std::string{letter};
  }
  return word + "'";
}

}  // namespace pantile::app
