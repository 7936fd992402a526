#pragma once
// The grammar as text for a person: at most 80 columns, so that it fits any terminal. That no command needs more than
// 24 lines is kept by a test.

#include <string>

#include "app/grammar.hpp"

namespace pantile::app {

/// What -h prints for this command; with its footer, which is printed as it is. Ends in a newline.
[[nodiscard]] std::string help_text(const CLI::App& command);

/// "pantile", "pantile run", "pantile config show".
[[nodiscard]] std::string words_of(const CLI::App& command);

/// What an option's value is called: "N", "DIR", "table|json|csv"; empty for a flag.
[[nodiscard]] std::string value_name(const CLI::Option& option);

/// The commands right below, in the order of the help.
[[nodiscard]] std::vector<const CLI::App*> commands_of(const CLI::App& command);
/// Positional arguments in their order, or options that begin with a dash, without --help and --version.
[[nodiscard]] std::vector<const CLI::Option*> positionals_of(const CLI::App& command);
[[nodiscard]] std::vector<const CLI::Option*> options_of(const CLI::App& command);

}  // namespace pantile::app
