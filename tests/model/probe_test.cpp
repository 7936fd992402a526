#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/byte_size.hpp"
#include "model/onnx_builder.hpp"
#include "model/running.hpp"

namespace pantile {
namespace {

using testing::noise;
using testing::OnnxBuilder;
using testing::OpenModel;

/// Patches that look at each other: scores of batch × (height × width / patch²)² floats.
std::vector<std::byte> attention(std::int64_t patch = 8) {
  OnnxBuilder b{3};
  const std::string embedded = b.conv("input", 3, 16, {.kernel = {patch, patch}, .strides = {patch, patch}});
  const std::string shape = b.op("Shape", {embedded});
  const auto transposed = [&](const std::string& tensor) {
    onnx::NodeProto& node = b.node("Transpose", {tensor});
    OnnxBuilder::set(node, "perm", testing::Ints{0, 2, 1});
    return node.output(0);
  };
  const std::string columns = b.op("Reshape", {embedded, b.integers({0, 16, -1})});
  const std::string tokens = transposed(columns);
  onnx::NodeProto& scores = b.node("Softmax", {b.op("MatMul", {tokens, columns})});
  OnnxBuilder::set(scores, "axis", std::int64_t{-1});
  const std::string mixed = b.op("Add", {tokens, b.op("MatMul", {scores.output(0), tokens})});
  const std::string features = b.op("Reshape", {transposed(mixed), shape});
  onnx::NodeProto& pixels =
      b.node("DepthToSpace", {b.conv(features, 16, static_cast<int>(3 * patch * patch), {.kernel = {1, 1}})});
  OnnxBuilder::set(pixels, "blocksize", patch);
  return b.build(pixels.output(0));
}

/// Two convolutions, and what belongs to them.
std::vector<std::byte> convolutions() {
  OnnxBuilder b{3};
  return b.build(b.conv(b.op("Relu", {b.conv("input", 3, 48, {})}), 48, 3, {}));
}

/// The pixels that are not zero, counted: how many it allocates for depends on the picture.
std::vector<std::byte> counting() {
  OnnxBuilder b{3};
  const std::string above = b.op("Relu", {b.op("Sub", {b.conv("input", 3, 64, {}), b.floats({1}, {0.5F})})});
  const std::string found = b.op("NonZero", {above});
  const std::string shape = b.op("Shape", {found});
  const std::string sum = b.op("ReduceSum", {b.op("Cast", {shape})});
  for (auto& node : *b.graph().mutable_node()) {
    if (node.op_type() == "Cast") {
      OnnxBuilder::set(node, "to", std::int64_t{onnx::TensorProto::FLOAT});
    }
  }
  return b.build(b.op("Add", {b.conv("input", 3, 3, {}), sum}));
}

class ProbeTest : public ::testing::Test {
 protected:
  Engine engine_;
};

std::uint64_t measured(const Session& session, Extent extent, int batch) {
  const RunOutcome outcome = run_on_noise(session, extent, batch);
  EXPECT_TRUE(std::holds_alternative<Tensor>(outcome)) << testing::text_of(outcome);
  return std::holds_alternative<Tensor>(outcome) ? std::get<Tensor>(outcome).peak_bytes() : 0;
}

TEST_F(ProbeTest, PredictsBatchesAndAttentionToTheByte) {
  for (const auto& bytes : {attention(), convolutions(), testing::sample_model("upscale2x.onnx")}) {
    OpenModel model{engine_, bytes, "model"};
    const Probes probes = probe_footprint(model.session, {.alignment_px = 16, .for_batches = true});
    ASSERT_TRUE(probes.pattern.has_value());
    const Footprint footprint = footprint_of(probes);
    for (const Extent extent : {Extent{32, 352}, Extent{160, 160}, Extent{320, 256}}) {
      for (const int batch : {1, 2, 4}) {
        EXPECT_EQ(measured(model.session, extent, batch), footprint.expect_peak(extent, batch))
            << to_string(extent) << " × " << batch;
      }
    }
  }
}

TEST_F(ProbeTest, FindsThePatternOfPatchesOfFourteenPixels) {
  OpenModel model{engine_, attention(14), "model"};
  const Probes probes = probe_footprint(model.session, {.for_batches = true});
  ASSERT_TRUE(probes.pattern.has_value());
  EXPECT_EQ(probes.pattern->unit_px() % 14, 0);
  const Footprint footprint = footprint_of(probes);
  EXPECT_EQ(measured(model.session, {336, 280}, 2), footprint.expect_peak({336, 280}, 2));
  EXPECT_LE(measured(model.session, {336 + 13, 280 + 9}, 1), footprint.predict({336 + 13, 280 + 9})) << "in between";
}

TEST_F(ProbeTest, ProbesBatchesOnlyWhereTheyMatter) {
  OpenModel model{engine_, convolutions(), "model"};
  EXPECT_EQ(probe_footprint(model.session).samples.size(), 6U);
  const auto samples = probe_footprint(model.session, {.for_batches = true}).samples;
  EXPECT_EQ(samples.size(), 9U);
  EXPECT_TRUE(std::any_of(samples.begin(), samples.end(), [](const FootprintSample& sample) {
    return sample.input.width >= 4 * sample.input.height;
  })) << "one is a strip";
}

TEST_F(ProbeTest, RunsABatchAsItsImagesOneByOne) {
  OpenModel model{engine_, convolutions(), "model"};
  ASSERT_TRUE(model.session.takes_batches());
  std::vector<float> both;
  std::vector<float> expected;
  for (const unsigned seed : {1U, 2U}) {
    const auto image = noise(3, {40, 56}, seed);
    both.insert(both.end(), image.data.begin(), image.data.end());
    const auto output = testing::output_of(model.session, image);
    expected.insert(expected.end(), output.data.begin(), output.data.end());
  }
  const RunOutcome outcome = model.session.run(both, 3, {40, 56}, 2);
  ASSERT_TRUE(std::holds_alternative<Tensor>(outcome)) << testing::text_of(outcome);
  const auto data = std::get<Tensor>(outcome).data();
  EXPECT_TRUE(std::equal(data.begin(), data.end(), expected.begin(), expected.end()));
}

TEST_F(ProbeTest, ProbesSmallerWhereThereIsNoRoom) {
  OpenModel model{engine_, testing::sample_model("upscale2x.onnx"), "upscale2x"};
  const std::uint64_t open = model.meter.current();
  model.meter.set_cap(open + 3 * MiB / 2);
  model.meter.reset_peak();
  const Probes probes = probe_footprint(model.session);
  ASSERT_TRUE(probes.pattern.has_value());
  EXPECT_FALSE(probes.refused);
  EXPECT_LE(model.meter.peak(), open + 3 * MiB / 2);
  model.meter.set_cap(Meter::unlimited);
  EXPECT_EQ(measured(model.session, {137, 211}, 1), footprint_of(probes).expect_peak({137, 211}));
}

TEST_F(ProbeTest, FallsBackToTheFormulaWhereAllocationsDependOnThePicture) {
  OpenModel model{engine_, counting(), "counting"};
  const Probes probes = probe_footprint(model.session, {.for_batches = true});
  EXPECT_FALSE(probes.refused);
  const Footprint footprint = footprint_of(probes);
  ASSERT_TRUE(footprint.known());
  EXPECT_FALSE(footprint.pattern().has_value());
  for (const Extent extent : {Extent{200, 200}, Extent{64, 640}}) {
    EXPECT_LE(measured(model.session, extent, 1), footprint.predict(extent)) << to_string(extent);
  }
}

TEST_F(ProbeTest, ReturnsItsPagesAndChargesTheWeightsToTheSession) {
  OpenModel model{engine_, convolutions(), "model"};
  EXPECT_EQ(model.session.weights_bytes(), model.meter.current());
  probe_footprint(model.session, {.for_batches = true});
  EXPECT_EQ(model.session.weights_bytes(), model.meter.current());
}

}  // namespace
}  // namespace pantile
