#pragma once
// The one place that includes the ONNX messages, and what little is needed to read and make them.

#define ONNX_ML 1
#define ONNX_NAMESPACE onnx
#include <onnx/onnx_pb.h>

#include <cstddef>
#include <vector>

namespace pantile::detail {

[[nodiscard]] inline std::vector<std::byte> serialized(const onnx::ModelProto& model) {
  std::vector<std::byte> bytes(model.ByteSizeLong());
  model.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

}  // namespace pantile::detail
