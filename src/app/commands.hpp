#pragma once
// What the subcommands share. They throw Error; main makes exit codes of that.

#include <span>

#include "app/command_line.hpp"
#include "base/error.hpp"
#include "store/format.hpp"

namespace pantile::app {

/// The layout of a run folder that is there. Throws UsageError, with what to look for, if there is no run in it.
[[nodiscard]] RunLayout existing_run(const std::filesystem::path& folder);

/// The same for a run that may have lost its journal.
[[nodiscard]] RunLayout run_or_its_remains(const std::filesystem::path& folder);

/// Finds the subcommand and carries it out.
[[nodiscard]] ExitCode dispatch(std::span<char* const> arguments);

}  // namespace pantile::app
