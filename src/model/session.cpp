#include "model/session.hpp"

#include <fmt/format.h>

#include <array>
#include <new>
#include <optional>

#include "base/byte_size.hpp"
#include "base/error.hpp"
#include "model/detail/engine_impl.hpp"

namespace pantile {

using detail::EngineScope;

struct Session::Impl {
  SlabPool& slabs;
  std::string name;
  Ort::Session session;
  std::string input_name;
  std::string output_name;
  int input_channels = 0;
  bool takes_batches = false;
  std::uint64_t weights_bytes = 0;
  std::optional<AllocationPattern> pattern;  ///< what a run allocates, once the probes have told
};

namespace {

Ort::Session open_session(const Engine& engine, SlabPool& slabs, std::span<const std::byte> model,
                          std::string_view name, const std::filesystem::path& folder) {
  EngineScope scope{slabs};
  try {
    Ort::SessionOptions options = detail::session_options(folder);
    options.AddConfigEntry("session.use_env_allocators", "1");
    return {engine.impl().env, model.data(), model.size(), options};
  } catch (const Ort::Exception& error) {
    if (scope.refused_bytes()) {
      throw UsageError{
          fmt::format("{} does not fit: its weights need more than the {} that the memory cap leaves for models. "
                      "Raise the cap.",
                      name, format_byte_size(slabs.meter().cap()))};
    }
    throw UsageError{detail::why_not_opened(engine, name, error.what())};
  }
}

std::vector<PlannedBlock> plan_for(const std::optional<AllocationPattern>& pattern, Extent extent, int batch) {
  return pattern ? plan_run(pattern->blocks(extent, batch)).blocks : std::vector<PlannedBlock>{};
}

std::string shape_text(std::span<const std::int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace

void Tensor::Release::operator()(void* value) const noexcept {
  Ort::GetApi().ReleaseValue(static_cast<OrtValue*>(value));
}

Session::Session(const Engine& engine, SlabPool& slabs, std::span<const std::byte> model, std::string_view name,
                 const std::filesystem::path& folder) {
  const std::uint64_t before = slabs.meter().current();
  impl_.reset(new Impl{.slabs = slabs,
                       .name = std::string{name},
                       .session = open_session(engine, slabs, model, name, folder),
                       .input_name = {},
                       .output_name = {},
                       .pattern = {}});
  impl_->weights_bytes = slabs.meter().current() - before;
  const Ort::AllocatorWithDefaultOptions strings;
  const Ort::Session& session = impl_->session;
  if (session.GetInputCount() != 1 || session.GetOutputCount() < 1) {
    throw UsageError{fmt::format("{} has {} inputs and {} outputs (one image in, one image out is what pantile runs)",
                                 name, session.GetInputCount(), session.GetOutputCount())};
  }
  impl_->input_name = session.GetInputNameAllocated(0, strings).get();
  impl_->output_name = session.GetOutputNameAllocated(0, strings).get();
  const Ort::TypeInfo type = session.GetInputTypeInfo(0);
  const std::vector<std::int64_t> shape = type.GetTensorTypeAndShapeInfo().GetShape();
  if (shape.size() != 4 || shape[1] <= 0) {
    throw UsageError{fmt::format("{} takes {}, not one image [N, channels, height, width]", name, shape_text(shape))};
  }
  impl_->input_channels = static_cast<int>(shape[1]);
  impl_->takes_batches = shape[0] <= 0;
}

Session::~Session() = default;

const std::string& Session::name() const noexcept { return impl_->name; }

int Session::input_channels() const noexcept { return impl_->input_channels; }

Meter& Session::meter() const noexcept { return impl_->slabs.meter(); }

void Session::trim_idle() const noexcept { impl_->slabs.trim_idle(); }

bool Session::takes_batches() const noexcept { return impl_->takes_batches; }

std::uint64_t Session::weights_bytes() const noexcept { return impl_->weights_bytes; }

void Session::plan_with(std::optional<AllocationPattern> pattern) { impl_->pattern = std::move(pattern); }

void Session::trim() const noexcept { impl_->slabs.trim_idle(); }

std::optional<std::uint64_t> Session::planned_peak(Extent extent, int batch) const {
  return impl_->pattern ? std::optional{plan_run(impl_->pattern->blocks(extent, batch)).peak_bytes} : std::nullopt;
}

RunOutcome Session::run(std::span<const float> nchw, int channels, Extent extent, int batch) const {
  expect(!extent.empty() && nchw.size() == static_cast<std::size_t>(batch * channels * extent.area()),
         "a run's input has batch × channels × height × width floats");
  expect(channels == impl_->input_channels, "a run's input has the model's channels");
  expect(batch == 1 || (batch > 1 && impl_->takes_batches), "a run's batch is one that the model takes");
  return run_recorded(nchw, extent, batch, nullptr);
}

RunOutcome Session::run_recorded(std::span<const float> nchw, Extent extent, int batch, Trace* trace) const {
  const std::array<std::int64_t, 4> shape{batch, impl_->input_channels, extent.height, extent.width};
  const std::array<const char*, 1> inputs{impl_->input_name.c_str()};
  const std::array<const char*, 1> outputs{impl_->output_name.c_str()};
  const auto host = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);

  EngineScope scope{impl_->slabs, plan_for(impl_->pattern, extent, batch), trace};
  try {
    // ONNX Runtime's interface knows no const input; it does not write to it.
    const auto input =
        Ort::Value::CreateTensor<float>(host, const_cast<float*>(nchw.data()), nchw.size(), shape.data(), shape.size());
    Ort::Value value{nullptr};
    impl_->session.Run(Ort::RunOptions{nullptr}, inputs.data(), &input, 1, outputs.data(), &value, 1);
    const std::uint64_t peak_bytes = scope.peak_bytes();
    const Ort::TensorTypeAndShapeInfo info = value.GetTensorTypeAndShapeInfo();
    const std::vector<std::int64_t> dims = info.GetShape();
    if (info.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT || dims.size() != 4 || dims[0] != batch) {
      return EngineFailure{fmt::format("{}: its output is {}, not {} of float32", impl_->name, shape_text(dims),
                                       batch == 1 ? "one image" : fmt::format("{} images", batch))};
    }
    const std::span<const float> data{value.GetTensorData<float>(), info.GetElementCount()};
    Tensor output{std::move(scope).hand_over_lease(), value.release()};
    output.data_ = data;
    output.channels_ = static_cast<int>(dims[1]);
    output.extent_ = {static_cast<int>(dims[2]), static_cast<int>(dims[3])};
    output.peak_bytes_ = peak_bytes;
    return output;
  } catch (const Ort::Exception& error) {
    if (scope.refused_bytes()) {
      return OutOfMemory{.refused_bytes = *scope.refused_bytes(), .peak_bytes = scope.peak_bytes()};
    }
    return EngineFailure{fmt::format("{}: {}", impl_->name, error.what())};
  }
}

}  // namespace pantile
