#include "base/error.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace pantile {

void expectation_failed(std::string_view what, const SourceLocation& where) noexcept {
  std::fprintf(stderr, "pantile: our mistake at %s:%u (%s): this should hold: %.*s. Please report it.\n",
               where.file_name(), static_cast<unsigned>(where.line()), where.function_name(),
               static_cast<int>(what.size()), what.data());
  std::abort();
}

SystemError system_error(std::string_view doing) { return system_error(doing, errno); }

SystemError system_error(std::string_view doing, int number) {
  return {std::string{doing} + ": " + std::strerror(number), number};
}

int error_number(const Error& error) noexcept {
  const auto* const system = dynamic_cast<const SystemError*>(&error);
  return system == nullptr ? 0 : system->number();
}

bool is_out_of_space(const Error& error) noexcept {
  const int number = error_number(error);
  return number == ENOSPC || number == EDQUOT || number == EROFS;
}

}  // namespace pantile
