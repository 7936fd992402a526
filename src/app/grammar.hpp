#pragma once
// How the command line is written: every command and option, tied to the structs of command_line.hpp. Help and
// completion are made from it. Heavy to compile: what carries a command out need not know it.

#include <CLI/CLI.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "app/command_line.hpp"

namespace pantile::app {

class Grammar {
 public:
  Grammar();

  [[nodiscard]] CLI::App& app() noexcept { return app_; }
  [[nodiscard]] const CLI::App& app() const noexcept { return app_; }

  /// After app().parse(): the command that was typed, with its options. Precondition: parsing succeeded.
  [[nodiscard]] Command chosen() const;
  /// The deepest command that parsing has come to; app() if there is none.
  [[nodiscard]] const CLI::App& reached() const;

 private:
  /// Adds a command. `declare` adds its options, and ties them to the fields of its struct.
  template <class Options>
  CLI::App& add(CLI::App& parent, const std::string& name, const std::string& doc,
                void (*declare)(CLI::App& command, Options& options)) {
    CLI::App* const command = parent.add_subcommand(name, doc);
    const auto options = std::make_shared<Options>();
    declare(*command, *options);
    makers_[command] = [options]() -> Command { return *options; };
    return *command;
  }

  CLI::App app_;
  std::map<const CLI::App*, std::function<Command()>> makers_;
};

}  // namespace pantile::app
