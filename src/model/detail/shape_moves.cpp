// What moves elements around: joins, cuts, picks, reshapes.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/detail/shape_rules.hpp"

namespace pantile::detail {

void ShapeRules::concat(const onnx::NodeProto& node, Known& out) {
  const Sizes* first = dims(node, 0);
  if (first == nullptr) {
    return;
  }
  const std::int64_t axis = axis_of(attribute(node, "axis", std::int64_t{1}), first->size());
  if (!is_axis(axis, first->size())) {
    return;
  }
  out.dims = *first;
  Size& length = (*out.dims)[static_cast<std::size_t>(axis)];
  length = number(0);
  out.values = Sizes{};
  for (int at = 0; at < node.input_size(); ++at) {
    const Sizes* each = dims(node, at);
    if (each == nullptr || each->size() != first->size()) {
      out.dims.reset();
      out.values.reset();
      return;
    }
    length = length + (*each)[static_cast<std::size_t>(axis)];
    const Sizes* numbers = values(node, at);
    if (numbers == nullptr || first->size() != 1) {
      out.values.reset();
    } else if (out.values) {
      out.values->insert(out.values->end(), numbers->begin(), numbers->end());
    }
  }
}

void ShapeRules::gather(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  const Sizes* indices = dims(node, 1);
  if (from == nullptr || indices == nullptr) {
    return;
  }
  const std::int64_t axis = axis_of(attribute(node, "axis", std::int64_t{0}), from->size());
  if (!is_axis(axis, from->size())) {
    return;
  }
  out.dims = Sizes(from->begin(), from->begin() + axis);
  out.dims->insert(out.dims->end(), indices->begin(), indices->end());
  out.dims->insert(out.dims->end(), from->begin() + axis + 1, from->end());
  const Sizes* numbers = values(node, 0);
  const auto places = shapes_.numbers(input(node, 1));
  if (numbers == nullptr || !places || from->size() != 1) {
    return;
  }
  out.values.emplace();
  for (const double place : *places) {
    const std::int64_t at = axis_of(as_whole(place), numbers->size());
    out.values->push_back(is_axis(at, numbers->size()) ? (*numbers)[static_cast<std::size_t>(at)] : Size{});
  }
}

void ShapeRules::gathered_by_element(const onnx::NodeProto& node, Known& out) {
  if (const Sizes* indices = dims(node, 1)) {
    out.dims = *indices;
  }
}

void ShapeRules::slice(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  const auto starts = list(node, "starts", 1);
  const auto ends = list(node, "ends", 2);
  auto axes = list(node, "axes", 3);
  const auto steps = list(node, "steps", 4);
  if (from == nullptr || !starts || !ends || starts->size() != ends->size()) {
    return;
  }
  if (!axes) {
    axes.emplace(starts->size());
    std::iota(axes->begin(), axes->end(), 0);
  }
  out.dims = *from;
  for (std::size_t at = 0; at < starts->size() && at < axes->size(); ++at) {
    const std::int64_t axis = axis_of((*axes)[at], from->size());
    const std::int64_t step = steps && at < steps->size() ? (*steps)[at] : 1;
    if (!is_axis(axis, from->size()) || step == 0) {
      out.dims.reset();
      return;
    }
    Size& length = (*out.dims)[static_cast<std::size_t>(axis)];
    const Size full = length;
    const auto place = [&](std::int64_t where) {
      const Size at_end = full + number(static_cast<double>(where));
      const bool beyond = static_cast<double>(where) >= full.at;
      return where < 0 ? (at_end.at < 0 ? number(0) : at_end) : beyond ? full : number(static_cast<double>(where));
    };
    if (step < 0) {
      length = (*starts)[at] == -1 && (*ends)[at] < -1'000'000 && step == -1 ? full : Size{};
    } else {
      length = (place((*ends)[at]) - place((*starts)[at])) / number(static_cast<double>(step));
      length = step == 1 ? length : rounded_up(length, shapes_.all_claims_);
    }
  }
  const Sizes* numbers = values(node, 0);
  if (numbers != nullptr && from->size() == 1 && starts->size() == 1 && (!steps || (*steps)[0] == 1)) {
    const auto rank = static_cast<std::int64_t>(numbers->size());
    const auto place = [&](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank); };
    const std::int64_t begin = place((*starts)[0]);
    out.values = Sizes(numbers->begin() + begin, numbers->begin() + std::max(begin, place((*ends)[0])));
  }
}

void ShapeRules::split(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  if (from == nullptr) {
    return;
  }
  const std::int64_t axis = axis_of(attribute(node, "axis", std::int64_t{0}), from->size());
  const auto lengths = list(node, "split", 1);
  if (!is_axis(axis, from->size())) {
    return;
  }
  const Size full = (*from)[static_cast<std::size_t>(axis)];
  for (int at = 0; at < node.output_size(); ++at) {
    Known part{.dims = *from, .values = {}, .type = out.type};
    (*part.dims)[static_cast<std::size_t>(axis)] =
        lengths && static_cast<std::size_t>(at) < lengths->size()
            ? number(static_cast<double>((*lengths)[static_cast<std::size_t>(at)]))
            : full / number(node.output_size());
    shapes_.known_.insert_or_assign(node.output(at), std::move(part));
  }
}

void ShapeRules::reshape(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  const Sizes* asked = values(node, 1);
  Sizes written;
  for (const auto each : attribute(node, "shape", std::vector<std::int64_t>{})) {
    written.push_back(number(static_cast<double>(each)));
  }
  asked = written.empty() ? asked : &written;
  if (asked == nullptr) {
    return;
  }
  Sizes target = *asked;
  std::optional<std::size_t> open;
  double filled = 1;
  Size rest = number(1);  // what −1 stands for, as far as it can be told for every image
  Sizes sides;
  for (const Size& each : from == nullptr ? Sizes{} : *from) {
    if (each.is_side()) {
      sides.push_back(each);
    } else {
      rest = rest * each;
    }
  }
  for (std::size_t at = 0; at < target.size(); ++at) {
    if (target[at] == number(-1)) {
      open = at;
      continue;
    }
    if (target[at] == number(0) && attribute(node, "allowzero", std::int64_t{0}) == 0) {
      target[at] = from != nullptr && at < from->size() ? (*from)[at] : Size{};
    }
    filled *= target[at].at;
    const auto partner =
        std::find_if(sides.begin(), sides.end(), [&](const Size& each) { return ratio(each, target[at]).has_value(); });
    if (target[at].is_side() && partner != sides.end()) {
      rest = rest * (*partner / target[at]);
      sides.erase(partner);
    } else {
      rest = rest / target[at];
    }
  }
  if (open) {
    const auto count = shapes_.elements(input(node, 0));
    const double value = count && filled > 0 ? *count / filled : std::nan("");
    const Size exact = sides.empty() ? rest : sides.size() == 1 ? sides[0] * rest : Size{};
    target[*open] = exact.at == value && exact.kind != Size::Kind::unknown ? exact : only_at(value);
  }
  out.dims = std::move(target);
  if (const Sizes* numbers = values(node, 0)) {
    out.values = *numbers;
  }
}

void ShapeRules::transpose(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  if (from == nullptr) {
    return;
  }
  auto order = attribute(node, "perm", std::vector<std::int64_t>{});
  for (std::size_t at = from->size(); order.size() < from->size() && at > 0; --at) {
    order.push_back(static_cast<std::int64_t>(at) - 1);
  }
  out.dims.emplace();
  for (const std::int64_t axis : order) {
    out.dims->push_back(is_axis(axis, from->size()) ? (*from)[static_cast<std::size_t>(axis)] : Size{});
  }
}

void ShapeRules::flatten(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  if (from == nullptr) {
    return;
  }
  const std::int64_t axis = axis_of(attribute(node, "axis", std::int64_t{1}), from->size());
  out.dims = Sizes{number(1), number(1)};
  for (std::size_t at = 0; at < from->size(); ++at) {
    Size& half = (*out.dims)[static_cast<std::int64_t>(at) < axis ? 0 : 1];
    half = half * (*from)[at];
  }
}

void ShapeRules::squeeze(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  const auto axes = list(node, "axes", 1);
  if (from == nullptr) {
    return;
  }
  out.dims.emplace();
  for (std::size_t at = 0; at < from->size(); ++at) {
    const bool named = axes && std::any_of(axes->begin(), axes->end(), [&](std::int64_t axis) {
                         return axis_of(axis, from->size()) == static_cast<std::int64_t>(at);
                       });
    if (axes ? !named : !((*from)[at] == number(1))) {
      out.dims->push_back((*from)[at]);
    }
  }
  if (const Sizes* numbers = values(node, 0)) {
    out.values = *numbers;
  }
}

void ShapeRules::unsqueeze(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  const auto axes = list(node, "axes", 1);
  if (from == nullptr || !axes) {
    return;
  }
  const std::size_t rank = from->size() + axes->size();
  std::vector<bool> added(rank, false);
  for (const std::int64_t each : *axes) {
    const std::int64_t axis = axis_of(each, rank);
    if (is_axis(axis, rank)) {
      added[static_cast<std::size_t>(axis)] = true;
    }
  }
  out.dims.emplace();
  auto next = from->begin();
  for (std::size_t at = 0; at < rank; ++at) {
    const bool new_axis = added[at] || next == from->end();
    out.dims->push_back(new_axis ? number(1) : *next);
    next += new_axis ? 0 : 1;
  }
  if (const Sizes* numbers = values(node, 0)) {
    out.values = *numbers;
  }
}

}  // namespace pantile::detail
