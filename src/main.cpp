#include <fmt/format.h>

#include <exception>
#include <new>

#include "app/commands.hpp"
#include "config/diagnostics.hpp"
#include "device/process_memory.hpp"
#include "model/engine.hpp"

namespace {

/// Exceptions become exit codes here, and only here.
template <class Body>
pantile::ExitCode guarded(Body body) {
  try {
    return body();
  } catch (const pantile::ConfigError& error) {
    fmt::print(stderr, "{}\n", error.text(pantile::paint_of_stderr()));
    return error.code();
  } catch (const pantile::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return error.code();
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "error: out of memory. Lower devices.memory.cap, or give the process more.\n");
    return pantile::ExitCode::failed;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return pantile::ExitCode::failed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  pantile::forbid_telemetry();
  pantile::keep_heap_small();
  return static_cast<int>(guarded([&] { return pantile::app::dispatch({argv, static_cast<std::size_t>(argc)}); }));
}
