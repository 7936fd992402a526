#include "app/completion_words.hpp"

#include <algorithm>
#include <cctype>

#include "app/help.hpp"
#include "config/fields.hpp"

namespace pantile::app {
namespace {

Values values_of(const std::string& name) {
  using Kind = Values::Kind;
  if (name.find('|') != std::string::npos) {
    Values values{Kind::choices, {}};
    for (std::size_t begin = 0; begin <= name.size();) {
      const std::size_t end = std::min(name.find('|', begin), name.size());
      values.choices.push_back(name.substr(begin, end - begin));
      begin = end + 1;
    }
    return values;
  }
  const auto is_one_of = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (is_one_of({"KEY=VALUE", "SETTING"})) {
    return {Kind::keys, {}};
  }
  if (name == "JOB") {
    return {Kind::jobs, {}};
  }
  if (is_one_of({"DIR", "RUN"})) {
    return {Kind::folders, {}};
  }
  // What is none of these may well be a file: offering files where there is no need does no harm.
  return {is_one_of({"", "N", "NAME", "ITEM", "KEY", "SEARCH"}) || name.find('=') != std::string::npos ? Kind::nothing
                                                                                                       : Kind::files,
          {}};
}

Argument argument_of(const CLI::Option& option) {
  const bool place = option.get_positional();
  const std::string type = option.get_type_name();
  // A positional one is called by its name, unless its values are a few words.
  const std::string value = !place                                ? value_name(option)
                            : type.find('|') == std::string::npos ? option.get_name()
                                                                  : type;
  return {.name = option.get_name(),
          .doc = option.get_description(),
          .takes_value = place || !value.empty(),
          .repeats = option.get_expected_max() > 1,
          .values = values_of(value)};
}

void collect(const CLI::App& app, std::vector<CommandWords>& all) {
  CommandWords words{words_of(app), app.get_description(), {}, {}, {}};
  for (const CLI::Option* option : positionals_of(app)) {
    words.places.push_back(argument_of(*option));
  }
  for (const CLI::Option* option : options_of(app)) {
    words.options.push_back(argument_of(*option));
  }
  for (const CLI::App* below : commands_of(app)) {
    words.commands.push_back(below->get_name());
  }
  all.push_back(std::move(words));
  for (const CLI::App* below : commands_of(app)) {
    collect(*below, all);
  }
}

}  // namespace

std::vector<CommandWords> completion_words(const CLI::App& app) {
  std::vector<CommandWords> all;
  collect(app, all);
  return all;
}

std::vector<std::string> settable_keys() {
  std::vector<std::string> keys;
  for (const Field& field : config_fields()) {
    // N, ID, NAME stand for entries of lists and maps.
    const bool fixed =
        std::none_of(field.key.begin(), field.key.end(), [](unsigned char c) { return std::isupper(c); });
    RunConfig any;
    if (fixed && !field.slot(any, 0).entries) {
      keys.push_back(std::string{field.key} + "=");
    }
  }
  return keys;
}

}  // namespace pantile::app
