#include "app/command_line.hpp"
namespace pantile::app {
ExitCode carry_out(const CompletionCommand&) { return ExitCode::done; }
}  // namespace pantile::app
