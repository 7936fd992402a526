#include "model/detail/plain_model.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "base/error.hpp"
#include "model/detail/engine_impl.hpp"
#include "model/detail/graph.hpp"

namespace pantile::detail {

struct PlainModel::Impl {
  std::string name;
  Ort::Session session;
  std::string input;
  std::vector<std::string> outputs;
};

namespace {

Ort::Session open(const Engine& engine, std::span<const std::byte> model, std::string_view name,
                  const std::filesystem::path& folder) {
  try {
    return {engine.impl().env, model.data(), model.size(), session_options(folder)};
  } catch (const Ort::Exception& error) {
    throw UsageError{why_not_opened(engine, name, error.what())};
  }
}

}  // namespace

PlainModel::PlainModel(const Engine& engine, std::span<const std::byte> model, std::string_view name,
                       const std::filesystem::path& folder)
    : impl_{new Impl{
          .name = std::string{name}, .session = open(engine, model, name, folder), .input = {}, .outputs = {}}} {
  const Ort::AllocatorWithDefaultOptions strings;
  if (impl_->session.GetInputCount() != 1) {
    throw UsageError{
        fmt::format("{} has {} inputs, and only models with one can be checked", name, impl_->session.GetInputCount())};
  }
  impl_->input = impl_->session.GetInputNameAllocated(0, strings).get();
  for (std::size_t at = 0; at < impl_->session.GetOutputCount(); ++at) {
    impl_->outputs.emplace_back(impl_->session.GetOutputNameAllocated(at, strings).get());
  }
}

PlainModel::~PlainModel() = default;

std::vector<PlainOutput> PlainModel::run(std::span<const float> input, std::span<const std::int64_t> dims) const {
  const auto host = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  const std::array<const char*, 1> inputs{impl_->input.c_str()};
  std::vector<const char*> outputs;
  for (const std::string& name : impl_->outputs) {
    outputs.push_back(name.c_str());
  }
  try {
    // ONNX Runtime's interface knows no const input; it does not write to it.
    const auto value =
        Ort::Value::CreateTensor<float>(host, const_cast<float*>(input.data()), input.size(), dims.data(), dims.size());
    const std::vector<Ort::Value> values =
        impl_->session.Run(Ort::RunOptions{nullptr}, inputs.data(), &value, 1, outputs.data(), outputs.size());
    std::vector<PlainOutput> results;
    for (const Ort::Value& each : values) {
      if (!each.IsTensor()) {
        throw Error{fmt::format("{}: an output is no tensor, and cannot be compared", impl_->name)};
      }
      const auto info = each.GetTensorTypeAndShapeInfo();
      // The engine's numbers of types are those of the format.
      const auto size = static_cast<std::size_t>(bytes_of_element(static_cast<int>(info.GetElementType())));
      PlainOutput result{.dims = info.GetShape(), .element_bytes = std::max<std::size_t>(1, size), .bytes = {}};
      result.bytes.resize(info.GetElementCount() * result.element_bytes);
      std::memcpy(result.bytes.data(), each.GetTensorRawData(), result.bytes.size());
      results.push_back(std::move(result));
    }
    return results;
  } catch (const Ort::Exception& error) {
    throw Error{fmt::format("{}: {}", impl_->name, error.what())};
  }
}

}  // namespace pantile::detail
