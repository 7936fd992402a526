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

TEST(CommandLine, ConfigHasThreeCommands) {
  const auto keys = std::get<ConfigKeysCommand>(parse({"config", "keys", "memory", "--format", "csv"}));
  EXPECT_EQ(keys.search, "memory");
  EXPECT_EQ(keys.format, TableFormat::csv);
  EXPECT_TRUE(std::get<ConfigSchemaCommand>(parse({"config", "schema", "--part"})).part);
  const auto show = std::get<ConfigShowCommand>(parse({"config", "show", "--set", "a=1", "job.yaml", "--origin"}));
  EXPECT_EQ(show.job, "job.yaml");
  EXPECT_EQ(show.sets, (std::vector<std::string>{"a=1"}));
  EXPECT_TRUE(show.origin);
  EXPECT_EQ(refusal({"config", "kyes"}),
            "unknown command 'kyes'. Did you mean 'keys'? All commands: pantile config --help");
}

TEST(CommandLine, AMistypedOptionIsAnsweredWithTheRightOne) {
  EXPECT_EQ(refusal({"run", "job.yaml", "--rank", "3"}),
            "unknown option '--rank'. Did you mean '--ranks'? See: pantile run --help");
  EXPECT_EQ(refusal({"--fromat"}), "unknown option '--fromat'. See: pantile --help");
  EXPECT_EQ(refusal({"status", "out", "twice"}), "'twice' is a word too many. See: pantile status --help");
  EXPECT_EQ(refusal({"verify", "out", "--format", "xml"}),
            "'xml' is none of table, json, csv. See: pantile verify --help");
}

TEST(CommandLine, RunKnowsTheWordsItWasStartedWith) {
  const std::vector<std::string> words{"run", "job.yaml", "--ranks", "3"};
  EXPECT_EQ(std::get<RunCommand>(parse(words)).words, words);
}

}  // namespace
}  // namespace pantile::app
