#pragma once

namespace pantile::testing {

/// A sanitizer keeps shadow memory, which is resident too: sizes of the process mean nothing under it.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool has_shadow_memory = true;
#else
inline constexpr bool has_shadow_memory = false;
#endif

}  // namespace pantile::testing
