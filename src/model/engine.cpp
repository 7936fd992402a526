#include "model/engine.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "base/log.hpp"
#include "model/detail/engine_impl.hpp"
#include "model/detail/onnx.hpp"
#include "model/session.hpp"

namespace pantile {

namespace fs = std::filesystem;

namespace {

using GetApiBase = const OrtApiBase*(ORT_API_CALL*)();

constexpr const char* library_variable = "PANTILE_ORT_LIB";

/// Where the library may be, best first. A file that the user named is the only one: falling back would hide a mistake.
std::vector<std::string> candidates() {
  if (const char* named = std::getenv(library_variable); named != nullptr && *named != '\0') {
    return {named};
  }
  std::vector<std::string> paths;
#ifdef PANTILE_ORT_DEFAULT_LIB
  paths.emplace_back(PANTILE_ORT_DEFAULT_LIB);
#endif
  std::error_code error;
  if (const fs::path self = fs::read_symlink("/proc/self/exe", error); !error) {
    paths.push_back((self.parent_path().parent_path() / "lib" / "libonnxruntime.so.1").string());
  }
  paths.emplace_back("libonnxruntime.so.1");
  return paths;
}

/// The library stays open until the process ends: its threads' destructors may run at any time before.
void* open_library() {
  std::string reasons;
  for (const std::string& path : candidates()) {
    if (void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); library != nullptr) {
      return library;
    }
    reasons += fmt::format("\n  {}", ::dlerror());
  }
  throw UsageError{
      fmt::format("ONNX Runtime was not found (no model can run without it):{}\nInstall it, or name the file "
                  "in {}. See: pantile doctor",
                  reasons, library_variable)};
}

fs::path path_of(void* library) {
  link_map* map = nullptr;
  return ::dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map != nullptr ? fs::path{map->l_name} : fs::path{};
}

/// Fills ONNX Runtime's function table; returns its version.
std::string connect(void* library, const fs::path& path) {
  const auto get_api_base = reinterpret_cast<GetApiBase>(::dlsym(library, "OrtGetApiBase"));
  if (get_api_base == nullptr) {
    throw UsageError{fmt::format("{} is not ONNX Runtime: it has no OrtGetApiBase. Name another file in {}.",
                                 path.string(), library_variable)};
  }
  const OrtApiBase* base = get_api_base();
  const OrtApi* api = base->GetApi(ORT_API_VERSION);
  if (api == nullptr) {
    throw UsageError{
        fmt::format("{} is ONNX Runtime {}, which is too old: 1.{} or newer is needed. Install a newer one, or "
                    "name its file in {}.",
                    path.string(), base->GetVersionString(), ORT_API_VERSION, library_variable)};
  }
  Ort::InitApi(api);
  return base->GetVersionString();
}

/// Its errors reach the caller as text in any case; the log lines are for those who look for them.
void ORT_API_CALL log_quietly(void*, OrtLoggingLevel, const char*, const char*, const char* where,
                              const char* message) {
  log::debug("ONNX Runtime: {} ({})", message, where);
}

std::vector<std::byte> tiny_model() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(13);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name("self-check");
  onnx::NodeProto& node = *graph.add_node();
  node.set_op_type("Relu");
  node.add_input("input");
  node.add_output("output");
  for (onnx::ValueInfoProto* value : {graph.add_input(), graph.add_output()}) {
    value->set_name(value == &graph.input(0) ? "input" : "output");
    onnx::TypeProto_Tensor& type = *value->mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    type.mutable_shape()->add_dim()->set_dim_value(1);
    type.mutable_shape()->add_dim()->set_dim_value(1);
    type.mutable_shape()->add_dim()->set_dim_param("height");
    type.mutable_shape()->add_dim()->set_dim_param("width");
  }
  return detail::serialized(model);
}

/// What the terminate handler says; it can take no argument.
std::array<char, 512> last_words{};

[[noreturn]] void die_with_last_words() {
  std::fputs(last_words.data(), stderr);
  std::abort();
}

/// A build of ONNX Runtime that cannot pass an exception through its callers would end the process at the first refused
/// byte. Better here, with a name, than in the middle of a run.
class TerminateWatch {
 public:
  explicit TerminateWatch(const fs::path& library) {
    fmt::format_to_n(last_words.data(), last_words.size() - 1,
                     "pantile: {} ends the process when memory is refused (the memory cap cannot work with it). Name "
                     "another ONNX Runtime in {}.\n",
                     library.string(), library_variable);
    before_ = std::set_terminate(die_with_last_words);
  }
  ~TerminateWatch() { std::set_terminate(before_); }
  TerminateWatch(const TerminateWatch&) = delete;
  TerminateWatch& operator=(const TerminateWatch&) = delete;

 private:
  std::terminate_handler before_;
};

/// Empty if all is well.
std::string find_fault(const Engine& engine) {
  static constexpr Extent extent{160, 160};  // more than 64 KiB, so that the slab has a part in it
  Meter meter;
  SlabPool slabs{meter};
  {
    const std::vector<float> input(static_cast<std::size_t>(extent.area()), -1.5F);
    const Session session{engine, slabs, tiny_model(), "the engine's self-check"};
    meter.set_cap(meter.current());
    if (!std::holds_alternative<OutOfMemory>(session.run(input, 1, extent))) {
      return "does not report a refused allocation";
    }
    meter.set_cap(Meter::unlimited);
    const RunOutcome outcome = session.run(input, 1, extent);
    const auto* output = std::get_if<Tensor>(&outcome);
    if (output == nullptr || output->extent() != extent || output->data().back() != 0.0F) {
      return "does not recover from a refused allocation";
    }
  }
  slabs.trim_idle();
  return meter.current() == 0 ? "" : "keeps memory of a session that was closed";
}

Ort::Env make_environment() {
  Ort::Env environment{ORT_LOGGING_LEVEL_WARNING, "pantile", log_quietly, nullptr};
  environment.DisableTelemetryEvents();
  return environment;
}

}  // namespace

Engine::Impl::Impl(void* handle)
    : library{path_of(handle)}, version{connect(handle, library)}, env{make_environment()} {
  Ort::ThrowOnError(Ort::GetApi().RegisterAllocator(env, &allocator));
}

Engine::Impl::~Impl() {
  Ort::Status{Ort::GetApi().UnregisterAllocator(env, allocator.info())};  // there is nobody left to tell
}

void forbid_telemetry() noexcept {
  for (const char* variable : {"ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED"}) {
    ::setenv(variable, "1", 0);
  }
}

Engine::Engine() {
  forbid_telemetry();
  try {
    impl_ = std::make_unique<Impl>(open_library());
  } catch (const Ort::Exception& error) {
    throw Error{
        fmt::format("ONNX Runtime does not start: {}. Try another one, named in {}.", error.what(), library_variable)};
  }
  const TerminateWatch watch{library()};
  if (const std::string fault = find_fault(*this); !fault.empty()) {
    throw Error{fmt::format("{} (ONNX Runtime {}) {} (the memory cap cannot work with it). Name another one in {}.",
                            library().string(), version(), fault, library_variable)};
  }
}

Engine::~Engine() = default;

const std::string& Engine::version() const noexcept { return impl_->version; }

const fs::path& Engine::library() const noexcept { return impl_->library; }

}  // namespace pantile
