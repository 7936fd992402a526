// Numbers that are computed with shapes, and tensors that are made of them.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/detail/shape_rules.hpp"

namespace pantile::detail {

namespace {

Size apply(const std::string& op, const Size& a, const Size& b) {
  if (op == "Add" || op == "Sum") {
    return a + b;
  }
  if (op == "Sub") {
    return a - b;
  }
  if (op == "Mul") {
    return a * b;
  }
  if (op == "Div") {
    return a / b;
  }
  const bool numbers = a.is_number() && b.is_number();
  const auto known = [&](double value) { return numbers ? number(value) : only_at(value); };
  if (op == "Max") {
    return a == b ? a : known(std::max(a.at, b.at));
  }
  if (op == "Min") {
    return a == b ? a : known(std::min(a.at, b.at));
  }
  if (op == "Mod" && b.at != 0) {
    return known(a.at - b.at * std::floor(a.at / b.at));
  }
  if (op == "Pow") {
    return known(std::pow(a.at, b.at));
  }
  const bool same = a == b;
  if (op == "Equal" && (numbers || same)) {
    return number(same ? 1 : 0);
  }
  if (op == "Greater" || op == "GreaterOrEqual") {
    return known((op == "Greater" ? a.at > b.at : a.at >= b.at) ? 1 : 0);
  }
  if (op == "Less" || op == "LessOrEqual") {
    return known((op == "Less" ? a.at < b.at : a.at <= b.at) ? 1 : 0);
  }
  return {};
}

bool is_integer(int type) { return type == onnx::TensorProto::INT64 || type == onnx::TensorProto::INT32; }

}  // namespace

std::optional<Sizes> broadcast(const Sizes& a, const Sizes& b) {
  const std::size_t rank = std::max(a.size(), b.size());
  Sizes both(rank, number(1));
  for (std::size_t back = 1; back <= rank; ++back) {
    const Size left = back <= a.size() ? a[a.size() - back] : number(1);
    const Size right = back <= b.size() ? b[b.size() - back] : number(1);
    Size& out = both[rank - back];
    if (left == right || (right.is_number() && right.offset == 1)) {
      out = left;
    } else if (left.is_number() && left.offset == 1) {
      out = right;
    } else if (left.at == right.at || !left.is_known() || !right.is_known()) {
      out = only_at(left.is_known() ? left.at : right.at);
    } else {
      return std::nullopt;
    }
  }
  return both;
}

void ShapeRules::constant(const onnx::NodeProto& node, Known& out) {
  const auto* tensor = shapes_.graph_.tensor(node.output(0));
  if (tensor != nullptr) {
    out.type = tensor->data_type();
    out.dims.emplace();
    for (const std::int64_t dim : tensor->dims()) {
      out.dims->push_back(number(static_cast<double>(dim)));
    }
  }
  if (const auto numbers = shapes_.graph_.numbers(node.output(0))) {
    out.values.emplace();
    std::transform(numbers->begin(), numbers->end(), std::back_inserter(*out.values), detail::number);
    if (tensor == nullptr) {
      const bool scalar = has_attribute(node, "value_float") || has_attribute(node, "value_int");
      out.dims = scalar ? Sizes{} : Sizes{detail::number(static_cast<double>(numbers->size()))};
      out.type = has_attribute(node, "value_int") || has_attribute(node, "value_ints") ? onnx::TensorProto::INT64
                                                                                       : onnx::TensorProto::FLOAT;
    }
  }
}

void ShapeRules::shape(const onnx::NodeProto& node, Known& out) {
  out.type = onnx::TensorProto::INT64;
  const Sizes* from = dims(node, 0);
  if (from == nullptr) {
    return;
  }
  const auto rank = static_cast<std::int64_t>(from->size());
  const auto place = [&](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const std::int64_t start = place(attribute(node, "start", std::int64_t{0}));
  const std::int64_t end = std::max(start, place(attribute(node, "end", rank)));
  out.values = Sizes(from->begin() + start, from->begin() + end);
  out.dims = Sizes{number(static_cast<double>(end - start))};
}

void ShapeRules::size(const onnx::NodeProto& node, Known& out) {
  out.type = onnx::TensorProto::INT64;
  out.dims = Sizes{};
  if (const auto count = shapes_.elements(input(node, 0))) {
    out.values = Sizes{only_at(*count)};
  }
}

void ShapeRules::elementwise(const onnx::NodeProto& node, Known& out) {
  static constexpr std::string_view comparisons[] = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"};
  std::optional<Sizes> all;
  for (int at = 0; at < node.input_size(); ++at) {
    const Sizes* each = dims(node, at);
    if (each == nullptr) {
      return;
    }
    all = at == 0 ? std::optional{*each} : broadcast(*all, *each);
    if (!all) {
      return;
    }
  }
  out.dims = all;
  const Sizes* a = values(node, 0);
  const Sizes* b = values(node, 1);
  if (node.input_size() == 2 && a != nullptr && b != nullptr && !a->empty() && !b->empty() &&
      (a->size() == b->size() || a->size() == 1 || b->size() == 1)) {
    out.values.emplace();
    for (std::size_t at = 0; at < std::max(a->size(), b->size()); ++at) {
      Size result = apply(node.op_type(), (*a)[a->size() == 1 ? 0 : at], (*b)[b->size() == 1 ? 0 : at]);
      const Size& left = (*a)[a->size() == 1 ? 0 : at];
      const Size& right = (*b)[b->size() == 1 ? 0 : at];
      if (node.op_type() == "Mod" && left.is_side() && right.is_number() && right.offset > 0) {
        result = left - whole(left / right) * right;  // of sides that are multiples, nothing is left
      }
      // Whole numbers are divided towards zero, which for sizes is down.
      out.values->push_back(node.op_type() == "Div" && is_integer(out.type) ? whole(result) : result);
    }
  }
  if (std::find(std::begin(comparisons), std::end(comparisons), node.op_type()) != std::end(comparisons)) {
    out.type = onnx::TensorProto::BOOL;
  }
}

void ShapeRules::rounding(const onnx::NodeProto& node, Known& out) {
  if (const Sizes* from = dims(node, 0)) {
    out.dims = *from;
  }
  const Sizes* numbers = values(node, 0);
  if (numbers == nullptr) {
    return;
  }
  const std::string& op = node.op_type();
  out.values.emplace();
  for (const Size& each : *numbers) {
    if (op == "Identity") {
      out.values->push_back(each);
    } else if (op == "Floor") {
      out.values->push_back(whole(each));
    } else if (op == "Ceil") {
      static_cast<void>(rounded_up(each, shapes_.all_claims_));
      out.values->push_back(rounded_up(each, shapes_.value_claims_));
    } else if (op == "Neg") {
      out.values->push_back(number(0) - each);
    } else if (each.is_number()) {
      out.values->push_back(number(op == "Sqrt"    ? std::sqrt(each.offset)
                                   : op == "Round" ? std::nearbyint(each.offset)
                                                   : std::abs(each.offset)));
    } else {
      out.values->emplace_back();
    }
  }
}

void ShapeRules::cast(const onnx::NodeProto& node, Known& out) {
  out.type = static_cast<int>(attribute(node, "to", std::int64_t{1}));
  if (const Sizes* from = dims(node, 0)) {
    out.dims = *from;
  }
  if (const Sizes* numbers = values(node, 0)) {
    out.values = *numbers;
    for (Size& each : *out.values) {
      each = is_integer(out.type) ? whole(each) : each;
    }
  }
}

void ShapeRules::where(const onnx::NodeProto& node, Known& out) {
  const auto condition = shapes_.numbers(input(node, 0));
  const Sizes* yes = values(node, 1);
  const Sizes* no = values(node, 2);
  if (const Sizes* a = dims(node, 1); a != nullptr && dims(node, 2) != nullptr && dims(node, 0) != nullptr) {
    if (const auto both = broadcast(*a, *dims(node, 2))) {
      out.dims = broadcast(*both, *dims(node, 0));
    }
  }
  if (const auto known = shapes_.known_.find(std::string{input(node, 1)}); known != shapes_.known_.end()) {
    out.type = known->second.type;
  }
  if (condition && yes != nullptr && no != nullptr && condition->size() == yes->size() && yes->size() == no->size()) {
    out.values.emplace();
    for (std::size_t at = 0; at < yes->size(); ++at) {
      out.values->push_back((*condition)[at] != 0 ? (*yes)[at] : (*no)[at]);
    }
  }
}

void ShapeRules::expand(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  const Sizes* asked = values(node, 1);
  if (from != nullptr && asked != nullptr) {
    out.dims = broadcast(*from, *asked);
  }
}

void ShapeRules::tile(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  const Sizes* times = values(node, 1);
  if (from == nullptr || times == nullptr || times->size() != from->size()) {
    return;
  }
  out.dims = *from;
  for (std::size_t at = 0; at < from->size(); ++at) {
    (*out.dims)[at] = (*from)[at] * (*times)[at];
  }
}

void ShapeRules::filled(const onnx::NodeProto& node, Known& out) {
  const Sizes* asked = values(node, 0);
  const auto* value = tensor_attribute(node, "value");
  out.type = value == nullptr ? static_cast<int>(onnx::TensorProto::FLOAT) : value->data_type();
  if (asked == nullptr) {
    return;
  }
  out.dims = *asked;
  const auto fill = value == nullptr ? std::vector<double>{0} : numbers_of(*value).value_or(std::vector<double>{});
  if (asked->size() == 1 && (*asked)[0].is_number() && (*asked)[0].offset >= 0 && (*asked)[0].offset <= 64 &&
      fill.size() == 1) {
    out.values = Sizes(static_cast<std::size_t>((*asked)[0].offset), number(fill[0]));
  }
}

void ShapeRules::top_k(const onnx::NodeProto& node, Known& out) {
  const Sizes* from = dims(node, 0);
  const Sizes* count = values(node, 1);
  if (from == nullptr || count == nullptr || count->size() != 1) {
    return;
  }
  const std::int64_t axis = axis_of(attribute(node, "axis", std::int64_t{-1}), from->size());
  if (!is_axis(axis, from->size())) {
    return;
  }
  out.dims = *from;
  (*out.dims)[static_cast<std::size_t>(axis)] = (*count)[0];
  if (node.output_size() > 1) {
    shapes_.known_.insert_or_assign(node.output(1),
                                    Known{.dims = out.dims, .values = {}, .type = onnx::TensorProto::INT64});
  }
}

}  // namespace pantile::detail
