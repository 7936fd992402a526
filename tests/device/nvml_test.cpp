#include "device/nvml.hpp"

#include <dlfcn.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <utility>

#include "base/byte_size.hpp"

namespace pantile {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<Nvml> fake(const char* state = "300,25") {
  ::setenv("PANTILE_FAKE_NVML", state, 1);
  return std::get<std::shared_ptr<Nvml>>(Nvml::open(PANTILE_FAKE_NVML_LIBRARY));
}

std::string refusal(const std::string& library) { return std::get<std::string>(Nvml::open(library)); }

/// How often the fake library is open now.
int times_open() {
  void* const library = ::dlopen(PANTILE_FAKE_NVML_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  return reinterpret_cast<int (*)()>(::dlsym(library, "fake_nvml_opened"))();
}

TEST(Nvml, TellsWhatTheGpusAreAndLeavesOutALostOne) {
  const auto devices = fake()->devices();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].index, 0U);
  EXPECT_EQ(devices[0].name, "Fake 1000");
  EXPECT_EQ(devices[0].uuid, "GPU-0000");
  EXPECT_EQ(devices[0].total_bytes, 1000 * MiB);
}

TEST(Nvml, SeesOthersTakeMemoryAndGiveItBack) {
  const auto monitor = fake()->monitor("GPU-0000");
  ASSERT_NE(monitor, nullptr);
  const MemorySample sample = monitor->sample().value();
  EXPECT_EQ(sample.limit_bytes, 1000 * MiB);
  EXPECT_EQ(sample.used_bytes, 300 * MiB);
  EXPECT_EQ(sample.busy, 0.25);
  EXPECT_EQ(sample.source, "NVML");
  ::setenv("PANTILE_FAKE_NVML", "900,100", 1);
  EXPECT_EQ(monitor->sample().value().used_bytes, 900 * MiB);
  ::setenv("PANTILE_FAKE_NVML", "10", 1);
  EXPECT_EQ(monitor->sample().value().used_bytes, 10 * MiB);
  EXPECT_EQ(monitor->sample().value().busy, std::nullopt) << "not told, as of a part of a GPU";
}

TEST(Nvml, StaysOpenAsLongAsAMonitorLooks) {
  auto nvml = fake();
  auto monitor = nvml->monitor("GPU-0000");
  nvml.reset();
  EXPECT_EQ(times_open(), 1);
  EXPECT_TRUE(monitor->sample().has_value());
  monitor.reset();
  EXPECT_EQ(times_open(), 0);
}

TEST(Nvml, KnowsNoMonitorOfAGpuThatIsNotThere) { EXPECT_EQ(fake()->monitor("GPU-1111"), nullptr); }

TEST(Nvml, SaysWhyThereIsNone) {
  EXPECT_THAT(refusal("libno-such-library.so.1"), HasSubstr("libno-such-library.so.1: cannot open shared object file"));
  EXPECT_THAT(refusal(PANTILE_OLD_NVML_LIBRARY), HasSubstr("has no nvmlDeviceGetUtilizationRates"));
  ::setenv("PANTILE_FAKE_NVML", "broken", 1);
  EXPECT_THAT(refusal(PANTILE_FAKE_NVML_LIBRARY), HasSubstr("Driver Not Loaded"));
}

/// A device of 1 MiB, half of which is free, that goes by this UUID.
class Named : public Device {
 public:
  explicit Named(std::string uuid) : uuid_{std::move(uuid)} {}
  [[nodiscard]] std::string name() const override { return "named"; }
  [[nodiscard]] std::string device_class() const override { return "test"; }
  [[nodiscard]] std::string uuid() const override { return uuid_; }
  [[nodiscard]] std::uint64_t total_bytes() const override { return MiB; }
  [[nodiscard]] std::uint64_t free_bytes() const override { return MiB / 2; }
  [[nodiscard]] void* try_allocate(std::size_t) noexcept override { return nullptr; }
  void deallocate(void*, std::size_t) noexcept override {}

 private:
  std::string uuid_;
};

TEST(Nvml, IsWhereTheBestLookComesFromIfItKnowsTheDevice) {
  ::setenv("PANTILE_FAKE_NVML", "300,25", 1);
  const auto source = [](const char* uuid, const char* library) {
    const Named device{uuid};
    return best_monitor(device, library)->sample().value();
  };
  EXPECT_EQ(source("GPU-0000", PANTILE_FAKE_NVML_LIBRARY).used_bytes, 300 * MiB);
  EXPECT_EQ(source("GPU-1111", PANTILE_FAKE_NVML_LIBRARY).source, "named") << "another one";
  EXPECT_EQ(source("GPU-0000", "libno-such-library.so.1").used_bytes, MiB / 2);
  EXPECT_EQ(source("", PANTILE_FAKE_NVML_LIBRARY).source, "named");
  EXPECT_EQ(times_open(), 0);
}

TEST(NvmlHere, IsThereOrSaysWhyNot) {
  const auto opened = Nvml::open();
  if (const auto* reason = std::get_if<std::string>(&opened)) {
    EXPECT_FALSE(reason->empty());
    GTEST_SKIP() << *reason;
  }
  const auto& nvml = std::get<std::shared_ptr<Nvml>>(opened);
  for (const NvmlDevice& device : nvml->devices()) {
    EXPECT_GT(device.total_bytes, 0U);
    const auto sample = nvml->monitor(device.uuid)->sample();
    ASSERT_TRUE(sample.has_value());
    EXPECT_LE(sample->used_bytes, sample->limit_bytes);
  }
}

}  // namespace
}  // namespace pantile
