#pragma once

#include <utility>

namespace pantile {

/// Owns one C handle and releases it exactly once. `Release` names the raw type, its null, and how to free it:
///     struct CloseFile { using Raw = int; static Raw null() { return -1; } static void free(Raw fd) { ::close(fd); }
///     };
template <class Release>
class Handle {
 public:
  using Raw = typename Release::Raw;
  Handle() noexcept : raw_{Release::null()} {}
  explicit Handle(Raw raw) noexcept : raw_{raw} {}
  Handle(Handle&& other) noexcept : raw_{std::exchange(other.raw_, Release::null())} {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      reset();
      raw_ = std::exchange(other.raw_, Release::null());
    }
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { reset(); }

  [[nodiscard]] Raw get() const noexcept { return raw_; }
  explicit operator bool() const noexcept { return raw_ != Release::null(); }
  /// Frees it now; the handle is empty afterwards.
  void reset() noexcept {
    if (raw_ != Release::null()) {
      Release::free(std::exchange(raw_, Release::null()));
    }
  }
  /// Hands the raw handle over to the caller, who frees it.
  [[nodiscard]] Raw release() noexcept { return std::exchange(raw_, Release::null()); }

 private:
  Raw raw_;
};

}  // namespace pantile
