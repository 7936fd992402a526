#include "app/command_line.hpp"

#include "app/grammar.hpp"
#include "base/error.hpp"
#include "config/suggest.hpp"

namespace pantile::app {
namespace {

/// "pantile", "pantile run", "pantile config show".
std::string words_of(const CLI::App& command) {
  const CLI::App* const parent = command.get_parent();
  return (parent == nullptr ? "" : words_of(*parent) + " ") + command.get_name();
}

/// The command that the arguments name, as far as they name one, and the word that follows it.
struct Named {
  const CLI::App* command;
  std::string next;
};

Named named(const CLI::App& root, std::span<char* const> arguments) {
  Named at{&root, ""};
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    at.next = arguments[i];
    const auto below = at.command->get_subcommands([&](const CLI::App* app) { return app->get_name() == at.next; });
    if (below.empty()) {
      return at;
    }
    at = {below.front(), ""};
  }
  return at;
}

/// The subcommands' own mistakes end with the command that helps; a mistyped command gets a suggestion.
[[noreturn]] void refuse(const CLI::App& app, std::span<char* const> arguments, const std::string& why) {
  const auto [at, next] = named(app, arguments);
  std::vector<std::string> names;
  for (const CLI::App* command : at->get_subcommands({})) {
    names.push_back(command->get_name());
  }
  if (!names.empty() && !next.empty() && !next.starts_with('-')) {
    std::string text = "unknown command '" + next + "'.";
    if (const auto similar = suggestion(next, names)) {
      text += " Did you mean '" + *similar + "'?";
    }
    throw UsageError{text + " All commands: " + words_of(*at) + " --help"};
  }
  throw UsageError{why + ". See: " + words_of(*at) + " --help"};
}

}  // namespace

Command parse_command_line(std::span<char* const> arguments) {
  Grammar grammar;
  try {
    grammar.app().parse(static_cast<int>(arguments.size()), arguments.data());
  } catch (const CLI::CallForHelp&) {
    return HelpRequest{grammar.reached().help()};
  } catch (const CLI::CallForVersion& version) {
    return HelpRequest{std::string{version.what()} + "\n"};
  } catch (const CLI::ParseError& error) {
    refuse(grammar.app(), arguments, error.what());
  }
  Command command = grammar.chosen();
  if (auto* const run = std::get_if<RunCommand>(&command)) {
    run->words.assign(arguments.begin() + 1, arguments.end());
  }
  return command;
}

}  // namespace pantile::app
