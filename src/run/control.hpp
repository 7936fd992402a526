#pragma once
// How another process speaks to a running run, from any machine that sees its folder: one file a request in
// RUN/control, taken by rank 0 and answered in live.json.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "store/format.hpp"

namespace pantile {

struct ControlRequest {
  std::string id;           ///< names the file, and the answer in live.json
  std::uint32_t epoch = 0;  ///< of the run that is meant: a later one is not to be stopped by it
  std::string text;         ///< "drain"
};

/// Puts a request where rank 0 looks for it, whole or not at all. Returns it with its id. Throws Error.
ControlRequest post_request(const RunLayout& layout, std::uint32_t epoch, const std::string& text);

/// The requests that lie there for this epoch, the oldest first. All that lie there are removed: those of other epochs
/// or without sense are forgotten with a warning. Costs one readdir if there are none.
[[nodiscard]] std::vector<ControlRequest> take_requests(const RunLayout& layout, std::uint32_t epoch);

}  // namespace pantile
