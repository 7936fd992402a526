#pragma once
// The shards of a worker in virtual time: the real desk over a simulated disk, with a trivial file format, each order
// taking as long as chance wants it.

#include <deque>
#include <functional>
#include <utility>

#include "run/shard_store.hpp"
#include "sim/pixels.hpp"
#include "sim/process.hpp"
#include "sim/timeline.hpp"
#include "sim/trivial_shard.hpp"

namespace pantile::sim {

/// It must outlive the timeline's last event.
class SimStore final : public ShardStore {
 public:
  struct Place {
    Timeline& time;
    Chance& chance;
    Process& process;
    Disk& disk;
  };
  /// `pixels` tells what is in a slot; `wake` is called when there is an answer.
  SimStore(const Place& place, ShardDesk::Settings settings, ShardDesk::PixelsOf pixels, std::function<void()> wake)
      : place_{place},
        desk_{settings, place.disk, trivial_shards(place.disk, settings.layout), std::move(pixels)},
        wake_{std::move(wake)} {}

  void tell(ShardOrder order) override {
    orders_.push_back(std::move(order));
    work();
  }
  std::optional<ShardAnswer> poll() override {
    if (answers_.empty()) {
      return std::nullopt;
    }
    ShardAnswer first = std::move(answers_.front());
    answers_.pop_front();
    return first;
  }
  bool waits_for_disk() const noexcept override { return is_busy_; }

  /// Time has passed.
  void tick() {
    if (!is_busy_ && is_able()) {
      answer(desk_.tick(place_.time.now_s()));
    }
    work();
  }
  /// The worker ends in order: what is not sealed never happened.
  void close() {
    is_open_ = false;
    desk_.close();
  }

 private:
  [[nodiscard]] bool is_able() const { return is_open_ && !place_.process.is_dead && !place_.process.is_stopped; }

  void work() {
    if (is_busy_ || orders_.empty() || !is_able()) {
      return;
    }
    is_busy_ = true;
    const bool seals = std::holds_alternative<FinishShard>(orders_.front());
    place_.time.after(place_.chance.exponential(seals ? 0.05 : 0.001), [this] { carry_out_first(); });
  }
  void carry_out_first() {
    is_busy_ = false;
    if (is_able()) {
      const ShardOrder order = std::move(orders_.front());
      orders_.pop_front();
      answer(desk_.on(order, place_.time.now_s()));
      work();
    }
  }
  void answer(std::vector<ShardAnswer> answers) {
    if (!place_.process.is_dead && !answers.empty()) {
      for (ShardAnswer& one : answers) {
        is_open_ = is_open_ && !std::holds_alternative<StoreHasFailed>(one);
        answers_.push_back(std::move(one));
      }
      wake_();
    }
  }

  Place place_;
  ShardDesk desk_;
  std::function<void()> wake_;
  std::deque<ShardOrder> orders_;
  std::deque<ShardAnswer> answers_;
  bool is_busy_ = false;
  bool is_open_ = true;
};

}  // namespace pantile::sim
