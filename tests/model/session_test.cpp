#include "model/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "base/byte_size.hpp"
#include "base/error.hpp"
#include "device/process_memory.hpp"
#include "device/sanitizer.hpp"
#include "model/onnx_builder.hpp"
#include "model/running.hpp"

namespace pantile {
namespace {

using ::testing::HasSubstr;
using testing::noise;
using testing::OnnxBuilder;
using testing::OpenModel;
using testing::output_of;
using testing::run;

/// upconv7's shape with random weights: channels grow from layer to layer, which is hard on first fit.
std::vector<std::byte> growing_upconv() {
  OnnxBuilder b{3};
  std::string t = "input";
  int from = 3;
  for (const int to : {16, 32, 64, 96, 96, 128}) {
    t = b.op("LeakyRelu", {b.conv(t, from, to, {})});
    from = to;
  }
  return b.build(b.deconv(t, from, 3, {.kernel = {4, 4}, .pads = {3, 3, 3, 3}, .strides = {2, 2}}));
}

/// A residual network that pads: three tensors are alive at once.
std::vector<std::byte> residual_network() {
  OnnxBuilder b{3};
  std::string t = b.conv("input", 3, 32, {.pads = {1, 1, 1, 1}});
  for (int block = 0; block < 3; ++block) {
    const std::string inner = b.op("Relu", {b.conv(t, 32, 32, {.pads = {1, 1, 1, 1}})});
    t = b.op("Add", {t, b.conv(inner, 32, 32, {.pads = {1, 1, 1, 1}})});
  }
  onnx::NodeProto& up = b.node("DepthToSpace", {b.conv(t, 32, 12, {.pads = {1, 1, 1, 1}})});
  OnnxBuilder::set(up, "blocksize", std::int64_t{2});
  return b.build(up.output(0));
}

class SessionTest : public ::testing::Test {
 protected:
  Engine engine_;
};

TEST_F(SessionTest, GivesTheBytesBackWhenItsOutputEnds) {
  OpenModel model{engine_, growing_upconv(), "upconv"};
  const std::uint64_t open = model.meter.current();
  {
    const RunOutcome outcome = run(model.session, noise(3, {64, 80}));
    const auto* output = std::get_if<Tensor>(&outcome);
    ASSERT_NE(output, nullptr) << testing::text_of(outcome);
    EXPECT_EQ(output->extent(), (Extent{100, 132}));
    EXPECT_EQ(output->channels(), 3);
    EXPECT_EQ(output->plane(2).data(), output->data().data() + 2 * 100 * 132);
    EXPECT_GE(model.meter.current(), open + output->data().size_bytes());
    EXPECT_EQ(model.meter.peak() - open, output->peak_bytes());
  }
  model.slabs.trim_idle();
  EXPECT_EQ(model.meter.current(), open);
}

TEST_F(SessionTest, LeavesNothingChargedOnceItIsClosed) {
  Meter meter;
  SlabPool slabs{meter};
  {
    Session session{engine_, slabs, growing_upconv(), "upconv"};
    EXPECT_GT(meter.current(), 0U) << "weights are charged";
    const std::uint64_t open = meter.current();
    for (const Extent extent :
         {Extent{20, 20}, Extent{90, 40}}) {  // small blocks lie on the heap, large ones in the slab
      EXPECT_TRUE(std::holds_alternative<Tensor>(run(session, noise(3, extent))));
      slabs.trim_idle();
      EXPECT_EQ(meter.current(), open) << to_string(extent);
    }
  }
  EXPECT_EQ(meter.current(), 0U);
}

/// A refusal at any depth of the run is clean: nothing leaks, and the session goes on as if nothing had been.
TEST_F(SessionTest, SurvivesARefusalAtAnyOfItsAllocations) {
  for (const auto& bytes : {growing_upconv(), residual_network()}) {
    OpenModel model{engine_, bytes, "model"};
    const auto image = noise(3, {72, 96});
    const std::uint64_t open = model.meter.current();
    const testing::Planes expected = output_of(model.session, image);
    model.slabs.trim_idle();
    const std::uint64_t need = model.meter.peak() - open;
    constexpr std::uint64_t caps = 150;
    std::size_t refused = 0;
    for (std::uint64_t step = 0; step <= caps; ++step) {
      SCOPED_TRACE("cap " + std::to_string(step) + "/" + std::to_string(caps) + " of the need");
      model.meter.set_cap(open + need * step / caps);
      model.meter.reset_peak();
      {
        const RunOutcome outcome = run(model.session, image);
        EXPECT_LE(model.meter.peak(), model.meter.cap());
        if (const auto* full = std::get_if<OutOfMemory>(&outcome)) {
          ++refused;
          EXPECT_GT(full->refused_bytes, 0U);
          EXPECT_LE(full->peak_bytes, need);
        } else {
          EXPECT_EQ(step, caps) << testing::text_of(outcome);
        }
      }
      model.slabs.trim_idle();
      ASSERT_EQ(model.meter.current(), open);
    }
    EXPECT_EQ(refused, caps);
    model.meter.set_cap(Meter::unlimited);
    EXPECT_EQ(output_of(model.session, image).data, expected.data);
  }
}

TEST_F(SessionTest, RunsASmallerTileWhereALargerOneDidNotFit) {
  OpenModel model{engine_, growing_upconv(), "upconv"};
  probe_footprint(model.session);
  model.meter.set_cap(model.meter.current() + model.session.planned_peak({64, 64}).value());
  EXPECT_TRUE(std::holds_alternative<OutOfMemory>(run(model.session, noise(3, {96, 96}))));
  EXPECT_TRUE(std::holds_alternative<Tensor>(run(model.session, noise(3, {64, 64}))));
}

TEST_F(SessionTest, PlansItsMemoryToTheByteForExtentsThatItNeverRan) {
  for (const auto& bytes : {growing_upconv(), residual_network(), testing::sample_model("upscale2x.onnx"),
                            testing::sample_model("sharpen_y.onnx")}) {
    OpenModel model{engine_, bytes, "model"};
    const int channels = model.session.input_channels();
    const auto samples = probe_footprint(model.session).samples;
    ASSERT_GE(samples.size(), 5U);
    for (const Extent extent : {Extent{30, 33}, Extent{48, 48}, Extent{137, 211}, Extent{256, 40}, Extent{200, 200}}) {
      SCOPED_TRACE(to_string(extent));
      const auto planned = model.session.planned_peak(extent);
      ASSERT_TRUE(planned.has_value());
      const RunOutcome outcome = run(model.session, noise(channels, extent));
      ASSERT_TRUE(std::holds_alternative<Tensor>(outcome)) << testing::text_of(outcome);
      EXPECT_EQ(std::get<Tensor>(outcome).peak_bytes(), *planned);
    }
  }
}

TEST_F(SessionTest, WastesLessMemoryOnceItKnowsItsPattern) {
  OpenModel model{engine_, growing_upconv(), "upconv"};
  const auto image = noise(3, {192, 192});
  const auto peak = [&] { return std::get<Tensor>(run(model.session, image)).peak_bytes(); };
  const std::uint64_t first_fit = peak();
  probe_footprint(model.session);
  EXPECT_LT(static_cast<double>(peak()), 0.9 * static_cast<double>(first_fit));
}

TEST_F(SessionTest, ProbesUnderTheCapAndSaysOnlyWhatFitted) {
  OpenModel model{engine_, growing_upconv(), "upconv"};
  const std::uint64_t open = model.meter.current();
  model.meter.set_cap(open + MiB);
  model.meter.reset_peak();
  const auto samples = probe_footprint(model.session).samples;
  EXPECT_LE(model.meter.peak(), open + MiB);
  EXPECT_EQ(model.meter.current(), open);
  ASSERT_FALSE(samples.empty());
  EXPECT_LT(samples.size(), 6U);
  EXPECT_FALSE(model.session.planned_peak({64, 64}).has_value());
  model.meter.set_cap(open);
  EXPECT_TRUE(probe_footprint(model.session).samples.empty());
}

TEST_F(SessionTest, GivesTheSameBitsToConcurrentLanes) {
  OpenModel model{engine_, growing_upconv(), "upconv"};
  probe_footprint(model.session);
  const std::uint64_t open = model.meter.current();
  model.meter.reset_peak();
  const auto image = noise(3, {80, 72});
  const testing::Planes expected = output_of(model.session, image);
  std::atomic<int> wrong{0};
  std::vector<std::thread> lanes;
  for (int lane = 0; lane < 2; ++lane) {
    lanes.emplace_back([&] {
      for (int round = 0; round < 8; ++round) {
        const RunOutcome outcome = run(model.session, image);
        const auto* output = std::get_if<Tensor>(&outcome);
        wrong += output != nullptr && std::equal(output->data().begin(), output->data().end(), expected.data.begin())
                     ? 0
                     : 1;
      }
    });
  }
  for (auto& lane : lanes) {
    lane.join();
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(model.meter.peak(), open + 2 * *model.session.planned_peak(image.extent)) << "one slab a lane";
  model.slabs.trim_idle();
  EXPECT_EQ(model.meter.current(), open);
}

TEST_F(SessionTest, LanesUnderOneCapFailAloneAndLeakNothing) {
  OpenModel model{engine_, growing_upconv(), "upconv"};
  probe_footprint(model.session);
  const std::uint64_t open = model.meter.current();
  const auto image = noise(3, {80, 80});
  const std::uint64_t need = *model.session.planned_peak(image.extent);
  model.meter.set_cap(open + need + need / 2);
  model.meter.reset_peak();
  std::atomic<int> done{0};
  std::atomic<int> other{0};
  std::vector<std::thread> lanes;
  for (int lane = 0; lane < 3; ++lane) {
    lanes.emplace_back([&] {
      for (int round = 0; round < 6; ++round) {
        const RunOutcome outcome = run(model.session, image);
        done += std::holds_alternative<Tensor>(outcome) ? 1 : 0;
        other += std::holds_alternative<EngineFailure>(outcome) ? 1 : 0;
      }
    });
  }
  for (auto& lane : lanes) {
    lane.join();
  }
  EXPECT_EQ(other, 0);
  EXPECT_LE(model.meter.peak(), model.meter.cap());
  model.slabs.trim_idle();
  EXPECT_EQ(model.meter.current(), open);
  EXPECT_TRUE(std::holds_alternative<Tensor>(run(model.session, image))) << done;
}

TEST_F(SessionTest, TakesThePagesOfIdleLanesBeforeItFails) {
  OpenModel model{engine_, growing_upconv(), "upconv"};
  probe_footprint(model.session);
  const auto image = noise(3, {80, 80});
  {
    const RunOutcome first = run(model.session, image);
    const RunOutcome second = run(model.session, image);  // the first output still holds the first slab
    ASSERT_TRUE(std::holds_alternative<Tensor>(second));
  }
  model.meter.set_cap(model.meter.current());
  EXPECT_TRUE(std::holds_alternative<Tensor>(run(model.session, noise(3, {100, 100}))))
      << "the other lane's pages were not given up";
}

TEST_F(SessionTest, TellsAFailureOfTheModelFromAFullMemory) {
  OpenModel model{engine_, growing_upconv(), "upconv.onnx"};
  const RunOutcome outcome = run(model.session, noise(3, {8, 8}));  // smaller than the kernels need
  const auto* failure = std::get_if<EngineFailure>(&outcome);
  ASSERT_NE(failure, nullptr) << testing::text_of(outcome);
  EXPECT_THAT(failure->text, HasSubstr("upconv.onnx"));
  EXPECT_TRUE(std::holds_alternative<Tensor>(run(model.session, noise(3, {32, 32}))));
}

TEST_F(SessionTest, SaysWhyAModelCannotBeOpened) {
  Meter meter;
  SlabPool slabs{meter};
  OnnxBuilder builder{3};
  const auto bytes = builder.build(builder.op("NoSuchOperator", {"input"}));
  try {
    const Session session{engine_, slabs, bytes, "odd.onnx"};
    FAIL() << "it opened";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("odd.onnx"));
    EXPECT_THAT(error.what(), HasSubstr("NoSuchOperator"));
  }
  EXPECT_EQ(meter.current(), 0U);
}

TEST_F(SessionTest, SaysWhenTheWeightsDoNotFitUnderTheCap) {
  Meter meter{1};
  SlabPool slabs{meter};
  try {
    const Session session{engine_, slabs, growing_upconv(), "big.onnx"};
    FAIL() << "it opened";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("big.onnx does not fit"));
  }
  EXPECT_EQ(meter.current(), 0U);
}

/// The cap counts resident pages. What the meter does not see must not grow with tiles.
TEST_F(SessionTest, KeepsItsResidentSizeAtWhatTheMeterSays) {
  if (testing::has_shadow_memory) {
    GTEST_SKIP() << "a sanitizer's shadow memory is resident too";
  }
  OpenModel model{engine_, growing_upconv(), "upconv"};
  probe_footprint(model.session);
  std::vector<MeteredBuffer> inputs;
  for (const int side : {200, 64, 150, 201, 40, 180}) {
    const Extent extent{side, side};
    inputs.emplace_back(model.meter, static_cast<std::size_t>(extent.area()) * 3 * sizeof(float));
    std::fill(inputs.back().floats().begin(), inputs.back().floats().end(), 0.5F);
  }
  model.slabs.trim_idle();
  const std::uint64_t base = unmetered_bytes(model.meter);
  for (int round = 0; round < 2; ++round) {
    for (MeteredBuffer& input : inputs) {
      const int side = static_cast<int>(std::lround(std::sqrt(input.floats().size() / 3)));
      ASSERT_TRUE(std::holds_alternative<Tensor>(model.session.run(input.floats(), 3, {side, side})));
      EXPECT_LE(resident_bytes(), base + model.meter.current() + 2 * MiB) << side;
    }
  }
}

/// The central promise, on models of other people: tiles equal the whole, bit by bit.
TEST_F(SessionTest, TilesOfOtherPeoplesModelsEqualTheWhole) {
  const auto folder = testing::foreign_models();
  if (folder.empty()) {
    GTEST_SKIP() << "PANTILE_TEST_DATA names no folder with models";
  }
  for (const char* file :
       {"waifu2x_upconv7_art_x2.onnx", "waifu2x_vgg7_art_noise1.onnx", "espcn_y_x3.onnx", "dncnn25_gray.onnx"}) {
    OpenModel model{engine_, read_file(folder / file), file};
    probe_footprint(model.session);
    const auto image = noise(model.facts.input_channels, {100, 120}, 9);
    for (const Extent core : {Extent{32, 32}, Extent{45, 33}, Extent{64, 120}}) {
      EXPECT_EQ(testing::differing_samples(model.session, model.facts.geometry, image, core), 0U)
          << file << ' ' << to_string(core);
    }
  }
}

TEST_F(SessionTest, TilesOfTheRepositorysModelsEqualTheWhole) {
  for (const char* file : {"upscale2x.onnx", "sharpen_y.onnx", "light.onnx"}) {
    OpenModel model{engine_, testing::sample_model(file), file};
    const auto image = noise(model.facts.input_channels, {130, 101}, 9);
    for (const Extent core : {Extent{32, 32}, Extent{45, 33}, Extent{64, 130}}) {
      EXPECT_EQ(testing::differing_samples(model.session, model.facts.geometry, image, core), 0U)
          << file << ' ' << to_string(core);
    }
  }
}

}  // namespace
}  // namespace pantile
