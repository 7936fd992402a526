#pragma once
// A sample of a run's results is made again, and held against what is stored.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/verify.hpp"

namespace pantile {

/// "5%" or "12": at least one item, if any is done.
struct SampleSize {
  std::uint64_t items = 0;
  double percent = 0;  ///< used if items is 0
};
/// Throws UsageError.
[[nodiscard]] SampleSize parse_sample_size(const std::string& text);

struct SampleReport {
  std::uint64_t seed = 0;
  std::uint64_t items = 0;  ///< made again
  std::uint64_t equal = 0;
  std::vector<std::string> differ{};   ///< a sentence for each item whose result is another one now
  std::vector<std::string> changed{};  ///< for each whose input is another file now: nothing is known of its result
  std::vector<std::string> failed{};   ///< for each that could not be made
  std::string device_class{};          ///< of this machine
};

/// The items are a pseudo-random choice among those that are done, the same for the same seed; without one it follows
/// from the run digest. Made with the tiles that made them first, on this machine. Shards that `report` calls bad are
/// left out. Throws UsageError if the model is another one or away, or an input cannot be reached; Error if the model
/// cannot be opened. HDF5 thread only.
[[nodiscard]] SampleReport recompute_sample(const RunLayout& layout, const VerifyReport& report, const SampleSize& size,
                                            std::optional<std::uint64_t> seed);

}  // namespace pantile
