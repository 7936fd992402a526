#pragma once
// When units are held back because the disk has no room for their results, and when they go on. Pure: free space and
// time are told.

#include <chrono>
#include <cstdint>
#include <optional>

#include "plan/scheduler_messages.hpp"

namespace pantile {

/// What the run has yet to write, in bytes.
struct SpaceNeeds {
  std::uint64_t in_flight = 0;  ///< of the units that are out
  std::uint64_t unit = 0;       ///< of the largest unit
  std::uint64_t left = 0;       ///< of all that is not made yet, in flight or not
  std::uint64_t reserve = 0;    ///< of what must fit whatever happens
  std::uint64_t workers = 1;

  /// With less than this, nothing new is begun: what is in flight, the two units that each worker may be handed before
  /// the next look, and what an open shard costs beside its pixels.
  [[nodiscard]] std::uint64_t least() const noexcept;
  /// From this on it goes on: some units more, so that it does not stop at once again.
  [[nodiscard]] std::uint64_t enough() const noexcept;
};

/// The disk as it is known now. Full is only said by somebody who could not write: the file system may say otherwise,
/// as it does where there are quotas. Then only a write that works says that there is room.
class SpaceWatch {
 public:
  /// `patience`: how long units are held back before the run gives up; 0: it does not wait at all.
  explicit SpaceWatch(std::chrono::milliseconds patience) : patience_{patience} {}

  /// Free space was looked at. `can_write` is asked only where the answer matters.
  template <class CanWrite>
  void look(std::uint64_t free, const SpaceNeeds& needs, double now_s, CanWrite can_write) {
    if (space_ == Space::enough && free < needs.least()) {
      hold(Space::low, now_s);
    } else if (space_ == Space::low && free >= needs.enough()) {
      space_ = Space::enough;
      if (!has_lost_) {
        since_s_.reset();  // The next spell is another one.
      }
    } else if (space_ == Space::full && now_s >= try_again_s_ && free >= needs.enough() && can_write()) {
      space_ = Space::enough;
    }
  }
  /// A shard was lost because there was no room for it.
  void lost_a_shard(double now_s);
  /// Work has become durable: whatever was wrong is over, if it goes on.
  void committed();

  /// What the run is to be told.
  struct News {
    Space space = Space::enough;
    bool gives_up = false;  ///< it has waited for longer than its patience; said once
  };
  /// Nothing if all of it was told before. The room of the disk is told also after it has given up: whether what has
  /// begun can be stored decides how the run ends.
  [[nodiscard]] std::optional<News> news(double now_s);

  [[nodiscard]] Space space() const noexcept { return space_; }
  [[nodiscard]] bool has_given_up() const noexcept { return has_given_up_; }

 private:
  void hold(Space space, double now_s);

  std::chrono::milliseconds patience_;
  Space space_ = Space::enough;
  Space told_ = Space::enough;
  bool has_given_up_ = false;
  std::optional<double> since_s_;  ///< of the trouble at hand
  bool has_lost_ = false;  ///< a shard: then the trouble is over when work is committed, else when there is room
  double try_again_s_ = 0;
  double pause_s_ = 1;  ///< doubles with each loss in a row
};

}  // namespace pantile
