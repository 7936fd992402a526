#include "config/identity.hpp"

#include <gmock/gmock.h>

#include "sample.hpp"

namespace pantile {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const IdentityFacts facts{.model_digests = {"0123abcd"}, .catalog_digest = "77ff", .further = {{"items", "38"}}};

std::string identity(const std::vector<std::string>& sets) { return identity_text(parse(minimal_job, sets), facts); }

TEST(Identity, HoldsTheKeysThatResultsDependOn) {
  EXPECT_EQ(identity({"pipeline.upscale.image.border=replicate"}), R"(input:
  - path: pages
    include: []
    exclude: []
part: all
pipeline:
  - id: upscale
    model: 0123abcd
    image:
      color: RGB
      scale: 1/255
      mean: 0
      std: 1
      border: replicate
      alpha: drop
    output:
      kind: image
      scale: 255
outputs:
  image:
    from: upscale
    dtype: u8
tiles:
  allow_inexact: false
limits:
  max_pixels: 268MP
  max_region_pixels: 4GP
  max_file_size: 256MiB
  max_region_file_size: 64GiB
  max_ratio: 1000
catalog: 77ff
items: 38
)");
}

TEST(Identity, DoesNotDependOnHowARunIsExecuted) {
  const std::string plain = identity({});
  for (const char* set :
       {"name=other", "output.dir=/elsewhere", "output.shard_size=1MiB", "output.seal_after=1s",
        "output.wait_for_space=0s", "tiles.size=64", "devices.memory.cap=1GiB", "devices.memory.leave=1GiB",
        "devices.jobs_per_device=3", "devices.use=[cpu]", "on_error.retries=9", "on_error.max_quarantine=1%",
        "schedule.policy=equal", "pipeline.upscale.model=/moved/m.onnx", "pipeline.upscale.image.scale=1/255"}) {
    EXPECT_EQ(identity({set}), plain) << set;
  }
}

TEST(Identity, DiffNamesEachKeyWithBothValues) {
  EXPECT_THAT(diff_identity(identity({}), identity({})), IsEmpty());
  EXPECT_THAT(diff_identity(identity({}), identity({"pipeline.upscale.image.scale=1/127"})),
              ElementsAre("pipeline.upscale.image.scale: 1/255 → 1/127", "pipeline.upscale.output.scale: 255 → 127"));
  EXPECT_THAT(
      diff_identity(identity({}), identity({"pipeline.upscale.image.border=none", "input.0.include=['*.png']"})),
      ElementsAre("input.0.include: [] → [*.png]", "pipeline.upscale.image.border: (absent) → none"));
}

TEST(Identity, DiffLooksAtTheMeaningNotTheText) {
  EXPECT_THAT(diff_identity("a: {b: 1, c: 2}\n", "# note\na:\n  c: 2\n  b: \"1\"\n"), IsEmpty());
  EXPECT_THAT(diff_identity("a: 1\nb: 2\n", "b: 2\n"), ElementsAre("a: 1 → (absent)"));
  EXPECT_THROW((void)diff_identity("a: [", "a: 1\n"), Error);
}

}  // namespace
}  // namespace pantile
