#pragma once
// What can be typed where, read off the grammar: the part of completion that all shells share.

#include <string>
#include <vector>

#include "app/grammar.hpp"

namespace pantile::app {

/// What stands for an argument's value. Told by its name in the grammar: JOB, DIR, "table|json|csv".
struct Values {
  enum class Kind { nothing, choices, keys, jobs, folders, files };
  Kind kind = Kind::nothing;
  std::vector<std::string> choices;
};

struct Argument {
  std::string name;  ///< "JOB", "--ranks"
  std::string doc;
  bool takes_value = true;  ///< false: a flag
  bool repeats = false;     ///< may come several times
  Values values;
};

struct CommandWords {
  std::string command;  ///< "pantile", "pantile run"
  std::string doc;
  std::vector<std::string> commands;  ///< names of those right below it
  std::vector<Argument> places;       ///< positional ones, in their order
  std::vector<Argument> options;
};

/// Every command, a command before those below it.
[[nodiscard]] std::vector<CommandWords> completion_words(const CLI::App& app);

/// The keys of a job that --set can name as they are, each with its '='.
[[nodiscard]] std::vector<std::string> settable_keys();

}  // namespace pantile::app
