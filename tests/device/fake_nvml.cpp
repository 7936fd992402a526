// A libnvidia-ml of two GPUs, the second of which is lost, for the test of device/nvml. PANTILE_FAKE_NVML: "MiB used,
// per cent busy" of the first; "broken": the driver is not there. Compiled with PANTILE_OLD_NVML it lacks a function.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

// NOLINTBEGIN(readability-identifier-naming): the library's names

namespace {

struct Device {};
Device devices[2];
int opened = 0;

std::string_view state() {
  const char* const value = std::getenv("PANTILE_FAKE_NVML");
  return value != nullptr ? value : "";
}

constexpr int uninitialized = 1;
constexpr int no_driver = 9;
constexpr int gpu_is_lost = 15;

int fault_of(const void* device) { return opened == 0 ? uninitialized : device == &devices[0] ? 0 : gpu_is_lost; }

int copy(const char* text, char* out, unsigned bytes) {
  std::snprintf(out, bytes, "%s", text);
  return 0;
}

}  // namespace

extern "C" {

struct nvmlMemory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};
struct nvmlUtilization {
  unsigned gpu;
  unsigned memory;
};

int nvmlInit_v2() {
  if (state() == "broken") {
    return no_driver;
  }
  ++opened;
  return 0;
}

int nvmlShutdown() {
  --opened;
  return 0;
}

const char* nvmlErrorString(int code) { return code == no_driver ? "Driver Not Loaded" : "Unknown Error"; }

int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return opened > 0 ? 0 : uninitialized;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = &devices[index];
  return opened > 0 ? 0 : uninitialized;
}

int nvmlDeviceGetName(void* device, char* name, unsigned bytes) {
  return fault_of(device) != 0 ? fault_of(device) : copy("Fake 1000", name, bytes);
}

int nvmlDeviceGetUUID(void* device, char* uuid, unsigned bytes) {
  return fault_of(device) != 0 ? fault_of(device) : copy("GPU-0000", uuid, bytes);
}

int nvmlDeviceGetMemoryInfo(void* device, nvmlMemory* memory) {
  unsigned long long used = 0;
  std::sscanf(state().data(), "%llu", &used);
  memory->total = 1000ULL << 20U;
  memory->free = memory->total - (used << 20U);
  memory->used = 0;  // as old drivers, which leave out what is reserved
  return fault_of(device);
}

#ifndef PANTILE_OLD_NVML
int nvmlDeviceGetUtilizationRates(void* device, nvmlUtilization* busy) {
  constexpr int not_supported = 3;
  const int found = std::sscanf(state().data(), "%*u,%u", &busy->gpu);
  return found == 1 ? fault_of(device) : not_supported;
}
#endif

/// How often it is open, for the test alone.
int fake_nvml_opened() { return opened; }
}

// NOLINTEND(readability-identifier-naming)
