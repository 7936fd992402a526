#include "run/calibrate.hpp"

#include <gtest/gtest.h>

#include "base/byte_size.hpp"
#include "base/file.hpp"
#include "device/slab.hpp"
#include "model/engine.hpp"

namespace pantile {
namespace {

/// The sample upscaler, opened.
class CalibrateTest : public ::testing::Test {
 protected:
  Engine engine_;
  Bytes bytes_ = read_file(PANTILE_SOURCE_DIR "/tests/data/models/upscale2x.onnx");
  Meter meter_;
  SlabPool slabs_{meter_};
  Session session_{engine_, slabs_, bytes_, "upscale2x.onnx"};
  CalibrationKey key_{xxh3_128(bytes_), precision_f32, "cpu:test", engine_.name()};

  Calibration probed(std::span<const Calibration> known = {}) { return calibrate(session_, key_, known, {}); }
};

TEST_F(CalibrateTest, SaysWhatItFoundOut) {
  const Calibration calibration = probed();
  EXPECT_EQ(calibration.key, key_);
  EXPECT_EQ(calibration.weights_bytes, session_.weights_bytes());
  EXPECT_EQ(calibration.probes.size(), 6U);
  EXPECT_FALSE(calibration.is_cut_short);
  EXPECT_EQ(calibration.footprint.expect_peak({137, 211}), session_.planned_peak({137, 211}));
}

TEST_F(CalibrateTest, TakesWhatIsKnownAsItIs) {
  Calibration known = probed();
  known.weights_bytes = 4711;  // Nobody would find that out.
  known.footprint.observe({100, 100}, 1, GiB);
  session_.plan_with({});
  EXPECT_EQ(probed(std::vector{known}), known);
  EXPECT_TRUE(session_.planned_peak({64, 64}).has_value()) << "the session plans with it";
}

TEST_F(CalibrateTest, RunsOneOfTheProbesOnlyIfTheRestIsKnown) {
  const Calibration known = probed();
  const std::uint64_t open = meter_.current();
  meter_.set_cap(open + 3 * known.probes.front().peak_bytes / 2);  // The other probes would be refused.
  const Calibration again = probed(std::vector{known});
  EXPECT_EQ(again, known);
  EXPECT_NE(probed(), known);
}

TEST_F(CalibrateTest, DoesNotTrustWhatIsOfAnotherModelDeviceOrEngine) {
  Calibration known = probed();
  const Calibration fresh = known;
  known.weights_bytes = 4711;
  for (const auto& change : {+[](CalibrationKey& key) {
                               key.model = {1, 2};
                             },
                             +[](CalibrationKey& key) { key.precision = "f16"; },
                             +[](CalibrationKey& key) { key.device_class = "cpu:other"; },
                             +[](CalibrationKey& key) { key.engine = "ONNX Runtime 1.2.3"; }}) {
    Calibration foreign = known;
    change(foreign.key);
    EXPECT_EQ(probed(std::vector{foreign}), fresh);
    EXPECT_EQ(probed(std::vector{foreign, known}), known) << "the right one is found among others";
  }
}

TEST_F(CalibrateTest, ProbesAnewWhereWhatIsKnownIsNotTrueAnyMore) {
  const Calibration fresh = probed();
  std::vector<AllocationPattern::Block> blocks = fresh.footprint.pattern()->pattern();
  blocks[1].growth.factors[1] *= 2;
  Calibration wrong = fresh;
  wrong.footprint = Footprint{AllocationPattern{fresh.footprint.pattern()->unit_px(), blocks}};
  EXPECT_EQ(probed(std::vector{wrong}), fresh);
  Calibration empty = fresh;
  empty.footprint = {};
  EXPECT_EQ(probed(std::vector{empty}), fresh);
}

TEST_F(CalibrateTest, SaysWhenMemoryCutItShort) {
  meter_.set_cap(meter_.current() + 400 * KiB);
  const Calibration calibration = probed();
  EXPECT_TRUE(calibration.is_cut_short);
}

}  // namespace
}  // namespace pantile
