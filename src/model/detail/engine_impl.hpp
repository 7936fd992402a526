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

}  // namespace pantile
