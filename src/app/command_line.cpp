#include "app/command_line.hpp"

#include <algorithm>

#include "app/help.hpp"
#include "base/error.hpp"
#include "config/suggest.hpp"

namespace pantile::app {
namespace {

/// The command that the arguments name, as far as they name one, and the word that follows it.
struct Named {
  const CLI::App* command;
  std::string next;
};

Named named(const CLI::App& root, std::span<char* const> arguments) {
  Named at{&root, ""};
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    at.next = arguments[i];
    const auto below = commands_of(*at.command);
    const auto found = std::find_if(below.begin(), below.end(), [&](auto* one) { return one->get_name() == at.next; });
    if (found == below.end()) {
      return at;
    }
    at = {*found, ""};
  }
  return at;
}

/// For words that the command does not know: an option is answered with one that it has.
std::string unexpected(const CLI::App& command, const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const CLI::Option* option : options_of(command)) {
    names.push_back(option->get_name());
  }
  for (const std::string& word : words) {
    if (!word.starts_with('-')) {
      continue;
    }
    const auto similar = suggestion(word.substr(0, word.find('=')), names);
    return "unknown option '" + word + "'." + (similar ? " Did you mean '" + *similar + "'?" : "");
  }
  return "'" + words.front() + "' is a word too many.";
}

/// The subcommands' own mistakes end with the command that helps; a mistyped command gets a suggestion.
[[noreturn]] void refuse(const CLI::App& app, std::span<char* const> arguments, const std::string& why) {
  const auto [at, next] = named(app, arguments);
  std::vector<std::string> names;
  for (const CLI::App* command : commands_of(*at)) {
    names.push_back(command->get_name());
  }
  if (!names.empty() && !next.empty() && !next.starts_with('-')) {
    std::string text = "unknown command '" + next + "'.";
    if (const auto similar = suggestion(next, names)) {
      text += " Did you mean '" + *similar + "'?";
    }
    throw UsageError{text + " All commands: " + words_of(*at) + " --help"};
  }
  throw UsageError{why + (why.ends_with('.') || why.ends_with('?') ? "" : ".") + " See: " + words_of(*at) + " --help"};
}

}  // namespace

Command parse_command_line(std::span<char* const> arguments) {
  Grammar grammar;
  try {
    grammar.app().parse(static_cast<int>(arguments.size()), arguments.data());
  } catch (const CLI::CallForHelp&) {
    return HelpRequest{help_text(grammar.reached())};
  } catch (const CLI::CallForVersion& version) {
    return HelpRequest{std::string{version.what()} + "\n"};
  } catch (const CLI::ExtrasError& error) {
    const std::vector<std::string> words = grammar.reached().remaining();
    refuse(grammar.app(), arguments, words.empty() ? error.what() : unexpected(grammar.reached(), words));
  } catch (const CLI::RequiredError& error) {
    // Of a command that has others below it: which one is missing, unless an option was meant.
    const auto [at, next] = named(grammar.app(), arguments);
    const bool wants_command = !commands_of(*at).empty();
    refuse(grammar.app(), arguments,
           !wants_command ? error.what()
           : next.empty() ? "a command is missing."
                          : unexpected(*at, {next}));
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
