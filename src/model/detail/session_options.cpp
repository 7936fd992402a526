#include <fmt/format.h>

#include "model/detail/engine_impl.hpp"

namespace pantile::detail {

Ort::SessionOptions session_options(const std::filesystem::path& folder) {
  Ort::SessionOptions options;
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  // Lanes are concurrent runs of one thread each: 1.7 to 1.9 × on two cores, where two threads in a run gave 1.2
  // to 1.8.
  options.SetIntraOpNumThreads(1);
  options.SetInterOpNumThreads(1);
  options.AddConfigEntry("session.intra_op.allow_spinning", "0");
  options.AddConfigEntry("session.inter_op.allow_spinning", "0");
  // The pattern keeps a stale block of the first shape that it saw; the arena fragments and cannot be capped for all.
  options.DisableMemPattern();
  options.DisableCpuMemArena();
  if (!folder.empty()) {
    options.AddConfigEntry("session.model_external_initializers_file_folder_path", folder.c_str());
  }
  return options;
}

std::string why_not_opened(const Engine& engine, std::string_view name, std::string_view reason) {
  while (!reason.empty() && (reason.back() == '\n' || reason.back() == '.' || reason.back() == ' ')) {
    reason.remove_suffix(1);
  }
  const auto says = [&](std::string_view words) { return reason.find(words) != std::string_view::npos; };
  const bool too_new = says("opset") || says("IR version") || says("is not a registered function/op");
  return fmt::format("ONNX Runtime {} cannot open {}: {}.{}", engine.version(), name, reason,
                     too_new ? " The engine is too old for this model: install a newer ONNX Runtime, or export the "
                               "model with an older opset."
                             : "");
}

}  // namespace pantile::detail
