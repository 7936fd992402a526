#pragma once
// A model that is ready to run on a CPU device. All memory that a run takes is charged to the device's meter; a refused
// byte ends that run cleanly, and nothing else.
//
//     Meter meter{budget};  SlabPool slabs{meter};  Engine engine;
//     Session session{engine, slabs, model_bytes, "upconv7.onnx"};
//     const Probes probes = probe_footprint(session);  …plan…
//     MeteredBuffer input{meter, 3 * 142 * 142 * sizeof(float)};  …fill it…
//     RunOutcome outcome = session.run(input.floats(), 3, {142, 142});
//     if (auto* output = std::get_if<Tensor>(&outcome)) { …output->plane(0)… }

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/extent.hpp"
#include "device/footprint.hpp"
#include "device/metered_buffer.hpp"
#include "device/slab.hpp"
#include "model/engine.hpp"

namespace pantile {

/// What a run gave: planar floats [batch, channels, height, width] in the lane's slab, charged until this is destroyed.
/// Copy out and destroy it before the next run on this lane, which otherwise takes a slab of its own. Must not outlive
/// its session.
class Tensor {
 public:
  [[nodiscard]] int channels() const noexcept { return channels_; }
  [[nodiscard]] Extent extent() const noexcept { return extent_; }
  /// batch × channels × height × width floats, row-major.
  [[nodiscard]] std::span<const float> data() const noexcept { return data_; }
  /// The pixels of one channel of the first image. Precondition: 0 ≤ channel < channels().
  [[nodiscard]] std::span<const float> plane(int channel) const noexcept {
    const auto area = static_cast<std::size_t>(extent_.area());
    return data_.subspan(static_cast<std::size_t>(channel) * area, area);
  }
  /// The most that this run needed of its lane at once, in bytes: activations, scratch and this output.
  [[nodiscard]] std::uint64_t peak_bytes() const noexcept { return peak_bytes_; }

 private:
  friend class Session;
  struct Release {
    void operator()(void* value) const noexcept;
  };
  Tensor(SlabPool::Lease lease, void* value) noexcept : lease_{std::move(lease)}, value_{value} {}

  SlabPool::Lease lease_;  // outlives the value, which lies in it
  std::unique_ptr<void, Release> value_;
  std::span<const float> data_;
  int channels_ = 0;
  Extent extent_;
  std::uint64_t peak_bytes_ = 0;
};

/// The meter refused a block. A smaller tile may do; the session is as good as before.
struct OutOfMemory {
  std::uint64_t refused_bytes = 0;  ///< the block that did not fit
  std::uint64_t peak_bytes = 0;     ///< what the run had when it was refused, without that block
};

/// The engine could not run the model on this input, and memory was not the reason.
struct EngineFailure {
  std::string text;
};

using RunOutcome = std::variant<Tensor, OutOfMemory, EngineFailure>;

/// One model, opened once. run() may be called by many threads at once; each call uses the calling thread only.
class Session {
 public:
  /// `model` may be freed afterwards; `name` is for messages; `folder` has the files in which the model keeps weights,
  /// if it does. Throws UsageError if the engine cannot open the model, or if the meter's cap does not hold its
  /// weights. `engine` and `slabs` must outlive the session.
  Session(const Engine& engine, SlabPool& slabs, std::span<const std::byte> model, std::string_view name,
          const std::filesystem::path& folder = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Runs the model on images [batch, channels, height, width] of planar floats, which the caller owns and keeps until
  /// this returns. Precondition: nchw.size() == batch × channels × extent.area() > 0; batch is 1, or takes_batches().
  [[nodiscard]] RunOutcome run(std::span<const float> nchw, int channels, Extent extent, int batch = 1) const;

  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] int input_channels() const noexcept;
  [[nodiscard]] Meter& meter() const noexcept;
  /// Gives back what lanes that run nothing keep from earlier tiles.
  void trim_idle() const noexcept;
  /// Whether the model takes several images at once, by what it declares of its input.
  [[nodiscard]] bool takes_batches() const noexcept;
  /// What the engine holds of the open model: charged to the meter as long as the session lives.
  [[nodiscard]] std::uint64_t weights_bytes() const noexcept;

  /// Gives the blocks of each further run the places that waste nothing, or none. Not while a run is under way.
  void plan_with(std::optional<AllocationPattern> pattern);
  /// Gives the pages of idle lanes back.
  void trim() const noexcept;
  /// What a run will need at once, to the byte; nothing without a pattern.
  [[nodiscard]] std::optional<std::uint64_t> planned_peak(Extent extent, int batch = 1) const;

  struct Impl;

 private:
  friend RunOutcome run_on_noise(const Session& session, Extent extent, int batch, Trace* trace);
  [[nodiscard]] RunOutcome run_recorded(std::span<const float> nchw, Extent extent, int batch, Trace* trace) const;

  std::unique_ptr<Impl> impl_;
};

/// Runs the model on made-up images from 0 to 1, whose pixels are charged too; `trace` is filled if it is given.
[[nodiscard]] RunOutcome run_on_noise(const Session& session, Extent extent, int batch = 1, Trace* trace = nullptr);

struct ProbeOptions {
  int alignment_px = 1;      ///< the extents are multiples of it
  bool for_batches = false;  ///< also runs several images at once: a device that makes batches wants to know
};

/// What probing has told.
struct Probes {
  std::optional<AllocationPattern> pattern;  ///< if the sequence of allocations does not depend on the input
  std::vector<FootprintSample> samples;      ///< as measured; those that the meter refused are left out
  bool refused = false;                      ///< the meter did not hold all of them, and there is no pattern
};

/// Runs the model at a few small extents, square and not, and says what each needs. Call it under the cap, before lanes
/// run: from then on blocks get the places that waste nothing, and planned_peak() is known. Where the meter refuses
/// one, all are made again at half the size. The slabs are trimmed afterwards. Throws Error if the
/// model runs at none of them, and memory is not the reason.
Probes probe_footprint(Session& session, ProbeOptions options = {});

/// What the probes tell of all runs: by the pattern, else by the formula; not known from fewer than three probes.
[[nodiscard]] Footprint footprint_of(const Probes& probes);

}  // namespace pantile
