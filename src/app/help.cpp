#include "app/help.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pantile::app {
namespace {

constexpr std::size_t columns = 80;

/// Columns on a terminal: bytes that go on with a UTF-8 sequence take none.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

/// `name` and `text` side by side, the text wrapped; a long name has a line of its own.
std::string entry(std::string_view name, std::string_view text, std::size_t indent) {
  std::string lines;
  std::string line = fmt::format("{:<{}}", name, indent);
  if (width_of(name) + 1 >= indent) {
    lines = std::string{name} + "\n";
    line.assign(indent, ' ');
  }
  bool empty = true;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    if (!empty && width_of(line) + 1 + width_of(word) > columns) {
      lines += line + "\n";
      line.assign(indent, ' ');
      empty = true;
    }
    line += (empty ? "" : " ") + std::string{word};
    empty = false;
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  return lines + line + "\n";
}

std::string option_name(const CLI::Option& option) {
  const std::string value = value_name(option);
  const std::string name = option.get_name();
  return value.empty() ? name : name + " " + value;
}

std::string usage(const CLI::App& command) {
  std::string text = words_of(command);
  if (!commands_of(command).empty()) {
    text += " COMMAND";
  }
  for (const CLI::Option* option : positionals_of(command)) {
    text += option->get_required() ? " " + option->get_name() : " [" + option->get_name() + "]";
  }
  return text + (options_of(command).empty() ? "" : " [OPTIONS]");
}

/// The commands below, each group with its name beside its first one.
std::string command_list(const CLI::App& command) {
  const std::vector<const CLI::App*> below = commands_of(command);
  std::size_t widest_group = 0;
  std::size_t widest_name = 0;
  for (const CLI::App* one : below) {
    widest_group = std::max(widest_group, one->get_group().size());
    widest_name = std::max(widest_name, one->get_name().size());
  }
  std::string text;
  std::string last_group;
  for (const CLI::App* one : below) {
    const std::string& group = one->get_group();
    const std::string name =
        fmt::format("  {:<{}}  {}", group == last_group ? "" : group, widest_group, one->get_name());
    text += entry(name, one->get_description(), widest_group + widest_name + 6);
    last_group = group;
  }
  return text;
}

std::string option_list(const CLI::App& command) {
  std::vector<const CLI::Option*> all = positionals_of(command);
  const std::vector<const CLI::Option*> options = options_of(command);
  all.insert(all.end(), options.begin(), options.end());
  std::size_t widest = 0;
  for (const CLI::Option* option : all) {
    const std::size_t size = width_of(option_name(*option));
    widest = std::max(widest, size > columns / 3 ? 0 : size);
  }
  std::string text;
  for (const CLI::Option* option : all) {
    std::string doc = option->get_description();
    if (!option->get_default_str().empty()) {
      doc += fmt::format(" (default: {})", option->get_default_str());
    }
    text += entry("  " + option_name(*option), doc, widest + 4);
  }
  return text;
}

}  // namespace

std::string help_text(const CLI::App& command) {
  std::string text = fmt::format("{}\n\nUsage: {}\n", command.get_description(), usage(command));
  for (const std::string& part : {command_list(command), option_list(command), command.get_footer()}) {
    text += part.empty() ? "" : "\n" + part;
  }
  return text.back() == '\n' ? text : text + '\n';
}

std::string words_of(const CLI::App& command) {
  const CLI::App* const parent = command.get_parent();
  return (parent == nullptr ? "" : words_of(*parent) + " ") + command.get_name();
}

std::string value_name(const CLI::Option& option) {
  if (option.get_positional() || option.get_expected_max() == 0 || option.get_items_expected_max() == 0) {
    return "";
  }
  const std::string text = option.get_type_name();  // "N:INT in [1 - 64]": checks follow the name
  return text.substr(0, text.find(':'));
}

std::vector<const CLI::App*> commands_of(const CLI::App& command) {
  // A filter, even of everything, asks for all of them; without one CLI11 gives those that were typed.
  return command.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<const CLI::Option*> positionals_of(const CLI::App& command) {
  return command.get_options([](const CLI::Option* option) { return option->get_positional(); });
}

std::vector<const CLI::Option*> options_of(const CLI::App& command) {
  return command.get_options([](const CLI::Option* option) {
    return !option->get_positional() && !option->check_lname("help") && !option->check_lname("version");
  });
}

}  // namespace pantile::app
