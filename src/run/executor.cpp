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
        tell(ExecutorBeat{device_->meter.current(), device_->meter.peak(), lanes_->busy_us()});
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
    decoder_ = std::jthread{[this] { decode_all(); }};
    if (own_process_ == OwnProcess::yes) {
      // After the threads: their stacks count too. What may yet come are decoders' own buffers, beside what the meter
      // hands out.
      limit_growth(device_->meter.cap() - device_->meter.current() + decoder_bytes);
      confine_to_reading();
    }
    return true;
  }
  bool on(const TimeTiles& order) {
    device_->meter.set_cap(order.cap_bytes);
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

  template <class Message>
  void tell(Message message) {
    link_.send(encode_message(FromExecutor{std::move(message)}));
  }

  /// Opens engine and model under the cap, and measures what tiles need.
  Opened opened(const Open& open) {
    const RunConfig config = parse_config(open.config, "the run's config", open.config_folder);
    const StageConfig& stage = config.pipeline.front();
    const ModelFile model = read_model(stage);
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
    meter.set_cap(budget(open, meter));
    device_->session.emplace(device_->engine, device_->slabs, model.bytes, stage.model.written, model.folder);
    device_->stage.emplace(*device_->session, facts, stage_options(stage, facts));
    meter.set_cap(budget(open, meter));
    const CalibrationKey key{model.digest, precision_f32, cpu_device_class(), device_->engine.name()};
    const Calibration calibration = calibrate(*device_->session, key, open.known, {facts.geometry.alignment_px});
    device_->slabs.trim_idle();
    meter.set_cap(budget(open, meter));
    meter.reset_peak();
    if (!open.check_tile.empty() && tiles_per_s(*device_->stage, open.check_tile, open.check_lanes, {}) <= 0) {
      throw Error{fmt::format("the device does not make {} tiles of {} at once any more", open.check_lanes,
                              to_string(open.check_tile))};
    }
    return {.device_class = key.device_class,
            .engine = key.engine,
            .budget_bytes = meter.cap() - meter.current(),
            .facts = facts,
            .calibration = calibration};
  }

  /// What the meter may hand out: the device's cap less all that no meter sees, now.
  static std::uint64_t budget(const Open& open, const Meter& meter) {
    const std::uint64_t taken = unmetered_bytes(meter) + open.outside_bytes + memory_reserve_bytes;
    if (open.cap_bytes <= taken + meter.current() + MiB) {
      throw UsageError{
          fmt::format("devices.memory.cap: {} leaves nothing for the model: {} are taken by the program, its "
                      "libraries and its buffers before the first tile. Raise it to {} or more.",
                      format_byte_size(open.cap_bytes), format_byte_size(taken + meter.current()),
                      format_byte_size(taken + meter.current() + 32 * MiB))};
    }
    return open.cap_bytes - taken;
  }

  /// The decoder's thread: blocks of one item follow each other, so what is decoded whole serves them all.
  void decode_all() {
    ItemDecoder decoder{limits_, alpha_, [this](std::uint64_t bytes) { return charge_bytes(bytes); }};
    for (std::optional<RunBlock> run = queue_.pop(); run && !stopping_; run = queue_.pop()) {
      if (take_cancelled(run->ticket)) {
        tell(BlockHasFailed{run->ticket, Fault::none, "cancelled"});
        continue;
      }
      tell(BlockBegins{run->ticket});
      const TileGrid grid = grid_of(*run);
      const std::int64_t begin_us = steady_us();
      const std::optional<ItemDecoder::Decoded> answer = decode(decoder, *run, grid);
      if (!answer) {
        return;  // The rank gives up.
      }
      const ItemDecoder::Decoded& decoded = *answer;
      if (decoder.has_read()) {
        tell(DecodeSpan{run->key.item, begin_us, steady_us()});
      }
      if (take_cancelled(run->ticket)) {
        tell(BlockHasFailed{run->ticket, Fault::none, "cancelled"});
      } else if (decoded) {
        lanes_->add(job_of(*run, grid, decoded.value()));
        if (is_cancelled(run->ticket)) {
          lanes_->cancel(run->ticket);  // It was, between the two lines above.
        }
      } else {
        tell(BlockHasFailed{run->ticket, decoded.failure().fault, decoded.failure().detail});
      }
      if (run->last_of_item) {
        decoder.forget();
      }
    }
  }

  /// Nothing, and the rank is told so, if this machine cannot decode what others can.
  std::optional<ItemDecoder::Decoded> decode(ItemDecoder& decoder, const RunBlock& run, const TileGrid& grid) {
    try {
      return decoder.decode(run, needed_of(run, grid));
    } catch (const MissingModule& missing) {
      tell(OpenFailed{static_cast<std::int32_t>(ExitCode::failed), missing.what(), false});
      return std::nullopt;
    }
  }

  [[nodiscard]] TileGrid grid_of(const RunBlock& run) const {
    return {run.header.extent, device_->stage->geometry(), device_->stage->border(), run.rect, run.tile};
  }

  /// All that the tiles of a block look at, as one rectangle of the item.
  [[nodiscard]] Rect needed_of(const RunBlock& run, const TileGrid& grid) const {
    const Border border = gather_border(device_->stage->geometry(), device_->stage->border());
    Rect all = needed_part(run.header.extent, grid.source(0), border);
    for (std::size_t tile = 1; tile < grid.size(); ++tile) {
      const Rect one = needed_part(run.header.extent, grid.source(tile), border);
      const int y = std::min(all.y, one.y);
      const int x = std::min(all.x, one.x);
      all = {y, x, std::max(all.bottom(), one.bottom()) - y, std::max(all.right(), one.right()) - x};
    }
    return all;
  }

  /// Charged before they are taken. What the lanes keep from earlier tiles makes room first; then we wait for the
  /// images before this one. Throws std::bad_alloc if even an idle device has no room for them.
  Charge charge_bytes(std::uint64_t bytes) {
    for (;;) {
      const bool alone = lanes_->idle();
      try {
        return Charge{device_->meter, bytes};
      } catch (const std::bad_alloc&) {
        const bool made_room = device_->slabs.trim_idle() > 0;
        if (stopping_ || (alone && !made_room)) {
          throw;
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
  }

  BlockJob job_of(const RunBlock& run, const TileGrid& grid, const std::shared_ptr<const DecodedItem>& item) const {
    const std::span<std::byte> slot = arena_.at(run.slot);
    return {.ticket = run.ticket,
            .item = item,
            .grid = grid,
            .rect = run.rect,
            .pixels = {reinterpret_cast<std::uint8_t*>(slot.data()), slot.size()},
            .key = run.key,
            .made = run.made};
  }

  /// On the lane that did a block's last tile.
  void finish(const BlockJob& job, const BlockOutcome& outcome) {
    static_cast<void>(take_cancelled(job.ticket));
    if (outcome.failure) {
      tell(BlockHasFailed{job.ticket, outcome.failure->fault, outcome.failure->detail});
      return;
    }
    tell(BlockIsDone{.ticket = job.ticket,
                     .digest = block_digest(job.key.item, job.key.output, DType::u8, job.rect,
                                            device_->stage->output_channels(), std::as_bytes(job.pixels)),
                     .input_xxh3 = job.item->input_xxh3,
                     .milliseconds = static_cast<float>(outcome.busy_ms),
                     .peak_bytes = outcome.peak_bytes,
                     .tile = outcome.tile,
                     .out_of_memory = outcome.out_of_memory.value_or(Extent{}),
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
