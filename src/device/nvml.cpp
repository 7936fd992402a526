#include "device/nvml.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <type_traits>
#include <utility>

namespace pantile {
namespace {

// The few declarations that we need, as nvml.h has had them since driver 375; the names with _v2 are their own
// versions.
extern "C" {
using NvmlReturn = int;  // 0 is success
struct NvmlDeviceOpaque;
using NvmlHandle = NvmlDeviceOpaque*;
struct NvmlMemory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};
struct NvmlUtilization {
  unsigned gpu;  // per cent of the last sample period, up to a second
  unsigned memory;
};
}

constexpr NvmlReturn success = 0;
constexpr unsigned text_bytes = 96;  // NVML_DEVICE_UUID_V2_BUFFER_SIZE, NVML_DEVICE_NAME_V2_BUFFER_SIZE

}  // namespace

struct Nvml::Functions {
  NvmlReturn (*init)() = nullptr;
  NvmlReturn (*shut_down)() = nullptr;
  const char* (*error_string)(NvmlReturn) = nullptr;
  NvmlReturn (*count)(unsigned*) = nullptr;
  NvmlReturn (*by_index)(unsigned, NvmlHandle*) = nullptr;
  NvmlReturn (*name)(NvmlHandle, char*, unsigned) = nullptr;
  NvmlReturn (*uuid)(NvmlHandle, char*, unsigned) = nullptr;
  NvmlReturn (*memory)(NvmlHandle, NvmlMemory*) = nullptr;
  NvmlReturn (*utilization)(NvmlHandle, NvmlUtilization*) = nullptr;

  /// The name of the first function that `library` lacks; nullptr if all are there.
  [[nodiscard]] const char* find_in(void* library) {
    const char* missing = nullptr;
    const auto find = [&](auto& function, const char* symbol) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, symbol));
      missing = function == nullptr && missing == nullptr ? symbol : missing;
    };
    find(init, "nvmlInit_v2");
    find(shut_down, "nvmlShutdown");
    find(error_string, "nvmlErrorString");
    find(count, "nvmlDeviceGetCount_v2");
    find(by_index, "nvmlDeviceGetHandleByIndex_v2");
    find(name, "nvmlDeviceGetName");
    find(uuid, "nvmlDeviceGetUUID");
    find(memory, "nvmlDeviceGetMemoryInfo");
    find(utilization, "nvmlDeviceGetUtilizationRates");
    return missing;
  }

  [[nodiscard]] std::string text(NvmlReturn (*function)(NvmlHandle, char*, unsigned), NvmlHandle device) const {
    std::array<char, text_bytes> text{};
    return function(device, text.data(), text_bytes) == success ? std::string{text.data()} : std::string{};
  }
};

class Nvml::Monitor : public DeviceMonitor {
 public:
  Monitor(std::shared_ptr<Nvml> nvml, NvmlHandle device) : nvml_{std::move(nvml)}, device_{device} {}

  [[nodiscard]] std::optional<MemorySample> sample() override {
    NvmlMemory memory{};
    if (nvml_->functions_->memory(device_, &memory) != success || memory.total == 0) {
      return std::nullopt;
    }
    // What the driver keeps for itself is used as well: total − free, not `used`, which left it out for a while.
    const std::uint64_t free = std::min(memory.free, memory.total);
    MemorySample sample{memory.total, memory.total - free, std::nullopt, "NVML"};
    NvmlUtilization busy{};
    if (nvml_->functions_->utilization(device_, &busy) == success) {  // not told of parts of a GPU (MIG)
      sample.busy = static_cast<double>(std::min(busy.gpu, 100U)) / 100;
    }
    return sample;
  }

 private:
  std::shared_ptr<Nvml> nvml_;
  NvmlHandle device_;
};

Nvml::Nvml(std::unique_ptr<Functions> functions) : functions_{std::move(functions)} {}

Nvml::~Nvml() { functions_->shut_down(); }

std::variant<std::shared_ptr<Nvml>, std::string> Nvml::open(const std::string& library) {
  // Stays open until the process ends, as the driver's threads may run its code.
  void* const opened = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) {
    return fmt::format("{} (it comes with NVIDIA's driver)", ::dlerror());
  }
  auto functions = std::make_unique<Functions>();
  if (const char* const missing = functions->find_in(opened); missing != nullptr) {
    return fmt::format("{} has no {}: too old, or not NVIDIA's", library, missing);
  }
  if (const NvmlReturn code = functions->init(); code != success) {
    return fmt::format("{}: {}", library, functions->error_string(code));
  }
  return std::shared_ptr<Nvml>{new Nvml{std::move(functions)}};
}

std::vector<NvmlDevice> Nvml::devices() const {
  std::vector<NvmlDevice> devices;
  unsigned count = 0;
  if (functions_->count(&count) != success) {
    return devices;
  }
  for (unsigned index = 0; index < count; ++index) {
    NvmlHandle handle = nullptr;
    NvmlMemory memory{};
    if (functions_->by_index(index, &handle) == success && functions_->memory(handle, &memory) == success) {
      devices.push_back({index, functions_->text(functions_->name, handle), functions_->text(functions_->uuid, handle),
                         memory.total});
    }
  }
  return devices;
}

std::unique_ptr<DeviceMonitor> Nvml::monitor(const std::string& uuid) {
  for (const NvmlDevice& device : devices()) {
    NvmlHandle handle = nullptr;
    if (device.uuid == uuid && functions_->by_index(device.index, &handle) == success) {
      return std::make_unique<Monitor>(shared_from_this(), handle);
    }
  }
  return nullptr;
}

std::unique_ptr<DeviceMonitor> best_monitor(const Device& device, const std::string& library) {
  if (!device.uuid().empty()) {
    if (const auto opened = Nvml::open(library); const auto* const nvml = std::get_if<std::shared_ptr<Nvml>>(&opened)) {
      if (auto monitor = (*nvml)->monitor(device.uuid()); monitor != nullptr) {
        return monitor;
      }
    }
  }
  return monitor_of(device);
}

}  // namespace pantile
