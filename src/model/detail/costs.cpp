#include "model/detail/costs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

namespace pantile::detail {

namespace {

constexpr std::size_t most_cuts = 8;
/// A cut with nearly all work on one side splits nothing.
constexpr double least_share = 0.03;
constexpr std::size_t until_the_end = std::numeric_limits<std::size_t>::max();

double product(const Sizes& dims, std::size_t from) {
  double all = 1;
  for (std::size_t at = from; at < dims.size(); ++at) {
    all *= dims[at].at;
  }
  return all;
}

double macs_of(const onnx::NodeProto& node, const Shapes& shapes) {
  const std::string& op = node.op_type();
  const Sizes* second = shapes.dims(input(node, 1));
  if (second == nullptr || second->size() < 2 || node.output_size() == 0) {
    return 0;
  }
  double macs = 0;
  if (op == "Conv" || op == "ConvInteger") {
    macs = shapes.elements(node.output(0)).value_or(0) * product(*second, 1);
  } else if (op == "ConvTranspose") {
    macs = shapes.elements(input(node, 0)).value_or(0) * product(*second, 1);
  } else if (op == "MatMul" || op == "Gemm") {
    const bool transposed = op == "Gemm" && attribute(node, "transB", std::int64_t{0}) != 0;
    const Size& inner = (*second)[second->size() - (transposed ? 1 : 2)];
    macs = shapes.elements(node.output(0)).value_or(0) * inner.at;
  }
  return macs > 0 ? macs : 0;  // of unknown dimensions nothing
}

/// From when to when a tensor is needed, as positions between nodes: 0 is before the first.
struct Life {
  std::size_t from = 0;
  std::size_t until = 0;  ///< the last node that reads it
  double bytes = 0;
};

class Lives {
 public:
  Lives(const Graph& graph, const Shapes& shapes) : shapes_{shapes} {
    for (const auto* input : graph.inputs()) {
      add(input->name(), 0);
    }
    std::size_t at = 0;
    for (const onnx::NodeProto* node : graph.nodes()) {
      for (const auto& name : node->input()) {
        if (const auto life = lives_.find(name); life != lives_.end()) {
          life->second.until = std::max(life->second.until, at);
        }
      }
      ++at;
      for (const auto& name : node->output()) {
        add(name, at);
      }
    }
    for (const auto& output : graph.proto().output()) {
      if (const auto life = lives_.find(output.name()); life != lives_.end()) {
        life->second.until = until_the_end;
      }
    }
  }
  [[nodiscard]] const std::map<std::string, Life>& all() const noexcept { return lives_; }
  [[nodiscard]] std::uint64_t unknown() const noexcept { return unknown_; }

 private:
  void add(const std::string& name, std::size_t from) {
    if (name.empty() || shapes_.values(name) != nullptr) {
      return;  // left out, or a few numbers about sizes
    }
    const auto count = shapes_.elements(name);
    unknown_ += count ? 0 : 1;
    lives_[name] = {.from = from, .until = from, .bytes = count.value_or(0) * shapes_.element_bytes(name)};
  }

  const Shapes& shapes_;
  std::map<std::string, Life> lives_;
  std::uint64_t unknown_ = 0;
};

}  // namespace

Costs costs_of(const Graph& graph, const Shapes& shapes) {
  const std::size_t count = graph.nodes().size();
  const Lives lives{graph, shapes};
  // By position: what crosses it, and what is there while the node behind it runs.
  std::vector<double> crossing(count + 1, 0);
  std::vector<double> running(count + 1, 0);
  std::vector<std::uint64_t> tensors(count + 1, 0);
  for (const auto& [name, life] : lives.all()) {
    for (std::size_t at = life.from; at <= count && at <= life.until; ++at) {
      crossing[at] += life.bytes;
      tensors[at] += 1;
    }
    // Its producer holds it beside its own inputs.
    for (std::size_t at = life.from == 0 ? 0 : life.from - 1; at < count && at <= life.until; ++at) {
      running[at] += life.bytes;
    }
  }
  Costs costs{.macs = 0,
              .peak_bytes = *std::max_element(running.begin(), running.end()),
              .unknown_tensors = lives.unknown(),
              .cuts = {}};
  std::vector<double> before(count + 1, 0);
  for (std::size_t at = 0; at < count; ++at) {
    before[at + 1] = before[at] + macs_of(*graph.nodes()[at], shapes);
  }
  costs.macs = before[count];
  std::vector<std::size_t> order;
  for (std::size_t at = 1; at < count; ++at) {
    const double share =
        costs.macs > 0 ? before[at] / costs.macs : static_cast<double>(at) / static_cast<double>(count);
    const bool makes_pixels = lives.all().contains(graph.nodes()[at - 1]->output(0));
    if (makes_pixels && share >= least_share && share <= 1 - least_share && lives.unknown() == 0) {
      order.push_back(at);
    }
  }
  const auto rank = [&](std::size_t at) {  // of equals, that which halves the work best
    return std::tuple{crossing[at], tensors[at], std::abs(before[at] - costs.macs / 2)};
  };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
  const double pixels = shapes.nominal().height * shapes.nominal().width;
  std::vector<std::size_t> chosen;
  for (const std::size_t at : order) {
    const bool is_near = std::any_of(chosen.begin(), chosen.end(), [&](std::size_t other) {
      return (at > other ? at - other : other - at) < std::max<std::size_t>(2, count / 10);
    });
    if (!is_near && chosen.size() < most_cuts) {
      chosen.push_back(at);
    }
  }
  std::sort(chosen.begin(), chosen.end());
  for (const std::size_t at : chosen) {
    costs.cuts.push_back({.position = at,
                          .node = label(*graph.nodes()[at - 1]),
                          .tensors = tensors[at],
                          .bytes_per_px = crossing[at] / pixels,
                          .work_before = costs.macs > 0 ? before[at] / costs.macs : 0});
  }
  return costs;
}

}  // namespace pantile::detail
