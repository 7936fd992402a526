#pragma once
// The shape of every tensor of a graph, and the numbers that it computes from shapes, without running it. What cannot
// be told is left out; nothing here ever stops.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/detail/graph.hpp"
#include "model/detail/size.hpp"

namespace pantile::detail {

using Sizes = std::vector<Size>;

/// Where an input has the height and the width of the image; -1 if it is no image.
struct ImageAxes {
  int row = -1;
  int column = -1;
  int channel = -1;
  [[nodiscard]] bool is_image() const noexcept { return row >= 0; }
};
/// [N, C, H, W], [N, H, W, C] with at most 4 channels, [C, H, W]; anything else is no image.
[[nodiscard]] ImageAxes image_axes(const onnx::ValueInfoProto& input);

/// The extent for which figures are worked out: the model's own if it is fixed, else 512 × 768.
struct Nominal {
  double height = 512;
  double width = 768;
};

class Shapes {
 public:
  explicit Shapes(const Graph& graph);

  /// Null if the rank is not known.
  [[nodiscard]] const Sizes* dims(std::string_view value) const;
  /// The elements of a small tensor of numbers, in order; null if they are not known.
  [[nodiscard]] const Sizes* values(std::string_view value) const;
  /// The elements, if all are plain numbers whatever the image.
  [[nodiscard]] std::optional<std::vector<double>> numbers(std::string_view value) const;
  /// Elements of a tensor for the nominal extent; nothing if a dimension is not known.
  [[nodiscard]] std::optional<double> elements(std::string_view value) const;
  /// Bytes an element: by the value's type where the graph tells, else 4.
  [[nodiscard]] double element_bytes(std::string_view value) const;

  [[nodiscard]] const Nominal& nominal() const noexcept { return nominal_; }
  /// Of divisions that the graph does itself, in numbers.
  [[nodiscard]] const Claims& claims() const noexcept { return value_claims_; }
  /// Of all layers.
  [[nodiscard]] const Claims& all_claims() const noexcept { return all_claims_; }

 private:
  friend class ShapeRules;
  struct Known {
    std::optional<Sizes> dims;
    std::optional<Sizes> values;
    int type = 0;  ///< of onnx::TensorProto; 0 if it is not known
  };
  void add_inputs();
  void add_constants();

  const Graph& graph_;
  Nominal nominal_;
  Claims value_claims_;
  Claims all_claims_;
  std::unordered_map<std::string, Known> known_;
};

}  // namespace pantile::detail
