// Patterns that exporters write: strides undone later, shuffles by reshape, sizes computed from shapes, other layouts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "model/analysis.hpp"
#include "model/check.hpp"
#include "model/onnx_builder.hpp"
#include "model/running.hpp"

namespace pantile {
namespace {

using ::testing::HasSubstr;
using testing::Ints;
using testing::OnnxBuilder;

struct Case {
  const char* name;
  int scale;
  int halo;  ///< the largest side
  int alignment;
  Padding padding;
  std::string (*build)(OnnxBuilder&);
};

std::string halved(OnnxBuilder& b, const std::string& from, int channels) {
  return b.conv(from, channels, channels, {.pads = {1, 1, 1, 1}, .strides = {2, 2}});
}
std::string doubled(OnnxBuilder& b, const std::string& from, const char* mode, const char* places) {
  onnx::NodeProto& node = b.node("Resize", {from, "", b.floats({4}, {1, 1, 2, 2})});
  OnnxBuilder::set(node, "mode", mode);
  OnnxBuilder::set(node, "coordinate_transformation_mode", places);
  OnnxBuilder::set(node, "nearest_mode", "floor");
  return node.output(0);
}
std::string side_of(OnnxBuilder& b, const std::string& from, std::int64_t axis) {
  return b.op("Gather", {b.op("Shape", {from}), b.integers({axis})});
}
std::string joined(OnnxBuilder& b, const std::vector<std::string>& parts, std::int64_t axis) {
  onnx::NodeProto& node = b.node("Concat", parts);
  OnnxBuilder::set(node, "axis", axis);
  return node.output(0);
}
std::string transposed(OnnxBuilder& b, const std::string& from, const Ints& order) {
  onnx::NodeProto& node = b.node("Transpose", {from});
  OnnxBuilder::set(node, "perm", order);
  return node.output(0);
}

std::string down_and_up(OnnxBuilder& b) { return doubled(b, halved(b, "input", 3), "nearest", "asymmetric"); }
std::string two_levels_and_skips(OnnxBuilder& b) {
  const std::string one = b.conv("input", 3, 3, {.pads = {1, 1, 1, 1}});
  const std::string two = b.pool("MaxPool", one, {.kernel = {2, 2}, .strides = {2, 2}});
  const std::string three = halved(b, two, 3);
  const std::string up = b.deconv(three, 3, 3, {.kernel = {2, 2}, .strides = {2, 2}});
  return b.op("Add", {doubled(b, b.op("Add", {up, two}), "linear", "half_pixel"), one});
}
std::string padded_deconv(OnnxBuilder& b) {
  return b.deconv(halved(b, "input", 3), 3, 3, {.kernel = {3, 3}, .pads = {1, 1, 1, 1}, .strides = {2, 2}}, {1, 1});
}
std::string linear(OnnxBuilder& b) { return doubled(b, "input", "linear", "half_pixel"); }
std::string linear_by_corner(OnnxBuilder& b) { return doubled(b, "input", "linear", "asymmetric"); }
std::string cubic(OnnxBuilder& b) { return doubled(b, "input", "cubic", "half_pixel"); }
std::string averaged_down(OnnxBuilder& b) {
  onnx::NodeProto& node = b.node("Resize", {"input", "", b.floats({4}, {1, 1, 0.5, 0.5})});
  OnnxBuilder::set(node, "mode", "linear");
  return doubled(b, node.output(0), "nearest", "asymmetric");
}
std::string size_of_the_skip(OnnxBuilder& b) {
  const std::string down = halved(b, "input", 3);
  const std::string sizes = joined(b, {b.integers({1, 3}), side_of(b, "input", 2), side_of(b, "input", 3)}, 0);
  onnx::NodeProto& node = b.node("Resize", {down, "", "", sizes});
  OnnxBuilder::set(node, "mode", "nearest");
  OnnxBuilder::set(node, "coordinate_transformation_mode", "asymmetric");
  OnnxBuilder::set(node, "nearest_mode", "floor");
  return b.op("Add", {node.output(0), "input"});
}
std::string shuffle_by_reshape(OnnxBuilder& b) {
  const std::string x = b.conv("input", 3, 12, {.pads = {1, 1, 1, 1}});
  const std::string h = side_of(b, x, 2);
  const std::string w = side_of(b, x, 3);
  const std::string wide = b.op("Reshape", {x, joined(b, {b.integers({-1, 3, 2, 2}), h, w}, 0)});
  const std::string two = b.integers({2});
  const std::string large = joined(b, {b.integers({-1, 3}), b.op("Mul", {h, two}), b.op("Mul", {w, two})}, 0);
  return b.op("Reshape", {transposed(b, wide, {0, 1, 4, 2, 5, 3}), large});
}
std::string unshuffle_by_reshape(OnnxBuilder& b) {
  const std::string two = b.integers({2});
  const std::string h = b.op("Div", {side_of(b, "input", 2), two});
  const std::string w = b.op("Div", {side_of(b, "input", 3), two});
  const std::string split = b.op("Reshape", {"input", joined(b, {b.integers({0, 3}), h, two, w, two}, 0)});
  const std::string packed =
      b.op("Reshape", {transposed(b, split, {0, 1, 3, 5, 2, 4}), joined(b, {b.integers({0, 12}), h, w}, 0)});
  onnx::NodeProto& up = b.node("DepthToSpace", {b.conv(packed, 12, 12, {.pads = {1, 1, 1, 1}})});
  OnnxBuilder::set(up, "blocksize", std::int64_t{2});
  return up.output(0);
}
std::string shuffled_channels(OnnxBuilder& b) {
  const std::string x = b.conv("input", 3, 4, {.pads = {1, 1, 1, 1}});
  const std::string h = side_of(b, x, 2);
  const std::string w = side_of(b, x, 3);
  const std::string groups = b.op("Reshape", {x, joined(b, {b.integers({1, 2, 2}), h, w}, 0)});
  const std::string mixed = transposed(b, groups, {0, 2, 1, 3, 4});
  return b.op("Reshape", {mixed, joined(b, {b.integers({1, -1}), h, w}, 0)});
}
std::string channels_last_inside(OnnxBuilder& b) {
  const std::string last = transposed(b, b.conv("input", 3, 4, {.pads = {1, 1, 1, 1}}), {0, 2, 3, 1});
  const std::string scale = b.floats({4}, {1, 1.5, 2, 0.5});
  const std::string even = b.op("LayerNormalization", {last, scale});
  const std::string mixed = b.op("MatMul", {even, b.weights({4, 3})});
  return transposed(b, b.op("Add", {mixed, b.floats({3}, {0.25F, 0.5F, 0.75F})}), {0, 3, 1, 2});
}
std::string auto_padded_stride(OnnxBuilder& b) {
  onnx::NodeProto& node = b.node("Conv", {"input", b.weights({3, 3, 3, 3})});
  OnnxBuilder::set(node, "auto_pad", "SAME_UPPER");
  OnnxBuilder::set(node, "strides", Ints{2, 2});
  return doubled(b, node.output(0), "nearest", "asymmetric");
}
std::string pooled_up(OnnxBuilder& b) {
  onnx::NodeProto& node = b.node("MaxPool", {"input"});
  OnnxBuilder::set(node, "kernel_shape", Ints{3, 3});
  OnnxBuilder::set(node, "strides", Ints{2, 2});
  OnnxBuilder::set(node, "ceil_mode", std::int64_t{1});
  return doubled(b, node.output(0), "nearest", "asymmetric");
}
std::string split_and_picked(OnnxBuilder& b) {
  onnx::NodeProto& parts = b.node("Split", {b.conv("input", 3, 6, {.pads = {1, 1, 1, 1}})});
  parts.add_output("rest");
  OnnxBuilder::set(parts, "axis", std::int64_t{1});
  OnnxBuilder::set(parts, "num_outputs", std::int64_t{2});
  onnx::NodeProto& picked = b.node("Gather", {"rest", b.integers({2, 1, 0})});
  OnnxBuilder::set(picked, "axis", std::int64_t{1});
  return b.op("Mul", {parts.output(0), picked.output(0)});
}
std::string padded_to_a_multiple(OnnxBuilder& b) {
  // Extends the image to a multiple of 4 by what its size leaves over, and cuts that off again.
  const std::string four = b.integers({4});
  const auto rest = [&](std::int64_t axis) {
    return b.op("Mod", {b.op("Sub", {four, b.op("Mod", {side_of(b, "input", axis), four})}), four});
  };
  const std::string pads = joined(b, {b.integers({0, 0, 0, 0, 0, 0}), rest(2), rest(3)}, 0);
  const std::string x = b.conv(b.op("Pad", {"input", pads}), 3, 3, {.pads = {1, 1, 1, 1}});
  const std::string ends = joined(b, {side_of(b, "input", 2), side_of(b, "input", 3)}, 0);
  return b.op("Slice", {x, b.integers({0, 0}), ends, b.integers({2, 3})});
}
/// The shape of waifu2x' cunet: convolutions without padding around a halving that is undone.
std::string valid_with_strides(OnnxBuilder& b) {
  const std::string one = b.conv("input", 3, 3, {});
  const std::string down = b.conv(b.conv(one, 3, 3, {.kernel = {2, 2}, .strides = {2, 2}}), 3, 3, {});
  const std::string up = b.deconv(down, 3, 3, {.kernel = {2, 2}, .strides = {2, 2}});
  const std::string cut = b.op("Slice", {one, b.integers({2, 2}), b.integers({-2, -2}), b.integers({2, 3})});
  return b.conv(b.op("Add", {up, cut}), 3, 3, {});
}

const std::vector<Case>& cases() {
  using enum Padding;
  static const std::vector<Case> all{
      {"down and up", 1, 2, 2, same, down_and_up},
      {"two levels and skips", 1, 7, 4, same, two_levels_and_skips},
      {"padded deconv", 1, 2, 2, same, padded_deconv},
      {"linear", 2, 1, 1, same, linear},
      {"linear by corner", 2, 1, 1, same, linear_by_corner},
      {"cubic", 2, 2, 1, same, cubic},
      {"averaged down", 1, 1, 2, same, averaged_down},
      {"size of the skip", 1, 2, 2, same, size_of_the_skip},
      {"shuffle by reshape", 2, 1, 1, same, shuffle_by_reshape},
      {"unshuffle by reshape", 1, 3, 2, same, unshuffle_by_reshape},
      {"shuffled channels", 1, 1, 1, same, shuffled_channels},
      {"channels last inside", 1, 1, 1, same, channels_last_inside},
      {"auto_pad with a stride", 1, 2, 2, same, auto_padded_stride},
      {"pooled up", 1, 2, 2, same, pooled_up},
      {"split and picked", 1, 1, 1, same, split_and_picked},
      {"padded to a multiple", 1, 1, 4, same, padded_to_a_multiple},
      {"valid with strides", 1, 5, 2, valid, valid_with_strides},
  };
  return all;
}

std::vector<std::byte> built(std::string (*build)(OnnxBuilder&)) {
  OnnxBuilder builder{3, 18};
  const std::string output = build(builder);
  return builder.build(output);
}

int widest(const Margin& halo) { return std::max({halo.top, halo.left, halo.bottom, halo.right}); }

TEST(Graphs, ExportersPatternsAreFollowed) {
  for (const Case& each : cases()) {
    SCOPED_TRACE(each.name);
    const ModelReport report = examine(built(each.build), {}, each.name);
    const ModelFacts& facts = report.facts;
    ASSERT_TRUE(facts.local) << facts.why_not_local;
    EXPECT_EQ(facts.geometry.scale, each.scale);
    EXPECT_EQ(widest(report.outputs.front().halo), each.halo);
    EXPECT_EQ(facts.geometry.alignment_px, each.alignment);
    EXPECT_EQ(facts.geometry.padding, each.padding);
    EXPECT_EQ(unfit(facts, each.name), std::nullopt);
  }
}

/// Each by the engine: what one pixel moves is what the graph says, and tiles of all sizes equal the whole image.
TEST(Graphs, WhatIsFollowedIsMeasuredToo) {
  const Engine engine;
  for (const Case& each : cases()) {
    SCOPED_TRACE(each.name);
    const auto bytes = built(each.build);
    const ModelReport report = examine(bytes, {}, each.name);
    const ModelCheck check = check_model(engine, bytes, {}, each.name, report);
    for (const CheckLine& line : check.lines) {
      EXPECT_TRUE(line.ok) << line.text;
    }
    EXPECT_EQ(check.measured_halo, report.outputs.front().halo) << "the halo is larger than it need be";
    EXPECT_TRUE(check.min_tile_px && *check.min_tile_px <= default_min_tile_px);
  }
}

/// The checker must be able to fail: facts that promise too little are found out.
TEST(Graphs, AWrongHaloOrAlignmentIsFoundOut) {
  const Engine engine;
  const auto bytes = built(two_levels_and_skips);
  ModelReport report = examine(bytes, {}, "model");
  report.outputs.front().halo.top -= 1;
  EXPECT_FALSE(check_model(engine, bytes, {}, "model", report).ok());
  report = examine(bytes, {}, "model");
  report.facts.geometry.halo = {4, 4, 4, 4};
  EXPECT_FALSE(check_model(engine, bytes, {}, "model", report).ok());
  report = examine(bytes, {}, "model");
  report.facts.geometry.alignment_px = 2;  // it is 4
  EXPECT_FALSE(check_model(engine, bytes, {}, "model", report).ok());
  report = examine(bytes, {}, "model");
  report.facts.geometry.scale = 2;
  EXPECT_FALSE(check_model(engine, bytes, {}, "model", report).ok());
}

struct NotLocal {
  const char* name;
  const char* why;
  bool followed;
  std::string (*build)(OnnxBuilder&);
};

std::string gated(OnnxBuilder& b) {
  const std::string x = b.conv("input", 3, 3, {.pads = {1, 1, 1, 1}});
  const std::string gate = b.op("Sigmoid", {b.conv(b.op("GlobalAveragePool", {x}), 3, 3, {.kernel = {1, 1}})});
  return b.conv(b.op("Mul", {x, gate}), 3, 3, {.pads = {1, 1, 1, 1}});
}
std::string instance_normalised(OnnxBuilder& b) {
  const std::string ones = b.floats({3}, {1, 2, 3});
  return b.op("InstanceNormalization", {b.conv("input", 3, 3, {.pads = {1, 1, 1, 1}}), ones, ones});
}
std::string attention(OnnxBuilder& b) {
  const std::string flat = b.op("Reshape", {"input", b.integers({1, 3, -1})});
  const std::string scores = b.op("MatMul", {transposed(b, flat, {0, 2, 1}), flat});
  onnx::NodeProto& shares = b.node("Softmax", {scores});
  OnnxBuilder::set(shares, "axis", std::int64_t{-1});
  const std::string seen = b.op("MatMul", {flat, shares.output(0)});
  return b.op("Add", {b.op("Reshape", {seen, b.op("Shape", {"input"})}), "input"});
}
std::string divided_by_its_size(OnnxBuilder& b) {
  onnx::NodeProto& real = b.node("Cast", {side_of(b, "input", 2)});
  OnnxBuilder::set(real, "to", std::int64_t{1});
  return b.op("Div", {"input", real.output(0)});
}
std::string softmax_over_columns(OnnxBuilder& b) { return b.op("Softmax", {"input"}); }
std::string fixed_resize(OnnxBuilder& b) { return b.op("Resize", {"input", "", "", b.integers({1, 3, 96, 96})}); }
std::string a_branch(OnnxBuilder& b) {
  onnx::NodeProto& node = b.node("If", {b.integers({1})});
  onnx::AttributeProto& branch = *node.add_attribute();
  branch.set_name("then_branch");
  branch.set_type(onnx::AttributeProto::GRAPH);
  branch.mutable_g()->set_name("then");
  return b.op("Add", {node.output(0), "input"});
}

TEST(Graphs, WhatLooksAtTheWholeImageIsNamedAndFollowedOn) {
  for (const NotLocal& each :
       {NotLocal{"gated", "GlobalAveragePool 'GlobalAveragePool2'", true, gated},
        NotLocal{"instance norm", "InstanceNormalization 'Inst", true, instance_normalised},
        NotLocal{"attention", "Reshape 'Reshape1'", true, attention},
        NotLocal{"divided by its size", "made of the whole image or of its size", true, divided_by_its_size},
        NotLocal{"softmax over columns", "sums over the pixels", true, softmax_over_columns},
        NotLocal{"fixed resize", "fixed size 96", false, fixed_resize},
        NotLocal{"a branch", "graph of its own", true, a_branch}}) {
    SCOPED_TRACE(each.name);
    const ModelFacts facts = analyse(built(each.build), each.name);
    EXPECT_FALSE(facts.local);
    EXPECT_THAT(facts.why_not_local, HasSubstr(each.why));
    EXPECT_EQ(facts.followed, each.followed);
    EXPECT_EQ(facts.makes_image, each.followed);
  }
}

TEST(Graphs, OnePixelMovesAllThatASqueezeAndExciteMakes) {
  const Engine engine;
  const auto bytes = built(gated);
  const ModelReport report = examine(bytes, {}, "gated");
  EXPECT_EQ(widest(report.facts.geometry.halo), 2) << "of its local part";
  const ModelCheck check = check_model(engine, bytes, {}, "gated", report);
  EXPECT_TRUE(check.ok());
  EXPECT_TRUE(check.moves_far);
}

/// Bytes from outside: whatever is wrong in them, the answer is a refusal or facts, never a crash.
TEST(Graphs, SurvivesDamagedModels) {
  std::mt19937 random{5};
  for (const Case& each : cases()) {
    SCOPED_TRACE(each.name);
    const auto model = built(each.build);
    for (int round = 0; round < 400; ++round) {
      auto damaged = model;
      for (int flips = 0; flips < 3; ++flips) {
        damaged[random() % damaged.size()] ^= static_cast<std::byte>(1U << (random() % 8));
      }
      try {
        static_cast<void>(examine(damaged, {}, "damaged"));
      } catch (const UsageError& error) {
        EXPECT_THAT(error.what(), HasSubstr("damaged"));
      }
    }
  }
}

TEST(Graphs, NamesThatTwoNodesMakeAreRefused) {
  const auto twice = built([](OnnxBuilder& b) {
    const std::string first = b.conv("input", 3, 8, {});
    onnx::NodeProto& second = b.node("Relu", {first});
    second.set_output(0, first);
    return first;
  });
  try {
    static_cast<void>(examine(twice, {}, "twice"));
    FAIL() << "no UsageError";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("two of its nodes make"));
  }
}

TEST(Graphs, CountsWorkMemoryAndPlacesToCut) {
  OnnxBuilder b{3};
  std::string t = "input";
  for (int layer = 0; layer < 6; ++layer) {
    t = b.conv(t, layer == 0 ? 3 : (layer == 3 ? 4 : 16), layer == 2 ? 4 : 16, {.pads = {1, 1, 1, 1}});
  }
  const ModelReport report = examine(b.build(t), {}, "net");
  const double macs = 9.0 * (3 * 16 + 16 * 16 + 16 * 4 + 4 * 16 + 16 * 16 + 16 * 16);
  EXPECT_DOUBLE_EQ(report.macs_per_px, macs);
  EXPECT_DOUBLE_EQ(report.bytes_per_px, 4 * (16 + 16)) << "input and output of a layer at once";
  EXPECT_EQ(report.parameters, static_cast<std::uint64_t>(macs));
  EXPECT_EQ(report.unknown_tensors, 0U);
  const auto narrow =
      std::find_if(report.cuts.begin(), report.cuts.end(), [](const ModelCut& cut) { return cut.position == 3; });
  ASSERT_NE(narrow, report.cuts.end());
  EXPECT_EQ(narrow->tensors, 1U);
  EXPECT_DOUBLE_EQ(narrow->bytes_per_px, 16);
  EXPECT_THAT(narrow->node, HasSubstr("Conv 'Conv3'"));
  EXPECT_EQ(report.operators.at("Conv"), 6U);
  EXPECT_EQ(report.opsets.front(), (std::pair<std::string, std::int64_t>{"ai.onnx", 17}));
}

struct Foreign {
  const char* file;
  bool local;
  bool runs;
  int scale;
  int halo;  ///< −1: not followed
  int alignment;
  const char* says;  ///< part of why it is not local, or cannot be run
};

/// As the table beside the models tells, and as they are measured.
TEST(Graphs, OtherPeoplesModelsAreWhatTheyAreMeasuredToBe) {
  const auto folder = testing::foreign_models();
  if (folder.empty()) {
    GTEST_SKIP() << "PANTILE_TEST_DATA names no folder with models";
  }
  const Engine engine;
  for (const Foreign& each :
       {Foreign{"waifu2x_upconv7_art_x2.onnx", true, true, 2, 7, 1, ""},
        Foreign{"waifu2x_upconv7_photo_x2.onnx", true, true, 2, 7, 1, ""},
        Foreign{"waifu2x_vgg7_art_noise1.onnx", true, true, 1, 7, 1, ""},
        Foreign{"espcn_y_x3.onnx", true, true, 3, 5, 1, ""}, Foreign{"dncnn25_gray.onnx", true, true, 1, 17, 1, ""},
        Foreign{"ppocrv3_det.onnx", false, true, 1, 364, 32, "GlobalAveragePool"},
        Foreign{"squeezenet1_1.onnx", false, false, 0, -1, 1, "GlobalAveragePool"},
        Foreign{"sinet_portrait.onnx", false, false, 1, -1, 1, "fixed size [1, 3, 320, 320]"},
        Foreign{"ultraface_rfb320.onnx", false, false, 0, -1, 1, "fixed size [1, 3, 240, 320]"}}) {
    SCOPED_TRACE(each.file);
    const Bytes bytes = read_file(folder / each.file);
    const ModelReport report = examine(bytes, folder, each.file);
    const ModelFacts& facts = report.facts;
    EXPECT_EQ(facts.local, each.local) << facts.why_not_local;
    EXPECT_EQ(!report.unfit.has_value(), each.runs);
    EXPECT_THAT(facts.why_not_local + " " + report.unfit.value_or(""), HasSubstr(each.says));
    EXPECT_EQ(facts.makes_image ? facts.geometry.scale : 0, each.scale);
    EXPECT_EQ(facts.followed ? widest(facts.geometry.halo) : -1, each.halo);
    EXPECT_EQ(facts.geometry.alignment_px, each.alignment);
    EXPECT_EQ(report.unknown_tensors, 0U);
    const ModelCheck check = check_model(engine, bytes, folder, each.file, report);
    for (const CheckLine& line : check.lines) {
      EXPECT_TRUE(line.ok) << line.text;
    }
    if (each.local) {
      EXPECT_EQ(check.measured_halo, report.outputs.front().halo);
      EXPECT_FALSE(check.moves_far);
      ASSERT_TRUE(check.min_tile_px);
      EXPECT_LE(*check.min_tile_px, default_min_tile_px);
    }
  }
}

}  // namespace
}  // namespace pantile
