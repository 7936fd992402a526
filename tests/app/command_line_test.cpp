#include "app/command_line.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace pantile::app {
namespace {

Command parse(std::vector<std::string> words) {
  words.insert(words.begin(), "pantile");
  std::vector<char*> arguments;
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  return parse_command_line(arguments);
}

std::string refusal(const std::vector<std::string>& words) {
  try {
    static_cast<void>(parse(words));
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(CommandLine, RunTakesItsOptionsInAnyOrder) {
  const auto command =
      std::get<RunCommand>(parse({"run", "--set", "a=1", "job.yaml", "--ranks", "3", "--set", "b=2", "--fresh"}));
  EXPECT_EQ(command.job, "job.yaml");
  EXPECT_EQ(command.ranks, 3);
  EXPECT_EQ(command.sets, (std::vector<std::string>{"a=1", "b=2"}));
  EXPECT_TRUE(command.fresh);
}

TEST(CommandLine, FormatsAreThoseOfTheTable) {
  EXPECT_EQ(std::get<VerifyCommand>(parse({"verify", "out", "--format", "json"})).format, TableFormat::json);
  EXPECT_NE(refusal({"verify", "out", "--format", "xml"}), "accepted");
}

TEST(CommandLine, AMistypedCommandIsAnsweredWithTheRightOne) {
  EXPECT_EQ(refusal({"rnu", "job.yaml"}), "unknown command 'rnu'. Did you mean 'run'? All commands: pantile --help");
}

TEST(CommandLine, EveryMistakeEndsWithTheCommandThatHelps) {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {}, {"run"}, {"run", "a", "--ranks", "0"}, {"run", "a", "--dryrun"}, {"verify"}, {"export", "out"}}) {
    EXPECT_NE(refusal(words).find("pantile"), std::string::npos) << refusal(words);
    EXPECT_NE(refusal(words).find("--help"), std::string::npos) << refusal(words);
  }
}

TEST(CommandLine, HelpFitsAScreenAndNamesTheExitCodes) {
  const auto help = std::get<HelpRequest>(parse({"--help"})).text;
  EXPECT_LE(std::count(help.begin(), help.end(), '\n'), 32);
  EXPECT_NE(help.find("75 stopped on request"), std::string::npos);
  for (const char* const command : {"run", "verify", "inspect", "export", "status", "version"}) {
    const auto text = std::get<HelpRequest>(parse({command, "-h"})).text;
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 24) << text;
  }
}

}  // namespace
}  // namespace pantile::app
