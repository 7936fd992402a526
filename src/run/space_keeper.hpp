#pragma once
// Rank 0's eye on the disk of the output folder: looks how much is free, says when units are to be held back, and keeps
// some room aside, so that journal and index can be written when everything else is full.

#include <cstdint>
#include <optional>
#include <string>

#include "base/disk.hpp"
#include "plan/scheduler.hpp"
#include "run/job.hpp"
#include "run/space_watch.hpp"

namespace pantile {

class SpaceKeeper {
 public:
  /// Of a job whose work is still in it, for so many workers. Sets the reserve aside, if there is room for it. `job`
  /// and `disk` outlive it.
  SpaceKeeper(const Job& job, int workers, Disk& disk = real_disk());

  struct Change {
    Space space = Space::enough;
    bool gives_up = false;  ///< the run is to stop, and `line` says why
    std::string line;       ///< for people; empty if there is nothing to say
  };
  /// An item was handed out.
  void handed_out(ItemId item) { handed_out_ += job_.output_bytes(item); }
  /// Looks at the disk if it is time to: each second, and before what was handed out since could hurt. Tells what is
  /// new.
  [[nodiscard]] std::optional<Change> look(const Scheduler& scheduler, double now_s);
  /// A shard was lost, with this errno. Tells what is new.
  [[nodiscard]] std::optional<Change> lost_a_shard(int number, const Scheduler& scheduler, double now_s);
  void committed() { watch_.committed(); }
  [[nodiscard]] bool has_given_up() const noexcept { return watch_.has_given_up(); }
  /// The end of the run: its last files may have what was set aside.
  void give_back();

 private:
  void set_aside();
  [[nodiscard]] SpaceNeeds needs(const Scheduler& scheduler, double now_s) const;
  [[nodiscard]] bool can_write(std::uint64_t bytes);
  [[nodiscard]] std::optional<Change> tell(const SpaceNeeds& needs, double now_s);

  const Job& job_;
  Disk& disk_;
  SpaceWatch watch_;
  std::uint64_t workers_;
  double bytes_per_px_ = 0;  ///< of results, for each pixel of input
  std::uint64_t reserve_bytes_;
  bool is_set_aside_ = false;
  std::uint64_t largest_item_ = 0;
  std::uint64_t free_ = 0;
  std::uint64_t handed_out_ = 0;  ///< since the last look
  double next_look_s_ = 0;
  int number_ = 0;  ///< errno of the last loss
};

}  // namespace pantile
