// Dimensions moved, split and merged: transposes, reshapes, slices.
//
// Exporters write a pixel shuffle as Reshape [N, C, r, r, H, W], Transpose, Reshape [N, C, r·H, r·W]. Each dimension is
// an Atom, so that a reshape is a walk over the atoms on one side and the dimensions on the other.

#include <fmt/format.h>

#include <algorithm>

#include "model/detail/walker.hpp"

namespace pantile::detail {

namespace {

using Kind = Atom::Kind;

bool is_side(const Atom& atom) { return atom.kind == Kind::row || atom.kind == Kind::column; }

std::int64_t count_of(const Size& size) { return size.is_number() ? as_whole(size.offset) : -1; }

/// Matches the atoms of a tensor with the dimensions of another one of the same elements.
class Reshaping {
 public:
  Reshaping(const onnx::NodeProto& node, const Grid& from, Sizes before)
      : node_{node}, grid_{from}, atoms_{layout_of(from)}, before_{std::move(before)} {}

  Grid to(const Sizes& target) {
    if (before_.size() != atoms_.size()) {
      give_up();
    }
    Layout layout;
    for (std::size_t at = 0; at < target.size(); ++at) {
      const Size& dim = target[at];
      if (dim == number(1) && (next_ == atoms_.size() || !is_one(atoms_[next_]))) {
        layout.push_back({Kind::batch});
      } else if (next_ < atoms_.size() && is_side(atoms_[next_])) {
        layout.push_back(side(dim, at + 1 < target.size() ? &target[at + 1] : nullptr));
      } else {
        layout.push_back(plain(count_of(dim)));
      }
    }
    while (next_ < atoms_.size() && is_one(atoms_[next_])) {
      ++next_;
    }
    if (next_ != atoms_.size()) {
      give_up();
    }
    return laid_out(std::move(grid_), std::move(layout));
  }

 private:
  [[noreturn]] void give_up() const { stop(node_, "arranges the pixels in another way than rows and columns"); }
  static bool is_one(const Atom& atom) { return !is_side(atom) && atom.count == 1; }

  /// A dimension of `count` elements, none of which are rows or columns.
  Atom plain(std::int64_t count) {
    Atom merged{Kind::batch, 1};
    while (next_ < atoms_.size() && !is_side(atoms_[next_]) && (merged.count < count || is_one(atoms_[next_]))) {
      Atom& atom = atoms_[next_];
      if (merged.count == count && count > 1) {
        break;  // a dimension of 1 that follows belongs to whatever is next
      }
      if (count % (merged.count * atom.count) != 0) {
        const std::int64_t part = count / merged.count;
        if (atom.kind != Kind::channels || part < 1 || atom.count % part != 0) {
          give_up();
        }
        atom.count /= part;  // the rest stays for the next dimension
        return {Kind::channels, count};
      }
      absorb(merged, atom);
      ++next_;
      if (count == 1) {
        break;
      }
    }
    if (merged.count != count) {
      give_up();
    }
    return merged;
  }

  /// Channels and phases become channels. Of a phase alone nothing changes.
  void absorb(Atom& merged, const Atom& atom) {
    if (merged.count == 1) {
      merged = atom.count == 1 && merged.kind == Kind::channels ? merged : atom;
      return;
    }
    for (const Atom& part : {merged, atom}) {
      if (part.kind == Kind::row_phase) {
        gather_phases(grid_.y, grid_.row_split);
      } else if (part.kind == Kind::column_phase) {
        gather_phases(grid_.x, grid_.column_split);
      }
    }
    merged = {Kind::channels, merged.count * atom.count};
  }

  /// The phases of a split are channels from now on: each row stands for all the rows of its group.
  void gather_phases(AxisMap& map, int& split) const {
    const auto coarse = convolved(map, {.size = split, .dilation = 1, .stride = split, .pad_begin = 0, .pad_end = 0});
    if (!coarse || split == 1) {
      give_up();
    }
    map = *coarse;
    split = 1;
  }

  /// The rows or columns, alone, split or merged with what follows.
  Atom side(const Size& dim, const Size* after) {
    const bool rows = atoms_[next_].kind == Kind::row;
    AxisMap& map = rows ? grid_.y : grid_.x;
    int& split = rows ? grid_.row_split : grid_.column_split;
    const Size length = before_[next_];
    const auto factor = ratio(dim, length);
    if (!factor) {
      give_up();
    }
    const Atom atom = atoms_[next_];
    if (factor->down > 1) {  // [H] becomes [H / r, r]
      if (factor->up != 1 || split != 1 || after == nullptr || count_of(*after) != factor->down ||
          factor->down > largest_density || map.offset != 0) {
        give_up();
      }
      split = static_cast<int>(factor->down);
      atoms_[next_] = {rows ? Kind::row_phase : Kind::column_phase, factor->down};
      return atom;
    }
    ++next_;
    if (factor->up > 1) {  // [H, r] becomes [r·H]
      if (next_ == atoms_.size() || atoms_[next_].count != factor->up || is_side(atoms_[next_]) ||
          factor->up > largest_density) {
        give_up();
      }
      const Kind phase = atoms_[next_].kind;
      ++next_;
      if (phase == (rows ? Kind::row_phase : Kind::column_phase)) {
        split = 1;
      } else if (phase == Kind::channels && split == 1) {
        map = repeated(map, static_cast<int>(factor->up));
      } else {
        give_up();
      }
    }
    return atom;
  }

  const onnx::NodeProto& node_;
  Grid grid_;
  Layout atoms_;
  Sizes before_;  ///< dimensions of the tensor, as its atoms
  std::size_t next_ = 0;
};

std::size_t position(const onnx::NodeProto& node, std::int64_t axis, std::size_t rank) {
  const std::int64_t at = axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis;
  if (at < 0 || at >= static_cast<std::int64_t>(rank)) {
    stop(node, "names a dimension that its input has not");
  }
  return static_cast<std::size_t>(at);
}

}  // namespace

Walker::Output Walker::transpose(const onnx::NodeProto& node) {
  const Grid& from = any(node);
  const Layout layout = layout_of(from);
  const auto order = attribute(node, "perm", std::vector<std::int64_t>{});
  if (order.size() != layout.size()) {
    stop(node, "turns rows and columns around");
  }
  Layout turned;
  int rows_at = -1;
  for (const std::int64_t axis : order) {
    turned.push_back(layout[position(node, axis, layout.size())]);
    if (turned.back().kind == Kind::row) {
      rows_at = static_cast<int>(turned.size());
    }
    if (turned.back().kind == Kind::column && rows_at < 0) {
      stop(node, "turns rows and columns around");
    }
  }
  return laid_out(from, turned);
}

Walker::Output Walker::reshape(const onnx::NodeProto& node) {
  return Reshaping{node, any(node), dims(node, input(node, 0))}.to(dims(node, node.output(0)));
}

/// Squeeze and Unsqueeze: dimensions of 1 come and go.
Walker::Output Walker::squeeze(const onnx::NodeProto& node) { return reshape(node); }

Walker::Output Walker::expand(const onnx::NodeProto& node) {
  const Sizes before = dims(node, input(node, 0));
  const Sizes after = dims(node, node.output(0));
  if (before.size() != after.size() || !std::equal(before.begin(), before.end(), after.begin())) {
    stop(node, "repeats its input along some dimension");
  }
  return any(node);
}

Walker::Output Walker::gather(const onnx::NodeProto& node) {
  const Grid* from = grid(input(node, 0));
  if (from == nullptr) {
    stop(node, "picks by numbers that depend on the image");
  }
  Layout layout = layout_of(*from);
  const std::int64_t axis = attribute(node, "axis", std::int64_t{0});
  const auto places = shapes_.numbers(input(node, 1));
  const Sizes shape = dims(node, input(node, 1));
  const std::size_t at = position(node, axis, layout.size());
  if (!places || is_side(layout[at]) || layout[at].kind == Kind::row_phase || layout[at].kind == Kind::column_phase ||
      shape.size() > 1) {
    stop(node, "picks single rows or columns, or by numbers that depend on the image");
  }
  if (shape.empty()) {
    layout.erase(layout.begin() + static_cast<std::ptrdiff_t>(at));
  } else {
    layout[at].count = static_cast<std::int64_t>(places->size());
  }
  return laid_out(*from, layout);
}

Walker::Output Walker::split(const onnx::NodeProto& node) {
  const Grid from = any(node);
  Layout layout = layout_of(from);
  const std::size_t at = position(node, attribute(node, "axis", std::int64_t{0}), layout.size());
  if (layout[at].kind != Kind::channels) {
    stop(node, "cuts the pixels apart, not the channels");
  }
  for (const auto& output : node.output()) {
    const Sizes part = dims(node, output);
    layout[at].count = at < part.size() ? count_of(part[at]) : -1;
    if (layout[at].count < 1) {
      stop(node, "cuts the channels into parts of unknown size");
    }
    grids_[output] = laid_out(from, layout);
  }
  return grids_.at(node.output(0));
}

Walker::Output Walker::slice(const onnx::NodeProto& node) {
  const Grid& from = any(node);
  Layout layout = layout_of(from);
  const Sizes before = dims(node, input(node, 0));
  const auto starts = list(node, "starts", 1);
  const auto steps = list(node, "steps", 4);
  auto axes = list(node, "axes", 3);
  // The ends may follow from the size of the image: up to twice its height, say.
  const Sizes* ends_given = shapes_.values(input(node, 2));
  Sizes ends = ends_given == nullptr ? Sizes{} : *ends_given;
  for (const std::int64_t each : attribute(node, "ends", std::vector<std::int64_t>{})) {
    ends.push_back(number(static_cast<double>(each)));
  }
  for (std::size_t at = axes.size(); at < starts.size() && axes.size() == at; ++at) {
    axes.push_back(static_cast<std::int64_t>(at));
  }
  if (ends.size() != starts.size() || axes.size() != starts.size() || before.size() != layout.size() ||
      std::any_of(steps.begin(), steps.end(), [](auto step) { return step != 1; })) {
    stop(node, "does not cut out one piece; not tiled by this version");
  }
  Grid output = from;
  for (std::size_t at = 0; at < starts.size(); ++at) {
    const std::size_t axis = position(node, axes[at], layout.size());
    Atom& atom = layout[axis];
    const double end = ends[at].is_number() ? ends[at].offset : 0;
    if (!is_side(atom)) {
      const auto clamp = [&](std::int64_t place) {
        return std::clamp<std::int64_t>(place < 0 ? place + atom.count : place, 0, atom.count);
      };
      if (!ends[at].is_number() || (atom.kind != Kind::channels && atom.kind != Kind::batch)) {
        stop(node, "cuts the pixels apart, not the channels");
      }
      const auto whole_end = static_cast<std::int64_t>(std::clamp(end, -1e9, 1e9));
      atom.count = std::max<std::int64_t>(0, clamp(whole_end) - clamp(starts[at]));
      continue;
    }
    const Size from_end = ends[at] - before[axis];  // a number if the cut follows the end of the image
    const bool to_the_end = end >= INT32_MAX || (from_end.is_number() && from_end.offset >= 0);
    const double cut = from_end.is_number() && ends[at].is_side() ? from_end.offset : end;
    if (starts[at] < 0 || starts[at] > largest_reach || cut < -largest_reach || (cut >= 0 && !to_the_end) ||
        (!ends[at].is_number() && !from_end.is_number()) || output.row_split != 1 || output.column_split != 1) {
      stop(node, "cuts at a fixed place instead of at a distance from the sides");
    }
    AxisMap& map = atom.kind == Kind::row ? output.y : output.x;
    map = padded(map, static_cast<int>(-starts[at]), to_the_end ? 0 : static_cast<int>(cut));
  }
  return laid_out(std::move(output), layout);
}

}  // namespace pantile::detail
