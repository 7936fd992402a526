#include "app/help.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "app/command_line.hpp"
#include "base/error.hpp"
#include "base/file.hpp"

namespace pantile::app {
namespace {

/// All commands of the grammar: the root, groups, and what is below them.
std::vector<const CLI::App*> all_commands(const CLI::App& app) {
  std::vector<const CLI::App*> all{&app};
  for (const CLI::App* command : commands_of(app)) {
    const std::vector<const CLI::App*> below = all_commands(*command);
    all.insert(all.end(), below.begin(), below.end());
  }
  return all;
}

std::vector<std::string> words(const CLI::App& command) {
  std::istringstream stream{words_of(command)};
  return {std::istream_iterator<std::string>{stream}, {}};
}

Command parse(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  return parse_command_line(arguments);
}

std::size_t width(std::string_view line) {
  // Bytes that continue a UTF-8 sequence take no column.
  return static_cast<std::size_t>(
      std::count_if(line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

TEST(Help, OfEveryCommandFitsATerminalOf24LinesAnd80Columns) {
  const Grammar grammar;
  ASSERT_GT(all_commands(grammar.app()).size(), 8U);
  for (const CLI::App* command : all_commands(grammar.app())) {
    std::vector<std::string> typed = words(*command);
    typed.emplace_back("-h");
    const std::string text = std::get<HelpRequest>(parse(typed)).text;
    EXPECT_EQ(text, help_text(*command)) << "what -h prints is the command's own";
    // One line is left for the prompt below.
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 23) << text;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(width(line), 80U) << line;
      EXPECT_FALSE(line.ends_with(' ')) << '"' << line << '"';
    }
  }
}

TEST(Help, NamesEveryCommandAndEveryOption) {
  const Grammar grammar;
  for (const CLI::App* command : all_commands(grammar.app())) {
    const std::string text = help_text(*command);
    for (const CLI::App* below : commands_of(*command)) {
      EXPECT_NE(text.find("  " + below->get_name() + " "), std::string::npos) << text;
      EXPECT_FALSE(below->get_description().empty()) << below->get_name();
    }
    for (const CLI::Option* option : command->get_options()) {
      const bool shown = text.find("  " + option->get_name()) != std::string::npos;
      EXPECT_EQ(shown, !option->check_lname("help") && !option->check_lname("version")) << option->get_name();
      EXPECT_FALSE(option->get_description().empty()) << words_of(*command) << " " << option->get_name();
    }
  }
}

/// Every command's help, as docs/commands.md has it.
std::string commands_page() {
  const Grammar grammar;
  std::string text;
  for (const CLI::App* command : all_commands(grammar.app())) {
    text += "\n## " + words_of(*command) + "\n\n```text\n" + help_text(*command) + "```\n";
  }
  return text + "\n";
}

/// PANTILE_UPDATE_DOCS=1 writes the page instead of checking it.
TEST(Help, CommandsPageIsUpToDate) {
  const std::filesystem::path page = PANTILE_SOURCE_DIR "/docs/commands.md";
  const std::string begin = "<!-- commands: made from src/app/grammar.cpp; see tests/app/help_test.cpp -->\n";
  std::string text = read_text(page);
  const auto from = text.find(begin);
  const auto to = text.find("<!-- end of commands -->\n");
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  const auto start = from + begin.size();
  if (std::getenv("PANTILE_UPDATE_DOCS") != nullptr) {
    replace_file(page, text.replace(start, to - start, commands_page()), Durable::no);
    GTEST_SKIP() << "docs/commands.md was written anew";
  }
  EXPECT_EQ(text.substr(start, to - start), commands_page()) << "run this test with PANTILE_UPDATE_DOCS=1";
}

TEST(Help, ExitCodesAreAllOnTheCommandsPage) {
  const std::string text = read_text(PANTILE_SOURCE_DIR "/docs/commands.md");
  for (const ExitCode code : {ExitCode::done, ExitCode::failed, ExitCode::usage, ExitCode::quarantined,
                              ExitCode::differs, ExitCode::stopped, ExitCode::interrupted}) {
    EXPECT_NE(text.find("\n| " + std::to_string(static_cast<int>(code)) + " | "), std::string::npos);
  }
}

TEST(Help, GroupsStandTogether) {
  const Grammar grammar;
  std::vector<std::string> groups;
  for (const CLI::App* command : commands_of(grammar.app())) {
    if (groups.empty() || groups.back() != command->get_group()) {
      groups.push_back(command->get_group());
    }
  }
  std::vector<std::string> sorted = groups;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(std::unique(sorted.begin(), sorted.end()), sorted.end());
}

TEST(Help, EveryMistakeNamesTheHelpOfItsCommand) {
  const Grammar grammar;
  for (const CLI::App* command : all_commands(grammar.app())) {
    std::vector<std::string> typed = words(*command);
    typed.emplace_back("--no-such-option");
    try {
      static_cast<void>(parse(typed));
      ADD_FAILURE() << words_of(*command) << " takes any option";
    } catch (const UsageError& error) {
      EXPECT_TRUE(std::string_view{error.what()}.ends_with(words_of(*command) + " --help")) << error.what();
    }
  }
}

}  // namespace
}  // namespace pantile::app
