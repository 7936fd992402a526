#include "run/executor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "base/byte_size.hpp"
#include "base/steady.hpp"
#include "config/config.hpp"
#include "device/cpu.hpp"
#include "device/process_memory.hpp"
#include "image/pixels.hpp"
#include "pipeline/bounded_queue.hpp"
#include "pipeline/executor_protocol.hpp"
#include "pipeline/lanes.hpp"
#include "run/block_feeder.hpp"
#include "run/calibrate.hpp"
#include "run/confinement.hpp"
#include "run/item_decoder.hpp"
#include "run/stage_setup.hpp"
#include "run/tile_timing.hpp"
#include "store/digest.hpp"

namespace pantile {
namespace {

/// The most that decoders take beside what is charged for them, with the stacks of all threads. Far above what any
/// image needs; a decoder that runs away is stopped here.
constexpr std::uint64_t decoder_bytes = 512 * MiB;

/// How far opening a model may pass a cap that is then refused.
constexpr std::uint64_t beyond_bytes = 64 * MiB;

/// Everything that a model needs to run on this device, in the order of its construction.
struct Device {
  Meter meter;
  SlabPool slabs{meter};
  Engine engine;
  std::optional<Session> session;
  std::optional<ModelStage> stage;
};

class Executor {
 public:
  Executor(Link& link, const Arena& arena, OwnProcess own_process)
      : link_{link}, arena_{arena}, own_process_{own_process} {}
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  ~Executor() { stop(); }

  void serve() {
    auto next_beat = std::chrono::steady_clock::now();
    for (;;) {
      const std::optional<Bytes> bytes = link_.receive(std::chrono::milliseconds{100});
      if (bytes &&
          !std::visit([this](const auto& message) { return on(message); }, decode_message<ToExecutor>(*bytes))) {
        return;
      }
      if (link_.closed()) {
        stop();
        return;
      }
      if (std::chrono::steady_clock::now() >= next_beat && lanes_) {
        next_beat += std::chrono::seconds{1};
        const ResidentNow now = resident_now();
        tell(ExecutorBeat{now.bytes, now.peak_bytes, lanes_->busy_us()});
        set_meter();
        keep_pages_few(now.bytes - now.shared_bytes);
      }
    }
  }

 private:
  /// Each handler returns false if it was the last message.
  bool on(const Open& open) {
    try {
      tell(opened(open));
    } catch (const Error& error) {
      tell(OpenFailed{static_cast<std::int32_t>(error.code()), error.what()});
    } catch (const std::bad_alloc&) {
      tell(OpenFailed{static_cast<std::int32_t>(ExitCode::failed), "there is not enough memory to open the model"});
    }
    return true;
  }
  bool on(const StartLanes& start) {
    lanes_.emplace(*device_->stage, start.lanes, &steady_us,
                   Lanes::Told{[this](const BlockJob& job, std::uint32_t tile) {
                                 tell(TileIsMade{job.ticket, tile});
                               },
                               [this](const BlockJob& job, const BlockOutcome& outcome) { finish(job, outcome); }});
    use(start.use);
    decoder_ = std::jthread{[this] { decode_all(); }};
    if (own_process_ == OwnProcess::yes) {
      limit_memory();  // After the threads: their stacks count too.
      confine_to_reading();
    }
    return true;
  }
  bool on(const ChangeUse& change) {
    const std::uint64_t before = device_->meter.cap();
    use(change.use);
    if (own_process_ == OwnProcess::yes && device_->meter.cap() > before) {
      limit_memory();
    }
    return true;
  }
  bool on(const TimeTiles& order) {
    device_->meter.set_cap(standing_bytes_ + order.cap_bytes);
    tell(TilesTimed{tiles_per_s(*device_->stage, order.tile, order.lanes, std::chrono::milliseconds{order.least_ms})});
    return true;
  }
  bool on(const RunBlock& run) {
    queue_.push(run, 0);
    return true;
  }
  bool on(const CancelBlocks& cancel) {
    for (const std::uint64_t ticket : cancel.tickets) {
      {
        const std::lock_guard lock{cancelled_mutex_};
        cancelled_.insert(ticket);
      }
      lanes_->cancel(ticket);
    }
    return true;
  }
  bool on(const StopExecutor& /*stop*/) {
    stop();
    return false;
  }

  /// Holds from the next tile on. What lanes keep from larger tiles is given back with the tile that they are at.
  void use(const DeviceUse& use) {
    engine_bytes_ = use.engine_bytes;
    least_tile_bytes_ = use.least_tile_bytes;
    is_passing_ = use.is_passing;
    decoded_cap_ = use.decoded_bytes;
    device_->stage->set_largest_tile(use.tile);
    lanes_->use(use.lanes);
    device_->slabs.trim_all();
    changed_us_ = steady_us();
    set_meter();
  }

  /// By the plan, but for pixels that were decoded when there was more room.
  void set_meter() {
    device_->meter.set_cap(standing_bytes_ +
                           std::max<std::uint64_t>(engine_bytes_, decoded_.current() + least_tile_bytes_));
  }

  /// What may yet come are decoders' own buffers, beside what the meter hands out.
  void limit_memory() {
    const std::uint64_t cap = device_->meter.cap();
    limit_growth(cap - std::min(cap, device_->meter.current()) + decoder_bytes);
  }

  /// What has come back into memory of programs and libraries is dropped again before it takes what is kept free for
  /// it.
  void keep_pages_few(std::uint64_t resident) {
    const std::uint64_t metered = device_->meter.current();
    if (resident > metered + unmetered_bytes_ + pages_coming_back - memory_reserve_bytes) {
      clean_pages_->drop();
    }
  }

  template <class Message>
  void tell(Message message) {
    link_.send(encode_message(FromExecutor{std::move(message)}));
  }

  /// Opens engine and model under the cap, and measures what tiles need. A little more than a cap that is too small is
  /// taken, so that it is known which would do.
  Opened opened(const Open& open) {
    const RunConfig config = parse_config(open.config, "the run's config", open.config_folder);
    const StageConfig& stage = config.pipeline.front();
    ModelFile model = read_model(stage);
    if (model.digest != open.model_digest) {
      throw UsageError{
          fmt::format("{} is another file here than where the run was started (digest {} instead of {}). All "
                      "nodes must see the same model.",
                      stage.model.resolved.string(), to_string(model.digest), to_string(open.model_digest))};
    }
    const ModelFacts facts = stage_facts(config, stage, model);
    alpha_ = stage.image.alpha;
    limits_ = decode_limits(config.limits);
    device_.emplace();
    Meter& meter = device_->meter;
    bool is_beyond = false;
    const auto limit = [&] {
      drop_clean_pages();
      const std::uint64_t taken = taken_bytes(open);
      is_beyond = is_beyond || open.cap_bytes < taken + meter.current() + MiB;
      meter.set_cap(is_beyond ? meter.current() + beyond_bytes : open.cap_bytes - taken);
    };
    limit();
    device_->session.emplace(device_->engine, device_->slabs, model.bytes, stage.model.written, model.place.folder);
    device_->stage.emplace(*device_->session, facts, stage_options(stage, facts));
    model.bytes = {};
    limit();
    const CalibrationKey key{model.digest, precision_f32, cpu_device_class(), device_->engine.name()};
    Calibration calibration = calibrate(*device_->session, key, open.known, {facts.geometry.alignment_px});
    if (!calibration.footprint.known() && !is_beyond) {
      is_beyond = true;
      limit();
      calibration = calibrate(*device_->session, key, open.known, {facts.geometry.alignment_px});
    }
    device_->slabs.trim_idle();
    unmetered_bytes_ = pantile::unmetered_bytes(meter);
    clean_pages_.emplace();
    standing_bytes_ = meter.current();
    const std::uint64_t least = is_beyond ? taken_bytes(open) + meter.peak() : 0;
    const std::uint64_t standing = taken_bytes(open) + pages_coming_back + standing_bytes_;
    meter.set_cap(standing_bytes_ + open.cap_bytes - std::min(open.cap_bytes, standing));
    if (!open.check_tile.empty() && tiles_per_s(*device_->stage, open.check_tile, open.check_lanes, {}) <= 0) {
      throw Error{fmt::format("the device does not make {} tiles of {} at once any more", open.check_lanes,
                              to_string(open.check_tile))};
    }
    return {.device_class = key.device_class,
            .engine = key.engine,
            .standing_bytes = standing,
            .least_cap_bytes = least,
            .facts = facts,
            .calibration = calibration};
  }

  /// Of the cap, what no meter sees, now, and what is kept free.
  [[nodiscard]] std::uint64_t taken_bytes(const Open& open) const {
    return pantile::unmetered_bytes(device_->meter) + open.outside_bytes + memory_reserve_bytes;
  }

  /// The decoder's thread: blocks of one item follow each other, so what is decoded whole serves them all.
  void decode_all() {
    ItemDecoder decoder{limits_, alpha_, [this](std::uint64_t bytes) { return charge_bytes(bytes); }};
    const FeedWatch watch{.is_off = [this](std::uint64_t ticket) { return stopping_ || is_cancelled(ticket); },
                          .has_decoded = [this](const DecodeSpan& span) { tell(span); },
                          .room = [this] { return decoded_cap_.load(); },
                          .is_crowded = [this] { return decoded_.current() > decoded_cap_; }};
    for (std::optional<RunBlock> run = queue_.pop(); run && !stopping_; run = queue_.pop()) {
      if (take_cancelled(run->ticket)) {
        tell(BlockHasFailed{run->ticket, Fault::none, "cancelled"});
        continue;
      }
      tell(BlockBegins{run->ticket});
      try {
        feed_block(*run, decoder, *device_->stage, *lanes_, pixels_of(*run), watch);
      } catch (const MissingModule& missing) {
        // This machine cannot decode what others can: the rank gives up.
        tell(OpenFailed{static_cast<std::int32_t>(ExitCode::failed), missing.what(), false});
        return;
      }
      if (run->last_of_item) {
        decoder.forget();
      }
    }
  }

  /// Charged before they are taken. What the lanes keep from earlier tiles makes room first; then we wait for the
  /// images before this one, which are to leave the tiles their part. Throws std::bad_alloc if even an idle device has
  /// no room for them.
  Charge charge_bytes(std::uint64_t bytes) {
    for (;;) {
      set_meter();
      const bool alone = lanes_->idle();
      if (alone || decoded_.current() + bytes <= decoded_cap_) {
        try {
          Charge charge{device_->meter, decoded_, bytes};
          set_meter();
          return charge;
        } catch (const std::bad_alloc&) {
          const bool made_room = device_->slabs.trim_idle() > 0;
          if (stopping_ || (alone && !made_room && !is_passing_)) {
            throw;
          }
        }
      } else if (stopping_) {
        throw std::bad_alloc{};
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
  }

  [[nodiscard]] std::span<std::uint8_t> pixels_of(const RunBlock& run) const {
    const std::span<std::byte> slot = arena_.at(run.slot);
    return {reinterpret_cast<std::uint8_t*>(slot.data()), slot.size()};
  }

  /// On the lane that did a block's last tile.
  void finish(const BlockJob& job, const BlockOutcome& outcome) {
    static_cast<void>(take_cancelled(job.ticket));
    if (outcome.failure) {
      tell(BlockHasFailed{job.ticket, outcome.failure->fault, outcome.failure->detail});
      return;
    }
    tell(BlockIsDone{
        .ticket = job.ticket,
        .digest = block_digest(job.key.item, job.key.output, DType::u8, job.rect, device_->stage->output_channels(),
                               std::as_bytes(job.pixels)),
        .input_xxh3 = job.input_xxh3,
        .milliseconds = static_cast<float>(outcome.busy_ms),
        .peak_bytes = outcome.peak_bytes,
        .input = outcome.input,
        .tile = outcome.tile,
        // What found no room beside too many pixels, or among slabs of larger tiles, says nothing about tiles.
        .out_of_memory =
            job.is_crowded || outcome.begin_us <= changed_us_ ? Extent{} : outcome.out_of_memory.value_or(Extent{}),
        .lane = outcome.lane,
        .begin_us = outcome.begin_us,
        .end_us = outcome.end_us});
  }

  /// A block is cancelled once, and answered once.
  [[nodiscard]] bool take_cancelled(std::uint64_t ticket) {
    const std::lock_guard lock{cancelled_mutex_};
    return cancelled_.erase(ticket) > 0;
  }
  [[nodiscard]] bool is_cancelled(std::uint64_t ticket) {
    const std::lock_guard lock{cancelled_mutex_};
    return cancelled_.contains(ticket);
  }

  void stop() {
    stopping_ = true;
    queue_.close();
    decoder_ = {};
    lanes_.reset();
  }

  Link& link_;
  const Arena& arena_;
  OwnProcess own_process_;
  std::optional<Device> device_;
  ImageConfig::Alpha alpha_ = ImageConfig::Alpha::drop;
  DecodeLimits limits_;
  BoundedQueue<RunBlock> queue_{BoundedQueue<RunBlock>::unbounded};  // bounded by the slots of the arena
  std::atomic<bool> stopping_ = false;
  std::uint64_t unmetered_bytes_ = 0;  ///< when the model was open
  std::uint64_t standing_bytes_ = 0;   ///< metered then: weights
  Meter decoded_;                      ///< decoded pixels alone
  std::atomic<std::uint64_t> decoded_cap_ = 0;
  std::atomic<std::uint64_t> engine_bytes_ = 0;
  std::atomic<std::uint64_t> least_tile_bytes_ = 0;
  std::atomic<bool> is_passing_ = false;
  std::atomic<std::int64_t> changed_us_ = 0;  ///< when the use changed
  std::optional<CleanPages> clean_pages_;     ///< of what was loaded when the model was open
  std::mutex cancelled_mutex_;
  std::set<std::uint64_t> cancelled_;  ///< tickets
  std::optional<Lanes> lanes_;
  std::jthread decoder_;
};

}  // namespace

void run_executor(Link& link, const Arena& arena, OwnProcess own_process) {
  try {
    Executor{link, arena, own_process}.serve();
  } catch (const std::exception& error) {
    // No thread to be had, no memory for a message: this device is of no use any more.
    link.send(encode_message(FromExecutor{OpenFailed{static_cast<std::int32_t>(ExitCode::failed),
                                                     fmt::format("the executor cannot go on: {}", error.what())}}));
  }
}

}  // namespace pantile
