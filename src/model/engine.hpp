#pragma once
// ONNX Runtime, behind one door. The library is opened at run time: one build of pantile then works with any version
// from 1.21 on (linked against, its versioned symbols would tie us to one), and starts where there is none.

#include <filesystem>
#include <memory>
#include <string>

namespace pantile {

/// ONNX Runtime from 1.29 on tells its makers of every process that uses it, over the network, unless a variable of the
/// environment forbids it; its own call for that comes too late. Call this first of all in main(), while there is one
/// thread; an Engine does so too, for those who did not.
void forbid_telemetry() noexcept;

/// The engine of this process: library, environment, and the allocator that charges a Meter for each block.
///
/// Make one per process, before the first Session, and keep it longer than all of them. Thread-safe once made.
class Engine {
 public:
  /// Searches: the file that PANTILE_ORT_LIB names (and nothing else if it is set), the path found when this was built,
  /// ../lib beside the executable, then the system's libonnxruntime.so.1. Runs a tiny model to see that the library
  /// reports a refused allocation instead of crashing. Throws UsageError if there is no library, or it is too old;
  /// Error if it misbehaves.
  Engine();
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// "1.31.1"
  [[nodiscard]] const std::string& version() const noexcept;
  /// "ONNX Runtime 1.31.1"
  [[nodiscard]] std::string name() const { return "ONNX Runtime " + version(); }
  /// The file that was opened, as the loader knows it.
  [[nodiscard]] const std::filesystem::path& library() const noexcept;

  struct Impl;  ///< ONNX Runtime's own types stay in the .cpp files.
  [[nodiscard]] Impl& impl() const noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace pantile
