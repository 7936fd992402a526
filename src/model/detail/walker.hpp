#pragma once
// The walk's state, and one member function per kind of operator. A new operator is a function and a line in
// handlers().

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/detail/graph.hpp"
#include "model/detail/grid_walk.hpp"

namespace pantile::detail {

/// Larger factors do not occur in models of images, and would make the windows long lists.
inline constexpr int largest_density = 64;
/// Kernels and pads beyond this are mistakes, or made to keep us busy.
inline constexpr std::int64_t largest_reach = 4096;

/// Throws Obstacle: "Conv 'features.0' has …".
[[noreturn]] void stop(const onnx::NodeProto& node, std::string_view why);

struct Kernels {
  Kernel y;
  Kernel x;
};

class Walker {
 public:
  Walker(const Graph& graph, std::int64_t channels) : graph_{graph} {
    grids_[graph.inputs().front()->name()] = {.y = {}, .x = {}, .channels = channels};
  }
  void visit(const onnx::NodeProto& node);
  [[nodiscard]] const Grid* grid(std::string_view name) const;
  [[nodiscard]] std::vector<LayerCost> layers() && { return std::move(layers_); }

 private:
  using Handler = Grid (Walker::*)(const onnx::NodeProto&);
  static const std::map<std::string_view, Handler>& handlers();

  Grid unary(const onnx::NodeProto& node);
  Grid elementwise(const onnx::NodeProto& node);
  Grid concat(const onnx::NodeProto& node);
  Grid convolution(const onnx::NodeProto& node);
  Grid transposed_convolution(const onnx::NodeProto& node);
  Grid pool(const onnx::NodeProto& node);
  Grid depth_to_space(const onnx::NodeProto& node);
  Grid space_to_depth(const onnx::NodeProto& node);
  Grid resize(const onnx::NodeProto& node);
  Grid pad(const onnx::NodeProto& node);
  Grid slice(const onnx::NodeProto& node);
  Grid softmax(const onnx::NodeProto& node);
  Grid reduce(const onnx::NodeProto& node);

  const Grid& data(const onnx::NodeProto& node) const;
  void expect_constants(const onnx::NodeProto& node, int from) const;
  void expect_no_map(const onnx::NodeProto& node, std::string_view constant) const;
  [[nodiscard]] std::int64_t channels_of(const onnx::NodeProto& node, std::string_view constant) const;
  Grid slid(const onnx::NodeProto& node, const Grid& input, const Kernels& kernels) const;
  void add_cost(const Grid& area, double macs);
  [[nodiscard]] std::vector<std::int64_t> list(const onnx::NodeProto& node, std::string_view name, int at) const;
  [[nodiscard]] std::vector<std::int64_t> weights(const onnx::NodeProto& node) const;

  const Graph& graph_;
  std::unordered_map<std::string, Grid> grids_;
  std::vector<LayerCost> layers_;
};

}  // namespace pantile::detail
