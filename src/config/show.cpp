#include <fmt/format.h>

#include <algorithm>

#include "config/document.hpp"
#include "config/emit.hpp"
#include "config/load.hpp"

namespace pantile {
namespace {

/// Stands between a value and its comment until all lines are known; no value has it, yaml_scalar escapes it.
constexpr char mark = '\t';
constexpr std::string_view folder_comment = "# relative paths count from ";

/// Lines the comments up.
std::string with_comments_in_column(const std::string& text) {
  constexpr std::size_t widest = 60;  // A long path shall not push the others to the right.
  std::vector<std::string> lines;
  std::size_t column = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    const std::size_t at = lines.back().find(mark);
    column = at <= widest ? std::max(column, at) : column;
    begin = end + 1;
  }
  std::string whole;
  for (const std::string& line : lines) {
    const std::size_t at = line.find(mark);
    whole +=
        at == std::string::npos ? line : fmt::format("{:{}}  # {}", line.substr(0, at), column, line.substr(at + 1));
    whole += '\n';
  }
  return whole;
}

std::string origin_of(const LoadedConfig& loaded, const Field& field, std::size_t index) {
  const auto found = loaded.origins.find(key_of_entry(field, loaded.config, index));
  if (found != loaded.origins.end()) {
    return found->second;
  }
  return field.default_note.empty() ? "built-in" : fmt::format("built-in: {}", field.default_note);
}

std::string text_of(const RunConfig& config, const WriteValue& comment) {
  return fmt::format("{}{}\n", folder_comment, yaml_scalar(config.folder.string())) +
         emit_config(
             config, [&](const Field& field, const Slot& slot, std::size_t index) -> std::optional<std::string> {
               const auto text = slot.write();
               return text ? std::optional{with_dollars_doubled(*text) + comment(field, slot, index).value_or("")}
                           : std::nullopt;
             });
}

}  // namespace

std::string effective_text(const RunConfig& config) {
  return text_of(config, [](const Field&, const Slot&, std::size_t) { return std::nullopt; });
}

std::string folder_of_effective_text(const std::string& text) {
  if (!text.starts_with(folder_comment)) {
    return {};
  }
  const std::size_t end = std::min(text.find('\n'), text.size());
  const auto leaves = flatten_yaml("folder: " + text.substr(folder_comment.size(), end - folder_comment.size()));
  return leaves.empty() ? std::string{} : leaves.front().second;
}

std::string show_config(const LoadedConfig& loaded, Origins origins) {
  if (origins == Origins::hidden) {
    return effective_text(loaded.config);
  }
  return with_comments_in_column(text_of(loaded.config, [&](const Field& field, const Slot&, std::size_t index) {
    return std::optional{mark + origin_of(loaded, field, index)};
  }));
}

}  // namespace pantile
