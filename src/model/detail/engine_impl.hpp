#pragma once

#include <filesystem>
#include <string>

#include "model/detail/allocator.hpp"
#include "model/detail/ort.hpp"
#include "model/engine.hpp"

namespace pantile {

/// Order of members: the allocator is registered with the environment, and must outlive it.
struct Engine::Impl {
  explicit Impl(void* handle);  ///< an open library
  ~Impl();

  std::filesystem::path library;
  std::string version;
  detail::MeteringAllocator allocator;
  Ort::Env env;
};

namespace detail {

/// Results must not depend on how many threads, lanes or tiles there are, and memory on nothing but the input's extent.
/// `folder`: of weights in other files; empty if there are none.
[[nodiscard]] Ort::SessionOptions session_options(const std::filesystem::path& folder);

/// Why the engine does not open a model, in its words, and what a person can do about it.
[[nodiscard]] std::string why_not_opened(const Engine& engine, std::string_view name, std::string_view reason);

}  // namespace detail

}  // namespace pantile
