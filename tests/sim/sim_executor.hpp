#pragma once
// An executor in virtual time. It decodes, makes tiles in the arena of its rank, tells of them, and dies as items and
// signals want it.

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "run/executor_host.hpp"
#include "sim/pixels.hpp"
#include "sim/timeline.hpp"

namespace pantile::sim {

/// What is wrong with an item.
enum class Ailment : std::uint8_t {
  none,
  bad,       ///< its bytes are broken, and the decoder says so
  refused,   ///< the model refuses it, always
  flaky,     ///< the model refuses it, once
  crashing,  ///< it ends its executor
  hanging,   ///< it stops its executor for good
  hungry     ///< it eats all memory
};

/// What an executor knows of the world. One for all of a seed.
struct ExecutorWorld {
  Timeline& time;
  Chance& chance;
  std::function<Ailment(const BlockKey&)> ailment;
  std::function<void(std::size_t life, int rank, const BlockKey&)> made;
  std::function<void(int rank, const DeviceUse&)> told;  ///< what a device may use from now on
  ModelFacts facts;
};

/// It must outlive the timeline's last event.
class SimExecutor final : public ExecutorHost {
 public:
  struct Settings {
    int rank = 0;
    int lanes = 1;
    double px_per_s = 1000;
    std::size_t life = 0;  ///< of the cluster
    Extent runs_out{};     ///< not empty: the input of a tile for which its first block found no memory
  };
  /// `wake` is called when there is something to receive. `arena` outlives this.
  SimExecutor(ExecutorWorld& world, const Settings& settings, const Arena& arena, std::function<void()> wake)
      : world_{world}, settings_{settings}, arena_{arena}, wake_{std::move(wake)} {}

  void send(const ToExecutor& message) override {
    if (is_alive_) {
      std::visit([this](const auto& told) { on(told); }, message);
    }
  }
  std::optional<FromExecutor> receive() override {
    if (said_.empty()) {
      return std::nullopt;
    }
    FromExecutor first = std::move(said_.front());
    said_.pop_front();
    return first;
  }
  std::optional<ExecutorDeath> ended() override { return std::exchange(death_, std::nullopt); }
  bool kill(DeathCause cause) override {
    die(cause, "SIGKILL by its rank");
    return true;
  }
  void restart() override {
    ++incarnation_;
    is_alive_ = true;
  }

  /// The rank is gone, and its executor with it.
  void vanish() {
    is_alive_ = false;
    ++incarnation_;
  }
  void die(DeathCause cause, const char* how) {
    if (!is_alive_) {
      return;
    }
    vanish();
    queue_.clear();
    running_ = 0;
    cancelled_.clear();
    death_ = ExecutorDeath{.cause = cause, .how = how, .pid = 1, .oom_kills = 0, .words = {}};
    wake_();
  }

 private:
  void say(FromExecutor message) {
    said_.push_back(std::move(message));
    wake_();
  }
  /// Unless it dies before.
  template <class What>
  void after(double seconds, What what) {
    world_.time.after(seconds, [this, incarnation = incarnation_, what = std::move(what)]() mutable {
      if (is_alive_ && incarnation_ == incarnation) {
        what(*this);
      }
    });
  }

  void on(const Open& /*open*/) {
    after(world_.chance.between(0.01, 0.5), [](SimExecutor& self) {
      const std::array<FootprintSample, 3> probes{{{{64, 64}, 200'000}, {{128, 128}, 600'000}, {{64, 256}, 650'000}}};
      self.say(Opened{.device_class = "sim",
                      .engine = "simulated",
                      .standing_bytes = std::uint64_t{30} << 20U,
                      .facts = self.world_.facts,
                      .calibration = {.footprint = Footprint{probes}}});
    });
  }
  void on(const StartLanes& start) {
    lanes_ = start.lanes;
    world_.told(settings_.rank, start.use);
  }
  void on(const RunBlock& run) {
    queue_.push_back(run);
    start_next();
  }
  void on(const CancelBlocks& cancel) { cancelled_.insert(cancel.tickets.begin(), cancel.tickets.end()); }
  void on(const StopExecutor& /*stop*/) {}
  void on(const TimeTiles& /*time*/) {}
  void on(const ChangeUse& change) { world_.told(settings_.rank, change.use); }

  void start_next() {
    while (running_ < settings_.lanes && !queue_.empty()) {
      ++running_;
      const auto run = std::make_shared<const RunBlock>(std::move(queue_.front()));
      queue_.pop_front();
      after(world_.chance.exponential(0.005), [run](SimExecutor& self) { self.begin(run); });
    }
  }

  using Run = std::shared_ptr<const RunBlock>;

  void begin(const Run& run) {
    if (is_cancelled(run)) {
      return;
    }
    say(BlockBegins{run->ticket});
    const double soon_s = world_.chance.exponential(0.2);
    switch (world_.ailment(run->key)) {
      case Ailment::bad: fail(run, Fault::truncated); return;
      case Ailment::refused:
      case Ailment::flaky: fail(run, Fault::model_failed); return;
      case Ailment::crashing:
        after(soon_s, [](SimExecutor& self) { self.die(DeathCause::crashed, "SIGSEGV"); });
        return;
      case Ailment::hungry:
        after(soon_s, [](SimExecutor& self) { self.die(DeathCause::out_of_memory, "SIGKILL"); });
        return;
      case Ailment::hanging: return;
      case Ailment::none: break;
    }
    std::vector<std::uint32_t> tiles;
    for (std::uint32_t tile = 0; tile < tiles_of(run->key); ++tile) {
      if (std::find(run->made.begin(), run->made.end(), tile) == run->made.end()) {
        tiles.push_back(tile);
      }
    }
    make(run, std::move(tiles));
  }

  void make(const Run& run, std::vector<std::uint32_t> tiles) {
    if (tiles.empty()) {
      done(run);
      return;
    }
    const double tile_px = static_cast<double>(run->rect.area()) / tiles_of(run->key);
    after(tile_px / settings_.px_per_s * world_.chance.between(0.8, 1.2),
          [run, tiles = std::move(tiles)](SimExecutor& self) mutable {
            if (self.is_cancelled(run)) {
              return;
            }
            const std::uint32_t tile = tiles.back();
            tiles.pop_back();
            make_tile(run->key, tile, self.arena_.at(run->slot));
            if (tiles.empty()) {
              self.done(run);
              return;
            }
            // Between the pixels and the word of them it may die: then the tile is made again.
            self.after(self.world_.chance.exponential(0.001), [run, tile](SimExecutor& later) {
              later.say(TileIsMade{run->ticket, tile});
            });
            self.make(run, std::move(tiles));
          });
  }

  void done(const Run& run) {
    world_.made(settings_.life, settings_.rank, run->key);
    const auto pixels = arena_.at(run->slot).first(block_bytes);
    say(BlockIsDone{.ticket = run->ticket,
                    .digest = xxh3_128(pixels),
                    .input_xxh3 = 1,
                    .milliseconds = 1,
                    .peak_bytes = 1,
                    .input = {},
                    .tile = run->tile,
                    .out_of_memory = std::exchange(settings_.runs_out, {}),
                    .lane = 0,
                    .begin_us = world_.time.now_us(),
                    .end_us = world_.time.now_us()});
    end_run();
  }
  void fail(const Run& run, Fault fault) {
    say(BlockHasFailed{run->ticket, fault, "as the seed wants it"});
    end_run();
  }
  bool is_cancelled(const Run& run) {
    if (cancelled_.erase(run->ticket) == 0) {
      return false;
    }
    say(BlockHasFailed{run->ticket, Fault::none, "cancelled"});
    end_run();
    return true;
  }
  void end_run() {
    --running_;
    start_next();
  }

  ExecutorWorld& world_;
  Settings settings_;
  const Arena& arena_;
  std::function<void()> wake_;
  std::deque<FromExecutor> said_;
  std::optional<ExecutorDeath> death_;
  bool is_alive_ = true;
  std::uint64_t incarnation_ = 0;
  int lanes_ = 0;
  int running_ = 0;
  std::deque<RunBlock> queue_;
  std::set<std::uint64_t> cancelled_;
};

}  // namespace pantile::sim
