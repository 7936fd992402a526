#include "app/findings.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "app/machine_facts.hpp"
#include "base/byte_size.hpp"

namespace pantile::app {
namespace {

using enum Severity;

Severity of(const Finding& finding) {
  // Whatever is not fine says why that matters.
  EXPECT_EQ(finding.severity == ok, finding.why.empty()) << finding.found;
  EXPECT_FALSE(finding.check.empty());
  EXPECT_FALSE(finding.found.empty());
  return finding.severity;
}

Severity worst(const std::vector<Finding>& findings) {
  Severity result = ok;
  for (const Finding& finding : findings) {
    result = std::max(result, of(finding));
  }
  return result;
}

DiskFacts good_disk() {
  DiskFacts disk;
  disk.path = "out";
  disk.tried = "/data";
  disk.total = 100 * GiB;
  disk.free = 50 * GiB;
  disk.free_files = 1'000'000;
  disk.kind = "ext4";
  disk.bytes_per_s = 2e8;
  return disk;
}

template <class Change>
Severity disk(Change change) {
  DiskFacts facts = good_disk();
  change(facts);
  return of(judge(facts));
}

TEST(Findings, OfADisk) {
  EXPECT_EQ(disk([](DiskFacts&) {}), ok);
  EXPECT_EQ(disk([](DiskFacts& d) { d.free = 12 * MiB; }), problem) << "full";
  EXPECT_EQ(disk([](DiskFacts& d) { d.free = 500 * MiB; }), warning) << "nearly full";
  EXPECT_EQ(disk([](DiskFacts& d) { d.free_files = 3; }), problem) << "no inodes";
  EXPECT_EQ(disk([](DiskFacts& d) { d.free_files = 500; }), warning);
  EXPECT_EQ(disk([](DiskFacts& d) { d.free_files.reset(); }), ok) << "btrfs counts none";
  EXPECT_EQ(disk([](DiskFacts& d) { d.failed = "cannot make a file in /data: Permission denied"; }), problem);
  EXPECT_EQ(disk([](DiskFacts& d) { d.locks = false; }), problem);
  EXPECT_EQ(disk([](DiskFacts& d) { d.kind = "tmpfs"; }), warning);
  EXPECT_EQ(disk([](DiskFacts& d) { d.kind = "nfs"; }), note);
  EXPECT_EQ(disk([](DiskFacts& d) { d.kind = "overlay"; }), note);
  EXPECT_EQ(disk([](DiskFacts& d) { d.bytes_per_s = 1e6; }), warning);
  EXPECT_EQ(disk([](DiskFacts& d) { d.clock_ahead_s = -60; }), warning);
}

TEST(Findings, OfTheEngine) {
  EXPECT_EQ(of(judge(EngineFacts{"1.31.1", "/lib/libonnxruntime.so", ""})), ok);
  const Finding none = judge(EngineFacts{"", "", "ONNX Runtime was not found"});
  EXPECT_EQ(of(none), problem);
  EXPECT_NE(none.attempt.find("PANTILE_ORT_LIB"), std::string::npos);
}

TEST(Findings, OfTheCodecs) {
  const Finding there = judge(CodecFacts{"/lib/libpantile_imgcodecs.so", ""});
  EXPECT_EQ(of(there), ok);
  EXPECT_EQ(there.found, "/lib/libpantile_imgcodecs.so");
  const Finding none = judge(CodecFacts{"", "libpantile_imgcodecs.so cannot be opened"});
  EXPECT_EQ(of(none), problem);
  EXPECT_EQ(none.check, "codecs");
  EXPECT_EQ(none.why, "BMP, Sun raster and JPEG 2000 cannot be read");
  EXPECT_NE(none.attempt.find("PANTILE_IMGCODECS_LIB"), std::string::npos);
}

TEST(Findings, OfHdf5) {
  EXPECT_EQ(of(judge(Hdf5Facts{"1.10.8", "1.10.8", false})), ok);
  EXPECT_EQ(of(judge(Hdf5Facts{"1.14.0", "1.10.8", false})), warning);
  EXPECT_EQ(of(judge(Hdf5Facts{"1.10.8", "1.10.8", true})), note);
}

MpiFacts mpi(MpiFacts::Start start) {
  MpiFacts facts;
  facts.library = "Open MPI v4.1.4";
  facts.start = start;
  facts.words = "There are not enough slots";
  return facts;
}

TEST(Findings, OfMpi) {
  EXPECT_EQ(of(judge(mpi(MpiFacts::Start::works))), ok);
  EXPECT_EQ(of(judge(mpi(MpiFacts::Start::missing))), warning) << "one process does without";
  EXPECT_EQ(of(judge(mpi(MpiFacts::Start::late))), warning);
  EXPECT_EQ(of(judge(mpi(MpiFacts::Start::alone))), problem);
  const Finding failed = judge(mpi(MpiFacts::Start::failed));
  EXPECT_EQ(of(failed), problem);
  EXPECT_NE(failed.found.find("not enough slots"), std::string::npos);
  MpiFacts inside = mpi(MpiFacts::Start::not_tried);
  inside.inside_rank = true;
  EXPECT_EQ(of(judge(inside)), note);
  MpiFacts root = mpi(MpiFacts::Start::works);
  root.root = true;
  EXPECT_NE(judge(root).found.find("OMPI_ALLOW_RUN_AS_ROOT=1"), std::string::npos);
}

TEST(Findings, OfTheCores) {
  EXPECT_EQ(of(judge(CpuFacts{"cpu:avx512", 8, 8, {}})), ok);
  EXPECT_EQ(of(judge(CpuFacts{"cpu:avx512", 2, 8, {}})), note);
  EXPECT_EQ(of(judge(CpuFacts{"cpu:base", 8, 8, {}})), warning);
  EXPECT_EQ(of(judge(CpuFacts{"cpu:avx2", 8, 8, 8.0})), ok);
  const Finding held = judge(CpuFacts{"cpu:avx2", 8, 8, 2.0});
  EXPECT_EQ(of(held), warning);
  EXPECT_NE(held.attempt.find("taskset -c 0-1 "), std::string::npos);
}

TEST(Findings, OfMemory) {
  EXPECT_EQ(of(judge(MemoryFacts{8 * GiB, "MemTotal", 7 * GiB})), ok);
  EXPECT_EQ(of(judge(MemoryFacts{8 * GiB, "MemTotal", 2 * GiB})), warning) << "others hold it";
  EXPECT_EQ(of(judge(MemoryFacts{256 * MiB, "cgroup", 250 * MiB})), warning);
  EXPECT_EQ(of(judge(CapFacts{"cap 80%", 6 * GiB, 7 * GiB})), ok);
  EXPECT_EQ(of(judge(CapFacts{"cap 80%", 6 * GiB, 5 * GiB})), warning);
  EXPECT_EQ(of(judge(CapFacts{"leave 8GiB", 0, 5 * GiB})), problem);
}

TEST(Findings, OfLimits) {
  EXPECT_EQ(worst(judge(LimitFacts{{}, {}})), ok);
  EXPECT_EQ(worst(judge(LimitFacts{1024, {}})), ok);
  EXPECT_EQ(worst(judge(LimitFacts{256, {}})), warning);
  EXPECT_EQ(worst(judge(LimitFacts{24, {}})), problem);
  EXPECT_EQ(worst(judge(LimitFacts{1024, 4 * GiB})), warning);
  EXPECT_EQ(worst(judge(LimitFacts{1024, 500 * MiB})), problem);
}

TEST(Findings, OfConfinement) {
  EXPECT_EQ(of(judge(ConfinementFacts{})), ok);
  EXPECT_EQ(of(judge(ConfinementFacts{"Function not implemented"})), warning);
}

TEST(Findings, OfSharedMemory) {
  EXPECT_EQ(of(judge(SharedMemoryFacts{true, 8 * GiB, 8 * GiB})), ok);
  const Finding container = judge(SharedMemoryFacts{true, 64 * MiB, 64 * MiB});
  EXPECT_EQ(of(container), warning);
  EXPECT_NE(container.attempt.find("--shm-size"), std::string::npos);
  EXPECT_EQ(of(judge(SharedMemoryFacts{true, 8 * GiB, MiB})), problem);
  EXPECT_EQ(of(judge(SharedMemoryFacts{})), warning);
}

TEST(Findings, OfGpuSlurmAndPlace) {
  EXPECT_EQ(of(judge(GpuFacts{})), ok) << "none is needed";
  EXPECT_EQ(of(judge(GpuFacts{"/dev/nvidia0", {}})), note);
  const Finding gpus = judge(GpuFacts{"", {{"Fake 1000", GiB, GiB / 2}, {"Fake 2000", GiB, GiB}}});
  EXPECT_EQ(of(gpus), note);
  EXPECT_EQ(gpus.found,
            "Fake 1000, 512 MiB of 1.00 GiB free; Fake 2000, 1.00 GiB of 1.00 GiB free, but models run on CPUs only");
  EXPECT_EQ(of(judge(SlurmFacts{})), ok);
  EXPECT_EQ(of(judge(SlurmFacts{true, "17", "4", ""})), note);
  EXPECT_EQ(of(judge(SlurmFacts{true, "17", "4", "ring"})), ok);
  EXPECT_EQ(worst(judge(PlaceFacts{"C.UTF-8", 2026, "/tmp", true})), ok);
  EXPECT_EQ(worst(judge(PlaceFacts{"de_DE.utf8", 2026, "/tmp", true})), ok);
  EXPECT_EQ(worst(judge(PlaceFacts{"", 2026, "/tmp", true})), note);
  EXPECT_EQ(worst(judge(PlaceFacts{"C.UTF-8", 1970, "/tmp", true})), warning);
  EXPECT_EQ(worst(judge(PlaceFacts{"C.UTF-8", 2026, "/tmp", false})), problem);
  EXPECT_EQ(worst(judge(PlaceFacts{"C.UTF-8", 2026, "/" + std::string(80, 't'), true})), warning);
}

TEST(Findings, OfInputsAndModels) {
  EXPECT_EQ(of(judge(InputFacts{"pages", "", true})), ok);
  EXPECT_EQ(of(judge(InputFacts{"pages", "input pages: there is no such file", false})), problem);
  EXPECT_EQ(of(judge(InputFacts{"pages", "", false})), problem);
  EXPECT_EQ(of(judge(ModelTrial{"m.onnx", "scale 2", ""})), ok);
  EXPECT_EQ(of(judge(ModelTrial{"m.onnx", "", "m.onnx is no ONNX model"})), problem);
}

TEST(MachineFacts, ADiskIsTriedAndLeftAsItWas) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path{::testing::TempDir()} / ("disk-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  const DiskFacts facts = disk_facts(folder / "not" / "yet", "out");
  EXPECT_EQ(facts.failed, "");
  EXPECT_EQ(facts.tried, folder.string());
  EXPECT_TRUE(facts.locks);
  EXPECT_GT(facts.bytes_per_s, 0);
  EXPECT_GT(facts.total, facts.free / 2);
  EXPECT_LT(std::abs(facts.clock_ahead_s), 5);
  EXPECT_TRUE(fs::is_empty(folder));
  fs::remove_all(folder);
  const DiskFacts impossible = disk_facts("/proc/out", "out");
  EXPECT_NE(impossible.failed.find("cannot make a file in /proc"), std::string::npos) << impossible.failed;
}

}  // namespace
}  // namespace pantile::app
