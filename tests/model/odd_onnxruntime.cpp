// ONNX Runtime with a fault, for the test of the engine's self-check. PANTILE_ODD names the fault, PANTILE_REAL the
// library.

#include <dlfcn.h>
#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>

#include <cstdlib>
#include <string_view>

namespace {

const OrtApiBase* real_base() {
  static void* library = ::dlopen(std::getenv("PANTILE_REAL"), RTLD_NOW | RTLD_LOCAL);
  static const auto get = reinterpret_cast<const OrtApiBase*(ORT_API_CALL*)()>(::dlsym(library, "OrtGetApiBase"));
  return get();
}

std::string_view fault() { return std::getenv("PANTILE_ODD"); }

OrtStatus* ORT_API_CALL ignore_allocator(OrtEnv*, OrtAllocator*) noexcept { return nullptr; }

OrtAllocator* honest = nullptr;

/// As if built without a way for exceptions through its callers.
OrtStatus* ORT_API_CALL register_behind_noexcept(OrtEnv* env, OrtAllocator* allocator) noexcept {
  static OrtAllocator wrapper{};
  honest = allocator;
  wrapper.version = allocator->version;
  wrapper.Alloc = [](OrtAllocator*, size_t bytes) noexcept { return honest->Alloc(honest, bytes); };
  wrapper.Reserve = wrapper.Alloc;
  wrapper.Free = [](OrtAllocator*, void* block) { honest->Free(honest, block); };
  wrapper.Info = [](const OrtAllocator*) { return honest->Info(honest); };
  return real_base()->GetApi(ORT_API_VERSION)->RegisterAllocator(env, &wrapper);
}

const OrtApi* ORT_API_CALL get_api(uint32_t version) noexcept {
  if (fault() == "old") {
    return nullptr;
  }
  static OrtApi api = *real_base()->GetApi(version);
  api.RegisterAllocator = fault() == "bypass" ? ignore_allocator : register_behind_noexcept;
  return &api;
}

const char* ORT_API_CALL get_version() noexcept { return fault() == "old" ? "1.3.0" : "1.99.0"; }

}  // namespace

extern "C" const OrtApiBase* ORT_API_CALL OrtGetApiBase(void) noexcept {
  static const OrtApiBase base{get_api, get_version};
  return &base;
}
