#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "app/commands.hpp"
#include "base/printable.hpp"
#include "config/diagnostics.hpp"
#include "device/process_memory.hpp"
#include "model/engine.hpp"

namespace {

/// The same mistakes, with what the job file says of its own as a person may read it: the colours are ours alone.
pantile::ConfigError printable(const pantile::ConfigError& error) {
  std::vector<pantile::Diagnostic> diagnostics = error.diagnostics();
  for (pantile::Diagnostic& diagnostic : diagnostics) {
    diagnostic.message = pantile::printable_lines(diagnostic.message);
    diagnostic.hint = pantile::printable(diagnostic.hint);
    if (diagnostic.place.source != nullptr) {
      auto source = std::make_shared<pantile::ConfigSource>(*diagnostic.place.source);
      source->display = pantile::printable(source->display);
      std::transform(source->lines.begin(), source->lines.end(), source->lines.begin(), pantile::blanked);
      diagnostic.place.source = std::move(source);
    }
  }
  return pantile::ConfigError{std::move(diagnostics)};
}

/// Exceptions become exit codes here, and only here.
template <class Body>
pantile::ExitCode guarded(Body body) {
  try {
    return body();
  } catch (const pantile::ConfigError& error) {
    fmt::print(stderr, "{}\n", printable(error).text(pantile::paint_of_stderr()));
    return error.code();
  } catch (const pantile::Error& error) {
    fmt::print(stderr, "error: {}\n", pantile::printable_lines(error.what()));
    return error.code();
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "error: out of memory. Lower devices.memory.cap, or give the process more.\n");
    return pantile::ExitCode::failed;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", pantile::printable_lines(error.what()));
    return pantile::ExitCode::failed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  pantile::forbid_telemetry();
  pantile::keep_heap_small();
  return static_cast<int>(guarded([&] { return pantile::app::dispatch({argv, static_cast<std::size_t>(argc)}); }));
}
