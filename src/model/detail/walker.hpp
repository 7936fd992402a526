#pragma once
// The walk's state, and one member function per kind of operator. A new operator is a function and a line in
// handlers().

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/detail/graph.hpp"
#include "model/detail/grid_walk.hpp"
#include "model/detail/shapes.hpp"

namespace pantile::detail {

/// Larger factors do not occur in models of images, and would make the windows long lists.
inline constexpr int largest_density = 64;
/// Kernels and pads beyond this are mistakes, or made to keep us busy.
inline constexpr std::int64_t largest_reach = 4096;

/// Why pixels cannot be followed through a node, in plain words that name it.
struct Obstacle {
  std::string text;
};

/// Throws Obstacle: "Conv 'features.0'" and why.
[[noreturn]] void stop(const onnx::NodeProto& node, std::string_view why);

struct Kernels {
  Kernel y;
  Kernel x;
  enum class Same { no, more_at_begin, more_at_end } same = Same::no;  ///< pads follow from the extent (auto_pad)
};

class Walker {
 public:
  Walker(const Graph& graph, const Shapes& shapes);
  void visit(const onnx::NodeProto& node);
  [[nodiscard]] const Grid* grid(std::string_view name) const;
  [[nodiscard]] std::vector<LayerCost> layers() && { return std::move(layers_); }
  /// Sides of an image that all nodes can work on.
  [[nodiscard]] int least_px() const { return least_px_; }
  /// Of all that speaks against locality what says most: an operator that looks at the whole image, else the first.
  [[nodiscard]] const std::string& blame() const { return global_blame_.empty() ? blame_ : global_blame_; }

 private:
  /// Nothing: what the node makes is no longer made of pixels.
  using Output = std::optional<Grid>;
  using Handler = Output (Walker::*)(const onnx::NodeProto&);
  static const std::map<std::string_view, Handler>& handlers();

  // grid_walk.cpp: pixel by pixel, and what looks at all pixels.
  Output unary(const onnx::NodeProto& node);
  Output elementwise(const onnx::NodeProto& node);
  Output concat(const onnx::NodeProto& node);
  Output softmax(const onnx::NodeProto& node);
  Output reduce(const onnx::NodeProto& node);
  Output layer_norm(const onnx::NodeProto& node);
  Output matrix_product(const onnx::NodeProto& node);
  Output whole_image(const onnx::NodeProto& node);
  Output normalised_by_image(const onnx::NodeProto& node);
  Output only_its_size(const onnx::NodeProto& node);

  // walk_windows.cpp: windows, and several pixels for one.
  Output convolution(const onnx::NodeProto& node);
  Output transposed_convolution(const onnx::NodeProto& node);
  Output pool(const onnx::NodeProto& node);
  Output depth_to_space(const onnx::NodeProto& node);
  Output space_to_depth(const onnx::NodeProto& node);
  Output pad(const onnx::NodeProto& node);

  // walk_resize.cpp
  Output resize(const onnx::NodeProto& node);

  // walk_layout.cpp: dimensions moved, split and merged.
  Output slice(const onnx::NodeProto& node);
  Output split(const onnx::NodeProto& node);
  Output gather(const onnx::NodeProto& node);
  Output transpose(const onnx::NodeProto& node);
  Output reshape(const onnx::NodeProto& node);
  Output squeeze(const onnx::NodeProto& node);
  Output expand(const onnx::NodeProto& node);

  /// Remembers why the model is not local; the walk goes on. `looks_at_all`: an operator that sees the whole image.
  void blame_node(const onnx::NodeProto& node, std::string_view why, bool looks_at_all);
  [[nodiscard]] const Grid& any(const onnx::NodeProto& node) const;
  [[nodiscard]] const Grid& data(const onnx::NodeProto& node) const;
  /// True if the value is the same whatever the image, and its size.
  [[nodiscard]] bool is_fixed(std::string_view name) const;
  void expect_constants(const onnx::NodeProto& node, int from) const;
  void spread_constant(const onnx::NodeProto& node, std::string_view constant, Layout& layout) const;
  [[nodiscard]] Grid merged_grids(const onnx::NodeProto& node, const Grid& a, const Grid& b) const;
  [[nodiscard]] bool is_channel(const Layout& layout, std::int64_t axis) const;
  [[nodiscard]] Grid slid(const onnx::NodeProto& node, const Grid& input, Kernels kernels) const;
  void add_cost(const Grid& area, double macs);
  [[nodiscard]] std::vector<std::int64_t> list(const onnx::NodeProto& node, std::string_view name, int at) const;
  [[nodiscard]] std::vector<std::int64_t> weights(const onnx::NodeProto& node) const;
  [[nodiscard]] Sizes dims(const onnx::NodeProto& node, std::string_view name) const;

  const Graph& graph_;
  const Shapes& shapes_;
  std::unordered_map<std::string, Grid> grids_;
  std::vector<LayerCost> layers_;
  int least_px_ = 1;
  std::string blame_;
  std::string global_blame_;
};

/// The grid with another layout; `layout` empty again if it is the usual one.
[[nodiscard]] Grid laid_out(Grid grid, Layout layout);

}  // namespace pantile::detail
