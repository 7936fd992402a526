#include "app/command_line.hpp"
namespace pantile::app {
ExitCode carry_out(const DoctorCommand&) { return ExitCode::done; }
}  // namespace pantile::app
