#include "app/job_facts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "base/byte_size.hpp"
#include "base/file.hpp"
#include "model/analysis.hpp"

namespace pantile::app {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(JobFacts, AModelThatFindsNoMemoryDoesNotRun) {
  const std::string problem =
      trial_problem("photo.onnx", OutOfMemory{.refused_bytes = 3 * MiB, .peak_bytes = 2 * MiB}, {}, {128, 160});
  EXPECT_THAT(problem, AllOf(HasSubstr("photo.onnx does not run"), HasSubstr("no memory"),
                             HasSubstr(format_byte_size(3 * MiB))));
  EXPECT_THAT(trial_problem("photo.onnx", EngineFailure{"odd"}, {}, {128, 160}), HasSubstr("does not run: odd"));
}

TEST(JobFacts, AModelThatGivesAnotherImageThanItsGraphPromisesIsAProblem) {
  const Bytes bytes = read_file(std::filesystem::path{PANTILE_SOURCE_DIR} / "tests/data/models" / "upscale2x.onnx");
  const ModelFacts facts = analyse(bytes, "sample");
  const Engine engine;
  Meter meter;
  SlabPool slabs{meter};
  const Session session{engine, slabs, bytes, "sample"};
  const Extent extent{128, 160};
  const std::vector<float> black(static_cast<std::size_t>(extent.area() * facts.input_channels));
  const RunOutcome outcome = session.run(black, facts.input_channels, extent);
  EXPECT_EQ(trial_problem("sample", outcome, facts, extent), "");

  ModelFacts larger = facts;
  ++larger.geometry.scale;
  EXPECT_THAT(trial_problem("sample", outcome, larger, extent), HasSubstr("its graph promises"));
  ModelFacts coloured = facts;
  ++coloured.output_channels;
  EXPECT_THAT(trial_problem("sample", outcome, coloured, extent), HasSubstr("its graph promises"));
}

}  // namespace
}  // namespace pantile::app
