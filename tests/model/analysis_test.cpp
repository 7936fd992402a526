#include "model/analysis.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.hpp"
#include "model/onnx_builder.hpp"
#include "model/running.hpp"

namespace pantile {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Ints;
using testing::OnnxBuilder;

/// A model of one kind of layer, with what must come out.
struct Case {
  const char* name;
  int scale;
  Margin halo;
  Padding padding;
  std::string (*build)(OnnxBuilder&);
};

// The input has 3 channels; the builders return the output's name.
std::string valid_convolutions(OnnxBuilder& b) {
  return b.conv(b.op("LeakyRelu", {b.conv("input", 3, 8, {})}), 8, 4, {});
}
std::string same_convolutions(OnnxBuilder& b) {
  return b.conv(b.op("Relu", {b.conv("input", 3, 8, {.kernel = {5, 5}, .pads = {2, 2, 2, 2}})}), 8, 3,
                {.pads = {1, 1, 1, 1}});
}
std::string dilated(OnnxBuilder& b) { return b.conv("input", 3, 4, {.pads = {3, 3, 3, 3}, .dilations = {3, 3}}); }
std::string looks_up_only(OnnxBuilder& b) { return b.conv("input", 3, 4, {.kernel = {3, 1}, .pads = {2, 0, 0, 0}}); }
std::string even_kernel(OnnxBuilder& b) { return b.conv("input", 3, 4, {.kernel = {2, 4}}); }
std::string wide_valid(OnnxBuilder& b) { return b.conv("input", 3, 4, {.kernel = {1, 5}}); }
std::string auto_padded(OnnxBuilder& b) {
  onnx::NodeProto& node = b.node("Conv", {"input", b.weights({4, 3, 4, 4})});
  OnnxBuilder::set(node, "auto_pad", "SAME_UPPER");
  return node.output(0);
}
std::string grouped(OnnxBuilder& b) {
  onnx::NodeProto& node = b.node("Conv", {"input", b.weights({6, 1, 3, 3})});
  OnnxBuilder::set(node, "group", std::int64_t{3});
  return node.output(0);
}
std::string upconv(OnnxBuilder& b) {
  std::string t = "input";
  for (int layer = 0; layer < 3; ++layer) {
    t = b.op("LeakyRelu", {b.conv(t, layer == 0 ? 3 : 8, 8, {})});
  }
  return b.deconv(t, 8, 3, {.kernel = {4, 4}, .pads = {3, 3, 3, 3}, .strides = {2, 2}});
}
std::string padded_upconv(OnnxBuilder& b) {
  return b.deconv(b.conv("input", 3, 8, {.pads = {1, 1, 1, 1}}), 8, 3,
                  {.kernel = {4, 4}, .pads = {1, 1, 1, 1}, .strides = {2, 2}});
}
std::string odd_deconv(OnnxBuilder& b) {
  return b.deconv("input", 3, 4, {.kernel = {3, 3}, .pads = {1, 1, 1, 1}, .strides = {2, 2}}, {1, 1});
}
std::string sub_pixel(OnnxBuilder& b) {
  onnx::NodeProto& node = b.node("DepthToSpace", {b.conv("input", 3, 12, {.kernel = {5, 5}, .pads = {2, 2, 2, 2}})});
  OnnxBuilder::set(node, "blocksize", std::int64_t{2});
  OnnxBuilder::set(node, "mode", "CRD");
  return node.output(0);
}
std::string nearest(OnnxBuilder& b, const char* places, const char* rounding) {
  onnx::NodeProto& node = b.node("Resize", {"input", "", b.floats({4}, {1, 1, 3, 3})});
  OnnxBuilder::set(node, "mode", "nearest");
  OnnxBuilder::set(node, "coordinate_transformation_mode", places);
  OnnxBuilder::set(node, "nearest_mode", rounding);
  return b.conv(node.output(0), 3, 4, {.pads = {1, 1, 1, 1}});
}
std::string nearest_by_middle(OnnxBuilder& b) { return nearest(b, "half_pixel", "round_prefer_floor"); }
std::string nearest_by_corner(OnnxBuilder& b) { return nearest(b, "asymmetric", "floor"); }
std::string up_and_down(OnnxBuilder& b) {
  onnx::NodeProto& node = b.node("Resize", {"input", "", b.floats({4}, {1, 1, 2, 2})});
  OnnxBuilder::set(node, "coordinate_transformation_mode", "asymmetric");
  OnnxBuilder::set(node, "nearest_mode", "floor");
  return b.conv(node.output(0), 3, 4, {.kernel = {4, 4}, .pads = {1, 1, 1, 1}, .strides = {2, 2}});
}
std::string there_and_back(OnnxBuilder& b) {
  onnx::NodeProto& up = b.node("DepthToSpace", {b.conv("input", 3, 8, {})});
  OnnxBuilder::set(up, "blocksize", std::int64_t{2});
  onnx::NodeProto& down = b.node("SpaceToDepth", {b.conv(up.output(0), 2, 2, {.pads = {1, 1, 1, 1}})});
  OnnxBuilder::set(down, "blocksize", std::int64_t{2});
  // The padded ring is cut off again: 1 input pixel of the convolution on the fine grid.
  return b.op("Slice", {down.output(0), b.integers({1, 1}), b.integers({-1, -1}), b.integers({2, 3})});
}
std::string max_pooled(OnnxBuilder& b) { return b.pool("MaxPool", "input", {.pads = {1, 1, 1, 1}}); }
std::string mean_pooled(OnnxBuilder& b) { return b.pool("AveragePool", "input", {.kernel = {5, 3}}); }
std::string residual(OnnxBuilder& b) {
  return b.op("Add", {"input", b.conv(b.op("Relu", {b.conv("input", 3, 8, {.pads = {1, 1, 1, 1}})}), 8, 3,
                                      {.pads = {1, 1, 1, 1}})});
}
std::string branches(OnnxBuilder& b) {
  onnx::NodeProto& joined =
      b.node("Concat", {b.conv("input", 3, 2, {.kernel = {1, 1}}),
                        b.conv("input", 3, 2, {.kernel = {3, 3}, .pads = {2, 2, 2, 2}, .dilations = {2, 2}})});
  OnnxBuilder::set(joined, "axis", std::int64_t{1});
  return b.conv(joined.output(0), 4, 3, {.kernel = {1, 1}});
}
std::string cropped_skip(OnnxBuilder& b) {
  const std::string cut = b.op(
      "Slice", {"input", b.integers({1, 1}), b.integers({-1, INT64_MAX - 1}), b.integers({2, -1}), b.integers({1, 1})});
  const std::string rest = b.op("Slice", {cut, b.integers({0}), b.integers({-1}), b.integers({3})});
  return b.op("Mul", {b.conv("input", 3, 3, {}), rest});
}
std::string padded_first(OnnxBuilder& b) {
  return b.conv(b.op("Pad", {"input", b.integers({0, 0, 2, 2, 0, 0, 2, 2})}), 3, 4, {.kernel = {5, 5}});
}
std::string reflected(OnnxBuilder& b) {
  std::string t = "input";
  for (int layer = 0; layer < 2; ++layer) {
    onnx::NodeProto& node = b.node("Pad", {t, b.integers({0, 0, 2, 2, 0, 0, 2, 2})});
    OnnxBuilder::set(node, "mode", layer == 0 ? "reflect" : "edge");
    t = b.conv(node.output(0), 3, 3, {.kernel = {5, 5}});
  }
  return t;
}
std::string pixel_by_pixel(OnnxBuilder& b) {
  const std::string slope = b.floats({8, 1, 1}, std::vector<float>(8, 0.25F));
  const std::string t = b.op("PRelu", {b.conv("input", 3, 8, {.kernel = {1, 1}}), slope});
  onnx::NodeProto& shares = b.node("Softmax", {b.op("Tanh", {t})});
  OnnxBuilder::set(shares, "axis", std::int64_t{1});
  onnx::NodeProto& mean = b.node("ReduceMax", {shares.output(0)});
  OnnxBuilder::set(mean, "axes", Ints{1});
  return b.op("Add", {b.op("Mul", {mean.output(0), b.floats({}, {2})}), "input"});
}
std::string normalised(OnnxBuilder& b) {
  const std::vector<float> ones(4, 1.5F);
  return b.op("BatchNormalization", {b.conv("input", 3, 4, {}), b.floats({4}, ones), b.floats({4}, ones),
                                     b.floats({4}, ones), b.floats({4}, ones)});
}

constexpr Margin around(int px) { return {px, px, px, px}; }

const std::vector<Case>& cases() {
  using enum Padding;
  static const std::vector<Case> all{
      {"valid convolutions", 1, around(2), valid, valid_convolutions},
      {"same convolutions", 1, around(3), same, same_convolutions},
      {"dilated", 1, around(3), same, dilated},
      {"looks up only", 1, {2, 0, 0, 0}, same, looks_up_only},
      {"even kernel", 1, {0, 1, 1, 2}, valid, even_kernel},
      {"wide valid", 1, {0, 2, 0, 2}, valid, wide_valid},
      {"auto_pad", 1, {1, 1, 2, 2}, same, auto_padded},
      {"grouped", 1, around(1), valid, grouped},
      {"upconv", 2, around(4), valid, upconv},
      {"padded upconv", 2, around(2), same, padded_upconv},
      {"odd deconv", 2, {0, 0, 1, 1}, same, odd_deconv},
      {"sub-pixel", 2, around(2), same, sub_pixel},
      {"nearest by middle", 3, around(1), same, nearest_by_middle},
      {"nearest by corner", 3, around(1), same, nearest_by_corner},
      {"up and down", 1, around(1), same, up_and_down},
      {"there and back", 1, around(2), valid, there_and_back},
      {"max pooled", 1, around(1), same, max_pooled},
      {"mean pooled", 1, {2, 1, 2, 1}, valid, mean_pooled},
      {"residual", 1, around(2), same, residual},
      {"branches", 1, around(2), same, branches},
      {"cropped skip", 1, around(1), valid, cropped_skip},
      {"padded first", 1, around(2), same, padded_first},
      {"reflected", 1, around(4), same, reflected},
      {"pixel by pixel", 1, around(0), same, pixel_by_pixel},
      {"normalised", 1, around(1), valid, normalised},
  };
  return all;
}

// Layers that crop what later ones pad: the frame of a tile that saw padding is wider than what a pixel sees.
std::string sliced(OnnxBuilder& b, const std::string& from, int px) {
  return b.op("Slice", {from, b.integers({px, px}), b.integers({-px, -px}), b.integers({2, 3})});
}
std::string cropped_then_padded(OnnxBuilder& b) { return b.conv(sliced(b, "input", 1), 3, 4, {.pads = {2, 2, 2, 2}}); }
std::string framed(OnnxBuilder& b) {
  return b.op("Pad", {sliced(b, "input", 2), b.integers({0, 0, 2, 2, 0, 0, 2, 2})});
}
std::string gap_at_the_end(OnnxBuilder& b) {
  const std::string t = b.deconv("input", 3, 4, {.kernel = {2, 2}, .strides = {3, 3}}, {1, 1});
  return b.conv(t, 4, 3, {.pads = {1, 1, 1, 1}});
}
std::string spread_over_channels(OnnxBuilder& b) {
  const std::string grey = b.conv("input", 3, 1, {.pads = {1, 1, 1, 1}});
  return b.op("Mul", {grey, b.floats({1, 3, 1, 1}, {0.5F, 1, 2})});
}

/// Their halo is wider than what one pixel moves; all else is promised of them too.
const std::vector<Case>& framed_cases() {
  using enum Padding;
  static const std::vector<Case> all{
      {"cropped, then padded", 1, around(2), same, cropped_then_padded},
      {"framed", 1, around(2), same, framed},
      {"gap at the end", 3, around(1), same, gap_at_the_end},
      {"spread over channels", 1, around(1), same, spread_over_channels},
  };
  return all;
}

std::vector<std::byte> built(const Case& each) {
  OnnxBuilder builder{3, 17};
  const std::string output = each.build(builder);
  return builder.build(output);
}

std::vector<Case> all_cases() {
  std::vector<Case> all = cases();
  all.insert(all.end(), framed_cases().begin(), framed_cases().end());
  return all;
}

TEST(Analysis, FindsScaleHaloAndPaddingOfEachKindOfLayer) {
  for (const Case& each : all_cases()) {
    SCOPED_TRACE(each.name);
    const ModelFacts facts = analyse(built(each), each.name);
    ASSERT_TRUE(facts.local) << facts.why_not_local;
    EXPECT_EQ(facts.geometry.scale, each.scale);
    EXPECT_EQ(facts.geometry.halo, each.halo) << facts.geometry.halo.top << ' ' << facts.geometry.halo.left << ' '
                                              << facts.geometry.halo.bottom << ' ' << facts.geometry.halo.right;
    EXPECT_EQ(facts.geometry.padding, each.padding);
    EXPECT_EQ(facts.input_name, "input");
    EXPECT_EQ(facts.input_channels, 3);
  }
}

/// Rows and columns of output pixels, in input pixels, that moved.
Rect moved(const testing::Planes& a, const testing::Planes& b, int scale) {
  int top = INT32_MAX;
  int left = INT32_MAX;
  int bottom = -1;
  int right = -1;
  for (int channel = 0; channel < a.channels; ++channel) {
    for (int y = 0; y < a.extent.height; ++y) {
      for (int x = 0; x < a.extent.width; ++x) {
        if (a.data[a.place(channel, y, x)] != b.data[b.place(channel, y, x)]) {
          top = std::min(top, y / scale);
          left = std::min(left, x / scale);
          bottom = std::max(bottom, y / scale);
          right = std::max(right, x / scale);
        }
      }
    }
  }
  return {top, left, bottom - top + 1, right - left + 1};
}

/// The promise behind the halo, without the analysis' own reasoning: change one input pixel, and see what moves.
TEST(Analysis, OnePixelMovesExactlyTheOutputThatTheHaloPromises) {
  const Engine engine;
  for (const Case& each : cases()) {
    SCOPED_TRACE(each.name);
    testing::OpenModel model{engine, built(each), each.name};
    const TileGeometry& geometry = model.facts.geometry;
    testing::Planes image = testing::noise(3, {41, 44});
    const testing::Planes before = testing::output_of(model.session, image);
    EXPECT_EQ(before.channels, model.facts.output_channels);
    EXPECT_EQ(before.extent, output_extent(geometry, Border::none, image.extent));
    constexpr int y = 20;
    constexpr int x = 23;
    for (int channel = 0; channel < 3; ++channel) {
      image.data[image.place(channel, y, x)] += 10;
    }
    const Rect found = moved(before, testing::output_of(model.session, image), geometry.scale);
    // Output pixel q belongs to input pixel q + inset, and sees [-top, +bottom] around it.
    const bool valid = geometry.padding == Padding::valid;
    const Rect promised{y - (valid ? geometry.halo.top : 0) - geometry.halo.bottom,
                        x - (valid ? geometry.halo.left : 0) - geometry.halo.right, geometry.halo.vertical() + 1,
                        geometry.halo.horizontal() + 1};
    EXPECT_TRUE(promised.contains(found)) << "an output pixel sees further than its halo";
    EXPECT_EQ(found, promised) << "the halo is larger than it need be";
  }
}

TEST(Analysis, TilesOfEachKindOfLayerEqualTheWholeBitByBit) {
  const Engine engine;
  for (const Case& each : all_cases()) {
    SCOPED_TRACE(each.name);
    testing::OpenModel model{engine, built(each), each.name};
    ASSERT_TRUE(model.facts.local) << model.facts.why_not_local;
    EXPECT_EQ(testing::output_of(model.session, testing::noise(3, {40, 40})).channels, model.facts.output_channels);
    const testing::Planes image = testing::noise(3, {75, 90}, 3);
    for (const Extent core : {Extent{32, 32}, Extent{33, 47}, Extent{64, 32}}) {
      EXPECT_EQ(testing::differing_samples(model.session, model.facts.geometry, image, core), 0U) << to_string(core);
    }
  }
}

TEST(Analysis, CountsTheWorkOfEachConvolutionAndTheBytesOfTheWeights) {
  const ModelFacts facts = analyse(built({"upconv", 2, around(4), Padding::valid, upconv}), "upconv");
  ASSERT_EQ(facts.layers.size(), 4U);
  EXPECT_EQ(facts.layers[0].macs_per_px, 3 * 8 * 9);
  EXPECT_EQ(facts.layers[0].shrink, (Extent{2, 2}));
  EXPECT_EQ(facts.layers[2].macs_per_px, 8 * 8 * 9);
  EXPECT_EQ(facts.layers[2].shrink, (Extent{6, 6}));
  // A transposed convolution works once per pixel of its input.
  EXPECT_EQ(facts.layers[3].macs_per_px, 8 * 3 * 16);
  EXPECT_EQ(facts.layers[3].numerator, 1);
  EXPECT_EQ(facts.layers[3].shrink, (Extent{6, 6}));
  EXPECT_EQ(facts.weights_bytes, 4U * (3 * 8 * 9 + 2 * 8 * 8 * 9 + 8 * 3 * 16));

  const ModelFacts dense = analyse(built({"nearest", 3, around(1), Padding::same, nearest_by_corner}), "nearest");
  ASSERT_EQ(dense.layers.size(), 1U);
  EXPECT_EQ(dense.layers[0].numerator, 3) << "nine pixels for each input pixel";
  EXPECT_EQ(dense.layers[0].shrink, (Extent{0, 0}));
}

std::string why_not_local(const std::function<std::string(OnnxBuilder&)>& build, std::int64_t opset = 17) {
  OnnxBuilder builder{3, opset};
  const std::string output = build(builder);
  const ModelFacts facts = analyse(builder.build(output), "model");
  EXPECT_FALSE(facts.local);
  return facts.why_not_local;
}

TEST(Analysis, NamesTheNodeThatLooksAtTheWholeImage) {
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) {
                const std::string t = b.conv("input", 3, 3, {.pads = {1, 1, 1, 1}, .strides = {2, 2}});
                return b.op("Mul", {t, b.op("Sigmoid", {b.op("GlobalAveragePool", {t})})});
              }),
              AllOf(HasSubstr("GlobalAveragePool 'GlobalAveragePool2'"), HasSubstr("whole image")))
      << "and not the stride before it";
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) {
                onnx::NodeProto& node = b.node("Softmax", {"input"});
                OnnxBuilder::set(node, "axis", std::int64_t{3});
                return node.output(0);
              }),
              HasSubstr("sums over the pixels"));
  EXPECT_THAT(why_not_local(
                  [](OnnxBuilder& b) {
                    onnx::NodeProto& node = b.node("Softmax", {"input"});
                    OnnxBuilder::set(node, "axis", std::int64_t{1});
                    return node.output(0);
                  },
                  11),
              HasSubstr("sums over the pixels"))
      << "before version 13, axis 1 meant all axes from 1 on";
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) {
                return b.op("Sub", {"input", b.op("ReduceMean", {"input"})});
              }),
              HasSubstr("reduces over the pixels"));
}

TEST(Analysis, RefusesWhatTilesCannotGiveExactly) {
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) {
                return b.conv("input", 3, 3, {.pads = {1, 1, 1, 1}, .strides = {2, 2}});
              }),
              HasSubstr("1/2 of the pixels"));
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) {
                return b.conv(b.conv("input", 3, 3, {.pads = {1, 1, 1, 1}}), 3, 3, {});
              }),
              HasSubstr("pads some layers and not others"));
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) {
                return b.conv("input", 3, 3, {.kernel = {3, 3}, .pads = {1, 0, 1, 0}});
              }),
              HasSubstr("pads along one axis and shrinks along the other"));
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) {
                return b.deconv("input", 3, 3, {.pads = {1, 1, 1, 1}, .strides = {2, 2}});
              }),
              HasSubstr("2·n − 1"));
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) {
                return b.op("Add", {"input", b.floats({1, 1, 8, 8}, std::vector<float>(64))});
              }),
              HasSubstr("map of fixed size"));
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) {
                onnx::NodeProto& node = b.node("Resize", {"input", "", b.floats({4}, {1, 1, 2, 2})});
                OnnxBuilder::set(node, "mode", "linear");
                OnnxBuilder::set(node, "coordinate_transformation_mode", "align_corners");
                return node.output(0);
              }),
              HasSubstr("interpolates (linear, align_corners)"));
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) {
                onnx::NodeProto& node = b.node("Resize", {"input", "", b.floats({4}, {1, 1, 3, 3})});
                OnnxBuilder::set(node, "mode", "linear");
                return node.output(0);
              }),
              HasSubstr("powers of two"));
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) {
                return b.op("Resize", {"input", "", b.floats({4}, {1, 1, 2, 3})});
              }),
              HasSubstr("height 2 times and the width 3 times"));
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) {
                return b.op("Resize", {"input", "", b.floats({4}, {1, 1, 1.5, 1.5})});
              }),
              HasSubstr("whole factors"));
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) {
                return b.op("Slice", {"input", b.integers({0}), b.integers({16}), b.integers({2})});
              }),
              HasSubstr("fixed place"));
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) { return nearest(b, "half_pixel", "floor"); }),
              HasSubstr("does not repeat each pixel"));
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) { return nearest(b, "pytorch_half_pixel", "ceil"); }),
              HasSubstr("does not repeat each pixel"));
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) { return b.op("Transpose", {"input"}); }),
              AllOf(HasSubstr("Transpose 'Transpose1'"), HasSubstr("rows and columns")));
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) { return b.op("Det", {"input"}); }),
              AllOf(HasSubstr("Det 'Det1'"), HasSubstr("cannot follow")));
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) {
                return b.op("Add", {"input", b.conv("input", 3, 3, {})});
              }),
              HasSubstr("different extents"));
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) {
                return b.op("Resize", {"input", "", "", b.op("Concat", {b.op("Shape", {"input"})})});
              }),
              HasSubstr("Resize 'Resize3'"));
}

TEST(Analysis, TakesFactorsOfAResizeAsTheyAreWritten) {
  for (const float scale : {2.0000002F, 2.000001F, 1.9999995F, 1.0000001F, 0.50000006F}) {
    for (const std::int64_t opset : {9, 17, 18}) {
      SCOPED_TRACE(::testing::Message() << scale << ", version " << opset);
      EXPECT_THAT(why_not_local(
                      [&](OnnxBuilder& b) {
                        const std::string from =
                            scale < 1 ? b.op("DepthToSpace", {b.conv("input", 3, 12, {.kernel = {1, 1}})}) : "input";
                        if (scale < 1) {
                          OnnxBuilder::set(*b.graph().mutable_node(1), "blocksize", std::int64_t{2});
                        }
                        if (opset == 9) {
                          return b.op("Upsample", {from, b.floats({4}, {1, 1, scale, scale})});
                        }
                        onnx::NodeProto& node = b.node("Resize", {from, "",
                                                                  opset == 17 ? b.floats({4}, {1, 1, scale, scale})
                                                                              : b.floats({2}, {scale, scale})});
                        if (opset == 18) {
                          OnnxBuilder::set(node, "axes", Ints{-2, 3});
                        }
                        OnnxBuilder::set(node, "mode", "linear");
                        return node.output(0);
                      },
                      opset),
                  HasSubstr("the engine takes it as written"));
    }
  }
}

std::string dropped_out(OnnxBuilder& b, const std::string& mode) {
  return b.op("Dropout", {"input", b.floats({}, {0.5F}), mode});
}
std::string truth(OnnxBuilder& b, bool value) {
  onnx::TensorProto& tensor = *b.graph().add_initializer();
  tensor.set_name("truth");
  tensor.set_data_type(onnx::TensorProto::BOOL);
  tensor.add_int32_data(value ? 1 : 0);
  return tensor.name();
}

TEST(Analysis, FollowsADropoutOnlyWhereItIsKnownNotToTrain) {
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) { return dropped_out(b, truth(b, true)); }),
              AllOf(HasSubstr("Dropout 'Dropout1'"), HasSubstr("training mode")));
  EXPECT_THAT(why_not_local([](OnnxBuilder& b) { return dropped_out(b, b.op("IsNaN", {b.floats({}, {0.0F})})); }),
              HasSubstr("training mode"))
      << "a constant that is not known without running it";
  for (const bool written : {false, true}) {
    OnnxBuilder b{3};
    const std::string output = written ? dropped_out(b, truth(b, false)) : b.op("Dropout", {"input"});
    const ModelFacts facts = analyse(b.build(output), "model");
    EXPECT_TRUE(facts.local) << facts.why_not_local;
  }
}

TEST(Analysis, NormalisesByConstantsOnly) {
  for (const char* op : {"LayerNormalization", "RMSNormalization"}) {
    for (const bool constant : {true, false}) {
      SCOPED_TRACE(::testing::Message() << op << constant);
      OnnxBuilder b{3};
      onnx::NodeProto& last = b.node("Transpose", {"input"});
      OnnxBuilder::set(last, "perm", Ints{0, 2, 3, 1});
      const std::string pixels = last.output(0);
      std::string scale = b.floats({3}, {1, 1, 1});
      if (!constant) {
        onnx::NodeProto& cast = b.node("Cast", {b.op("Gather", {b.op("Shape", {"input"}), b.integers({3})})});
        OnnxBuilder::set(cast, "to", std::int64_t{onnx::TensorProto::FLOAT});
        scale = b.op("Mul", {scale, cast.output(0)});
      }
      onnx::NodeProto& back = b.node("Transpose", {b.op(op, {pixels, scale})});
      OnnxBuilder::set(back, "perm", Ints{0, 3, 1, 2});
      const ModelFacts facts = analyse(b.build(back.output(0)), "model");
      EXPECT_EQ(facts.local, constant) << facts.why_not_local;
      EXPECT_THAT(facts.why_not_local, HasSubstr(constant ? "" : "which depends on the image"));
    }
  }
}

TEST(Analysis, MakesTilesLargerThanWhatIsMirrored) {
  OnnxBuilder b{3};
  onnx::NodeProto& node = b.node("Pad", {"input", b.integers({0, 0, 40, 40, 0, 0, 0, 0})});
  OnnxBuilder::set(node, "mode", "reflect");
  const Engine engine;
  const testing::OpenModel model{engine, b.build(b.conv(node.output(0), 3, 3, {.kernel = {41, 41}})), "mirrored"};
  ASSERT_TRUE(model.facts.local) << model.facts.why_not_local;
  EXPECT_EQ(model.facts.geometry.halo, (Margin{.top = 40, .left = 40, .bottom = 0, .right = 0}));
  EXPECT_EQ(model.facts.geometry.min_tile_px, 41);
  EXPECT_EQ(testing::differing_samples(model.session, model.facts.geometry, testing::noise(3, {96, 100}), {8, 8}), 0U);
}

TEST(Analysis, CountsWhatIsMirroredInPixelsOfTheImage) {
  OnnxBuilder b{3};
  const std::string half = b.pool("MaxPool", "input", {.kernel = {2, 2}, .strides = {2, 2}});
  onnx::NodeProto& node = b.node("Pad", {half, b.integers({0, 0, 0, 20, 0, 0, 0, 20})});
  OnnxBuilder::set(node, "mode", "reflect");
  const ModelFacts facts = analyse(b.build(b.conv(node.output(0), 3, 3, {.kernel = {1, 41}})), "mirrored");
  EXPECT_EQ(facts.geometry.min_tile_px, 41) << "21 px of half the width are 42, to which the alignment rounds";
}

std::string complaint(std::span<const std::byte> bytes) {
  try {
    const ModelFacts facts = analyse(bytes, "photo.onnx");
    return unfit(facts, "photo.onnx").value_or("accepted; " + facts.why_not_local);
  } catch (const UsageError& error) {
    return error.what();
  }
}

TEST(Analysis, SaysThatAFileIsNoModel) {
  EXPECT_THAT(complaint({}), AllOf(HasSubstr("photo.onnx is not an ONNX model"), HasSubstr("empty")));
  const std::string text = "definitely no model";
  EXPECT_THAT(complaint(std::as_bytes(std::span{text})), HasSubstr("photo.onnx is not an ONNX model"));
  OnnxBuilder builder{3};
  const auto model = builder.build(valid_convolutions(builder));
  for (std::size_t size = 0; size < model.size(); size += 97) {
    SCOPED_TRACE(size);
    EXPECT_THAT(complaint(std::span{model}.first(size)), HasSubstr("photo.onnx"));
  }
}

/// Bytes from outside: whatever is wrong in them, the answer is a refusal or facts, never a crash.
TEST(Analysis, SurvivesDamagedModels) {
  OnnxBuilder builder{3};
  const auto model = builder.build(upconv(builder));
  std::mt19937 random{5};
  for (int round = 0; round < 3000; ++round) {
    auto damaged = model;
    for (int flips = 0; flips < 3; ++flips) {
      damaged[random() % 1200 % damaged.size()] ^= static_cast<std::byte>(1U << (random() % 8));
    }
    (void)complaint(damaged);
  }
}

std::string complaint_about(const std::function<void(OnnxBuilder&, onnx::ModelProto&)>& change) {
  OnnxBuilder builder{3};
  builder.build(valid_convolutions(builder));
  change(builder, builder.model());
  return complaint(detail::serialized(builder.model()));
}

onnx::TensorShapeProto& input_shape(onnx::ModelProto& model) {
  return *model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
}

TEST(Analysis, SaysWhatAModelMustLookLike) {
  EXPECT_THAT(
      complaint_about([](OnnxBuilder&, onnx::ModelProto& m) { m.mutable_graph()->add_input()->set_name("mask"); }),
      HasSubstr("2 inputs (input, mask)"));
  EXPECT_THAT(
      complaint_about([](OnnxBuilder&, onnx::ModelProto& m) { m.mutable_graph()->add_output()->set_name("extra"); }),
      AllOf(HasSubstr("2 outputs"), HasSubstr("extra")));
  EXPECT_THAT(complaint_about([](OnnxBuilder&, onnx::ModelProto& m) { input_shape(m).mutable_dim()->RemoveLast(); }),
              HasSubstr("4 dimensions"));
  EXPECT_THAT(complaint_about([](OnnxBuilder&, onnx::ModelProto& m) {
                input_shape(m).mutable_dim(2)->set_dim_value(240);
                input_shape(m).mutable_dim(3)->set_dim_value(320);
              }),
              AllOf(HasSubstr("fixed size"), HasSubstr("3, 240, 320]")));
  EXPECT_THAT(
      complaint_about([](OnnxBuilder&, onnx::ModelProto& m) { input_shape(m).mutable_dim(1)->set_dim_param("C"); }),
      HasSubstr("number of channels"));
  EXPECT_THAT(complaint_about([](OnnxBuilder&, onnx::ModelProto& m) {
                m.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
                    onnx::TensorProto::FLOAT16);
              }),
              HasSubstr("not float32"));
}

TEST(Analysis, TakesWeightsThatAreListedAsInputsForWeights) {
  EXPECT_THAT(complaint_about([](OnnxBuilder&, onnx::ModelProto& m) {
                m.mutable_graph()->add_input()->set_name(m.graph().initializer(0).name());
              }),
              HasSubstr("accepted"));
}

TEST(Analysis, KnowsTheRepositorysModels) {
  const ModelFacts upscale = analyse(testing::sample_model("upscale2x.onnx"), "upscale2x.onnx");
  EXPECT_TRUE(upscale.local);
  EXPECT_EQ(upscale.geometry.scale, 2);
  EXPECT_EQ(upscale.geometry.halo, around(5));
  EXPECT_EQ(upscale.geometry.padding, Padding::valid);
  const ModelFacts sharpen = analyse(testing::sample_model("sharpen_y.onnx"), "sharpen_y.onnx");
  EXPECT_TRUE(sharpen.local);
  EXPECT_EQ(sharpen.geometry.halo, around(2));
  EXPECT_EQ(sharpen.geometry.padding, Padding::same);
  const ModelFacts light = analyse(testing::sample_model("light.onnx"), "light.onnx");
  EXPECT_TRUE(light.local);
  EXPECT_EQ(light.geometry.halo, around(1));
  const ModelFacts unet = analyse(testing::sample_model("unet.onnx"), "unet.onnx");
  EXPECT_TRUE(unet.local);
  EXPECT_EQ(unet.geometry.scale, 1);
  EXPECT_EQ(unet.geometry.alignment_px, 4);
}

/// As the table beside the models tells.
TEST(Analysis, KnowsOtherPeoplesModels) {
  const auto folder = testing::foreign_models();
  if (folder.empty()) {
    GTEST_SKIP() << "PANTILE_TEST_DATA names no folder with models";
  }
  struct Known {
    const char* file;
    int channels;
    int scale;
    int halo;
    Padding padding;
  };
  for (const Known& known :
       {Known{"waifu2x_upconv7_art_x2.onnx", 3, 2, 7, Padding::valid},
        Known{"waifu2x_upconv7_photo_x2.onnx", 3, 2, 7, Padding::valid},
        Known{"waifu2x_vgg7_art_noise1.onnx", 3, 1, 7, Padding::valid},
        Known{"espcn_y_x3.onnx", 1, 3, 5, Padding::same}, Known{"dncnn25_gray.onnx", 1, 1, 17, Padding::same}}) {
    SCOPED_TRACE(known.file);
    const ModelFacts facts = analyse(read_file(folder / known.file), known.file);
    ASSERT_TRUE(facts.local) << facts.why_not_local;
    EXPECT_EQ(facts.input_channels, known.channels);
    EXPECT_EQ(facts.output_channels, known.channels);
    EXPECT_EQ(facts.geometry.scale, known.scale);
    EXPECT_EQ(facts.geometry.halo, around(known.halo));
    EXPECT_EQ(facts.geometry.padding, known.padding);
  }
  EXPECT_THAT(complaint(read_file(folder / "ppocrv3_det.onnx")), HasSubstr("GlobalAveragePool"));
  EXPECT_THAT(complaint(read_file(folder / "squeezenet1_1.onnx")), HasSubstr("2 outputs (prob, features)"));
  EXPECT_THAT(complaint(read_file(folder / "sinet_portrait.onnx")), HasSubstr("fixed size [1, 3, 320, 320]"));
  EXPECT_THAT(complaint(read_file(folder / "ultraface_rfb320.onnx")), HasSubstr("fixed size [1, 3, 240, 320]"));
}

}  // namespace
}  // namespace pantile
