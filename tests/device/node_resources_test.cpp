#include "device/node_resources.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pantile {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(NodeResources, CoresThatAllMayUseAreSharedAlike) {
  EXPECT_THAT(deal_cores({{.cores = {0, 1, 2, 3, 4, 5, 6}, .gpus = {}}, {.cores = {0, 1, 2, 3, 4, 5, 6}, .gpus = {}}}),
              ElementsAre(4, 3));
}

TEST(NodeResources, CoresOfItsOwnAreAWorkersAlone) {
  // As srun binds its tasks: these were divided once already.
  EXPECT_THAT(deal_cores({{.cores = {0, 1}, .gpus = {}}, {.cores = {2, 3}, .gpus = {}}}), ElementsAre(2, 2));
  EXPECT_THAT(deal_cores({{.cores = {0, 1, 2, 3}, .gpus = {}}, {.cores = {3}, .gpus = {}}}), ElementsAre(3, 1))
      << "the fourth goes to who has nothing else";
}

TEST(NodeResources, NobodyHasLessThanACore) {
  EXPECT_THAT(deal_cores({{.cores = {5}, .gpus = {}}, {.cores = {5}, .gpus = {}}, {.cores = {5}, .gpus = {}}}),
              ElementsAre(1, 1, 1));
}

TEST(NodeResources, GpusAreThoseThatCudaWouldShow) {
  EXPECT_THAT(visible_gpus(nullptr, 3), ElementsAre("gpu0", "gpu1", "gpu2"));
  EXPECT_THAT(visible_gpus("2,0", 3), ElementsAre("gpu2", "gpu0"));
  EXPECT_THAT(visible_gpus("1", 2), ElementsAre("gpu1"));
  EXPECT_THAT(visible_gpus("", 2), IsEmpty());
  EXPECT_THAT(visible_gpus("-1", 2), IsEmpty());
  EXPECT_THAT(visible_gpus("NoDevFiles", 2), IsEmpty());
  EXPECT_THAT(visible_gpus("0,7,1", 2), ElementsAre("gpu0")) << "CUDA stops at what it does not know";
  EXPECT_THAT(visible_gpus("GPU-5b1f,GPU-77aa", 2), ElementsAre("gpu0", "gpu1"));
  EXPECT_THAT(visible_gpus("MIG-5b1f,MIG-77aa", 2), ElementsAre("gpu0", "gpu1"));
  EXPECT_THAT(visible_gpus(nullptr, 0), IsEmpty());
}

TEST(NodeResources, EachWorkerHasADeviceAndEachGpuOneWorker) {
  const NodeResources both{.cores = {0}, .gpus = {"gpu0", "gpu1"}};
  EXPECT_THAT(deal_devices({both, both, both}), ElementsAre("gpu0", "gpu1", "cpu2"));
  EXPECT_THAT(deal_devices({{.cores = {0}, .gpus = {}}, {.cores = {0}, .gpus = {}}}), ElementsAre("cpu0", "cpu1"));
}

TEST(NodeResources, AWorkersOwnGpuIsItsDevice) {
  // As Slurm binds them: each task sees one.
  EXPECT_THAT(deal_devices({{.cores = {0}, .gpus = {"gpu3"}}, {.cores = {0}, .gpus = {"gpu1"}}}),
              ElementsAre("gpu3", "gpu1"));
}

}  // namespace
}  // namespace pantile
