#pragma once
// A model run as it is: any outputs, no meter, no cap. For looking at models, not for running jobs.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/wire.hpp"
#include "model/engine.hpp"

namespace pantile::detail {

struct PlainOutput {
  std::vector<std::int64_t> dims;
  std::size_t element_bytes = 4;
  Bytes bytes;
};

class PlainModel {
 public:
  /// Throws UsageError in the engine's words if it cannot open the model. `engine` must outlive it.
  PlainModel(const Engine& engine, std::span<const std::byte> model, std::string_view name,
             const std::filesystem::path& folder);
  ~PlainModel();
  PlainModel(const PlainModel&) = delete;
  PlainModel& operator=(const PlainModel&) = delete;

  /// All outputs for one float32 input of these dimensions. Throws Error if the engine cannot, or an output is no
  /// tensor of numbers.
  [[nodiscard]] std::vector<PlainOutput> run(std::span<const float> input, std::span<const std::int64_t> dims) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pantile::detail
