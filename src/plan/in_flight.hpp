#pragma once
// What a worker has given to its executor, and what the executor's death means: which item is to blame, what is given
// to the next executor, and when a device is not worth another one.
//
// An executor may work on several items at once, so that its death tells little. It counts against an item only if
// nothing else had begun, and if it died of its own doing: a signal such as SIGSEGV, a lack of memory, a hang. After a
// death in company the items that had begun are run one at a time. A SIGKILL without a lack of memory is somebody
// else's doing; but five in a row over one item, alone and without progress, are its own.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/ids.hpp"

namespace pantile {

/// Why an executor ended, as far as that is known from outside.
enum class DeathCause : std::uint8_t {
  killed,         ///< SIGKILL or SIGTERM from somebody
  crashed,        ///< a signal of its own doing, or an exit that nobody asked for
  out_of_memory,  ///< the kernel's OOM killer, or its own limit
  hung            ///< no progress for too long: it was ended for that
};

/// Pure: time is an argument, seconds of any clock that never goes back.
class InFlight {
 public:
  using Ticket = std::uint64_t;  ///< a block on its way; numbers grow in the order of work

  struct Settings {
    std::uint32_t killed_alone = 5;  ///< in a row: then the item is to blame
    std::uint32_t deaths = 3;        ///< in a row without an item to blame: then the device is
  };
  InFlight() = default;
  explicit InFlight(const Settings& settings) : settings_{settings} {}

  /// A block that is to be made. `alone`: its item has failed before, and shares the executor with nothing.
  void add(Ticket ticket, ItemId item, bool alone);
  /// The next block to give to the executor, if one may be given now; it counts as given from now on.
  [[nodiscard]] std::optional<Ticket> give(double now_s);

  // What the executor says.
  void begins(Ticket ticket, double now_s);
  /// May be said late, after the block was answered. What was said before is no progress.
  void made(Ticket ticket, std::uint32_t tile, double now_s);
  void answered(Ticket ticket, double now_s);

  /// The block is not wanted any more, and whatever the executor says about it.
  void drop(Ticket ticket);
  /// The item is made, failed or given back: what was held against it is forgotten.
  void settled(ItemId item);

  /// The block that began first has made no progress for so long, or nothing at all has happened. (Lanes take tiles in
  /// the order of the blocks, so the first to begin is never left waiting by the others.)
  [[nodiscard]] bool hangs(double now_s, double patience_s) const;
  /// The worker itself was stopped for so long, and its executor perhaps with it: nothing follows from that time.
  void stood_still(double seconds);

  /// An item that an executor worked on when it died.
  struct Begun {
    ItemId item{};
    std::uint64_t tiles_made = 0;  ///< of its blocks that are not done
  };
  struct Verdict {
    std::optional<ItemId> guilty{};  ///< this item ended it: its blocks must be answered for by the caller
    bool is_final = false;           ///< no other rank needs to try
    bool retire = false;             ///< the device is not worth another executor
    std::uint32_t deaths = 0;        ///< in a row with nobody to blame, this one included
    std::vector<Begun> begun{};      ///< what it worked on
  };
  /// The executor is dead. All blocks are to be given anew; tiles that are made stay made.
  [[nodiscard]] Verdict died(DeathCause cause);

  [[nodiscard]] bool empty() const noexcept { return blocks_.empty(); }
  /// Blocks that the executor has and has not answered.
  [[nodiscard]] std::size_t given() const noexcept { return given_; }
  [[nodiscard]] const std::vector<std::uint32_t>& tiles_made(Ticket ticket) const { return blocks_.at(ticket).made; }
  [[nodiscard]] std::vector<Ticket> tickets_of(ItemId item) const;
  [[nodiscard]] bool is_given(Ticket ticket) const { return ticket < next_; }
  /// The executor has this block and has not answered it.
  [[nodiscard]] bool has(Ticket ticket) const { return is_given(ticket) && blocks_.contains(ticket); }

 private:
  struct Block {
    ItemId item{};
    std::optional<double> progress_s{};  ///< set: it has begun
    std::vector<std::uint32_t> made{};
  };
  [[nodiscard]] std::vector<Begun> begun_items() const;

  Settings settings_;
  std::map<Ticket, Block> blocks_;  ///< those before next_ are given
  Ticket next_ = 0;
  std::size_t given_ = 0;
  double first_since_s_ = 0;  ///< when the first block became the first
  double news_s_ = 0;         ///< when the executor last said something, or was given its first block
  std::set<ItemId> alone_;
  std::map<ItemId, std::uint32_t> killed_alone_;  ///< in a row, of items in flight
  std::uint32_t deaths_ = 0;                      ///< in a row, with nobody to blame
  bool has_progress_ = false;                     ///< since the last death
};

}  // namespace pantile
