#include <fmt/format.h>

#include "app/commands.hpp"
#include "base/hdf5.hpp"
#include "cluster/mpi.hpp"
#include "device/cpu.hpp"
#include "model/engine.hpp"
#include "run/version.hpp"
#include "store/format.hpp"

namespace pantile::app {
namespace {

std::string engine_line() {
  try {
    const Engine engine;
    return "ONNX Runtime " + engine.version() + " (" + engine.library().string() + ")";
  } catch (const Error& error) {
    return std::string{"none: "} + error.what();
  }
}

std::string hdf5_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

}  // namespace

ExitCode carry_out(const VersionCommand& command) {
  Table table{{"part", "version"}};
  table.add({std::string{"program"}, version_line()});
  table.add({std::string{"format"}, std::to_string(store_format_version)});
  table.add({std::string{"engine"}, engine_line()});
  table.add({std::string{"mpi"}, mpi::Environment::version()});
  table.add({std::string{"hdf5"}, hdf5_version()});
  table.add({std::string{"cpu"}, cpu_device_class()});
  table.add({std::string{"compiler"}, std::string{"gcc "} + __VERSION__});
  fmt::print("{}", table.text(command.format));
  return ExitCode::done;
}

}  // namespace pantile::app
