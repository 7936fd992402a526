#include "model/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>

#include "base/byte_size.hpp"
#include "base/error.hpp"
#include "image/tile_geometry.hpp"
#include "model/detail/engine_impl.hpp"

namespace pantile {

using detail::EngineScope;
using detail::PlannedBlock;
using detail::Trace;
using detail::TracedBlock;

struct Session::Impl {
  SlabPool& slabs;
  std::string name;
  Ort::Session session;
  std::string input_name;
  std::string output_name;
  int input_channels = 0;
  std::optional<detail::AllocationPattern> pattern;  ///< what a run allocates, once the probes have told
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

struct RunPlan {
  std::vector<PlannedBlock> blocks;
  std::uint64_t peak_bytes = 0;
};

RunPlan make_plan(const std::vector<TracedBlock>& payloads) {
  std::vector<TracedBlock> in_slab = payloads;
  std::vector<TracedBlock> on_heap = payloads;
  for (std::size_t at = 0; at < payloads.size(); ++at) {
    in_slab[at].bytes = detail::slab_bytes_of(payloads[at].bytes);
    on_heap[at].bytes = detail::heap_bytes_of(payloads[at].bytes);
  }
  const std::vector<std::uint64_t> offsets = detail::place(in_slab);
  RunPlan plan{.blocks = {}, .peak_bytes = 0};
  for (std::size_t at = 0; at < payloads.size(); ++at) {
    plan.blocks.push_back({.payload_bytes = payloads[at].bytes, .offset = offsets[at]});
    plan.peak_bytes = std::max(plan.peak_bytes, in_slab[at].bytes > 0 ? offsets[at] + in_slab[at].bytes : 0);
  }
  plan.peak_bytes += detail::live_peak(on_heap);
  return plan;
}

std::vector<PlannedBlock> plan_for(const std::optional<detail::AllocationPattern>& pattern, Extent extent) {
  return pattern ? make_plan(pattern->blocks(extent)).blocks : std::vector<PlannedBlock>{};
}

std::string shape_text(std::span<const std::int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace

void Tensor::Release::operator()(void* value) const noexcept {
  Ort::GetApi().ReleaseValue(static_cast<OrtValue*>(value));
}

Session::Session(const Engine& engine, SlabPool& slabs, std::span<const std::byte> model, std::string_view name,
                 const std::filesystem::path& folder)
    : impl_{new Impl{.slabs = slabs,
                     .name = std::string{name},
                     .session = open_session(engine, slabs, model, name, folder),
                     .input_name = {},
                     .output_name = {},
                     .pattern = {}}} {
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
}

Session::~Session() = default;

const std::string& Session::name() const noexcept { return impl_->name; }

int Session::input_channels() const noexcept { return impl_->input_channels; }

Meter& Session::meter() const noexcept { return impl_->slabs.meter(); }

RunOutcome Session::run(std::span<const float> nchw, int channels, Extent extent) const {
  expect(!extent.empty() && nchw.size() == static_cast<std::size_t>(channels * extent.area()),
         "a run's input has channels × height × width floats");
  expect(channels == impl_->input_channels, "a run's input has the model's channels");
  return run_recorded(nchw, extent, nullptr);
}

RunOutcome Session::run_recorded(std::span<const float> nchw, Extent extent, Trace* trace) const {
  const std::array<std::int64_t, 4> shape{1, impl_->input_channels, extent.height, extent.width};
  const std::array<const char*, 1> inputs{impl_->input_name.c_str()};
  const std::array<const char*, 1> outputs{impl_->output_name.c_str()};
  const auto host = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);

  EngineScope scope{impl_->slabs, plan_for(impl_->pattern, extent), trace};
  try {
    // ONNX Runtime's interface knows no const input; it does not write to it.
    const auto input =
        Ort::Value::CreateTensor<float>(host, const_cast<float*>(nchw.data()), nchw.size(), shape.data(), shape.size());
    Ort::Value value{nullptr};
    impl_->session.Run(Ort::RunOptions{nullptr}, inputs.data(), &input, 1, outputs.data(), &value, 1);
    const std::uint64_t peak_bytes = scope.peak_bytes();
    const Ort::TensorTypeAndShapeInfo info = value.GetTensorTypeAndShapeInfo();
    const std::vector<std::int64_t> dims = info.GetShape();
    if (info.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT || dims.size() != 4 || dims[0] != 1) {
      return EngineFailure{
          fmt::format("{}: its output is {}, not one image of float32", impl_->name, shape_text(dims))};
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

RunOutcome Session::run_on_black(Trace& trace) const {
  try {
    const auto floats = static_cast<std::size_t>(input_channels() * trace.input.area());
    MeteredBuffer input{meter(), floats * sizeof(float)};
    std::fill(input.floats().begin(), input.floats().end(), 0.0F);
    return run_recorded(input.floats(), trace.input, &trace);
  } catch (const std::bad_alloc&) {
    return OutOfMemory{};
  }
}

std::optional<std::uint64_t> Session::planned_peak(Extent extent) const {
  return impl_->pattern ? std::optional{make_plan(impl_->pattern->blocks(extent)).peak_bytes} : std::nullopt;
}

std::vector<ProbeSample> probe_footprint(Session& session, int alignment_px) {
  // Small, so that probing fits under any cap under which tiles fit. Not all square: the four terms of a block's size
  // (1, h·w, h, w) must be told apart by the first four, and checked by the fifth.
  const int unit = rounded_up(16, alignment_px);
  const std::array<Extent, 5> small{
      {Extent{3, 3} * unit, Extent{4, 4} * unit, Extent{3, 6} * unit, Extent{5, 5} * unit, Extent{4, 8} * unit}};
  const std::array<Extent, 5> large{
      {Extent{8, 8} * unit, Extent{16, 16} * unit, Extent{4, 32} * unit, Extent{16, 48} * unit, Extent{32, 32} * unit}};
  std::vector<ProbeSample> samples;
  std::vector<Trace> traces;
  std::string failure;
  for (const Extent extent : small) {
    Trace trace{.input = extent, .blocks = {}, .clock = 0};
    const RunOutcome outcome = session.run_on_black(trace);
    if (const auto* output = std::get_if<Tensor>(&outcome)) {
      samples.push_back({.input = extent, .peak_bytes = output->peak_bytes()});
      traces.push_back(std::move(trace));
    } else if (const auto* failed = std::get_if<EngineFailure>(&outcome)) {
      failure = failed->text;  // this extent may be too small for the model
    } else {
      break;
    }
  }
  session.impl_->slabs.trim_idle();
  if (samples.empty() && !failure.empty()) {
    throw Error{
        fmt::format("{} (each small black image failed, so its memory cannot be predicted). Is it made for images "
                    "of any size?",
                    failure)};
  }
  session.impl_->pattern = detail::AllocationPattern::learn(traces);
  if (session.impl_->pattern) {
    samples.clear();
    for (const auto& extents : {small, large}) {
      for (const Extent extent : extents) {
        samples.push_back({.input = extent, .peak_bytes = *session.planned_peak(extent)});
      }
    }
  }
  return samples;
}

}  // namespace pantile
