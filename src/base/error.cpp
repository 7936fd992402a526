#include "base/error.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace pantile {

void expectation_failed(std::string_view what, const std::source_location& where) noexcept {
  std::fprintf(stderr, "pantile: our mistake at %s:%u (%s): this should hold: %.*s. Please report it.\n",
               where.file_name(), static_cast<unsigned>(where.line()), where.function_name(),
               static_cast<int>(what.size()), what.data());
  std::abort();
}

Error system_error(std::string_view doing) {
  const int code = errno;
  return Error{std::string{doing} + ": " + std::strerror(code)};
}

}  // namespace pantile
