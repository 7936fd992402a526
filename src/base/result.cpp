#include "base/result.hpp"

namespace pantile {

std::string_view name(Fault fault) noexcept {
  switch (fault) {
    case Fault::none: return "none";
    case Fault::unreadable: return "unreadable";
    case Fault::not_an_image: return "not_an_image";
    case Fault::unsupported: return "unsupported";
    case Fault::truncated: return "truncated";
    case Fault::corrupt: return "corrupt";
    case Fault::too_large: return "too_large";
    case Fault::changed: return "changed";
    case Fault::does_not_fit: return "does_not_fit";
    case Fault::model_failed: return "model_failed";
    case Fault::crashed: return "crashed";
    case Fault::killed: return "killed";
  }
  return "unknown";
}

}  // namespace pantile
