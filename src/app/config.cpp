#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "app/command_line.hpp"
#include "config/fields.hpp"
#include "config/load.hpp"
#include "config/reference.hpp"
#include "config/schema.hpp"
#include "config/suggest.hpp"

namespace pantile::app {
namespace {

std::string lower(std::string_view text) {
  std::string small{text};
  std::transform(small.begin(), small.end(), small.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return small;
}

std::vector<KeyFacts> keys_with(const std::string& search) {
  std::vector<KeyFacts> found = key_facts();
  const std::string wanted = lower(search);
  std::erase_if(found, [&](const KeyFacts& key) {
    return lower(key.key).find(wanted) == std::string::npos && lower(key.meaning).find(wanted) == std::string::npos &&
           lower(key.values).find(wanted) == std::string::npos;
  });
  return found;
}

[[noreturn]] void refuse(const std::string& search) {
  std::set<std::string> parts;  // "memory" and "cap" of "devices.memory.cap"
  for (const KeyFacts& key : key_facts()) {
    for (std::size_t begin = 0; begin <= key.key.size();) {
      const std::size_t end = std::min(key.key.find('.', begin), key.key.size());
      parts.insert(key.key.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  const std::string near = did_you_mean(similar_names(search, {parts.begin(), parts.end()}));
  throw UsageError{fmt::format("no key has '{}' in its name, values or meaning.{} All keys: pantile config keys",
                               search, near.empty() ? "" : " D" + near.substr(1))};
}

}  // namespace

ExitCode carry_out(const ConfigKeysCommand& command) {
  const std::vector<KeyFacts> keys = keys_with(command.search);
  if (keys.empty()) {
    refuse(command.search);
  }
  if (command.format == TableFormat::table) {
    // Five columns side by side would be three times as wide as a terminal.
    for (const KeyFacts& key : keys) {
      fmt::print("{}\n    {}\n    values: {}\n    default: {} · affects: {}\n", key.key, key.meaning, key.values,
                 key.fallback, key.affects);
    }
    return ExitCode::done;
  }
  Table table{{"key", "values", "default", "affects", "meaning"}};
  for (const KeyFacts& key : keys) {
    table.add({key.key, key.values, key.fallback, key.affects, key.meaning});
  }
  fmt::print("{}", table.text(command.format));
  return ExitCode::done;
}

ExitCode carry_out(const ConfigSchemaCommand& command) {
  fmt::print("{}", config_schema(command.part ? SchemaOf::part : SchemaOf::job));
  return ExitCode::done;
}

ExitCode carry_out(const ConfigShowCommand& command) {
  const LoadedConfig loaded = load_job(command.job, {.sets = command.sets, .environment = process_environment()});
  fmt::print("{}", show_config(loaded, command.origin ? Origins::shown : Origins::hidden));
  return ExitCode::done;
}

}  // namespace pantile::app
