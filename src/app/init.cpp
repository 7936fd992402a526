#include "app/command_line.hpp"
namespace pantile::app {
ExitCode carry_out(const InitCommand&) { return ExitCode::done; }
}  // namespace pantile::app
