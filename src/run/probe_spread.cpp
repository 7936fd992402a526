#include "run/probe_spread.hpp"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "cluster/backoff.hpp"
#include "cluster/messages.hpp"
#include "device/cpu.hpp"
#include "run/job_inputs.hpp"
#include "source/item_reader.hpp"
#include "source/probe_board.hpp"
#include "source/probing.hpp"

namespace pantile {
namespace {

/// A task is a message of some 50 KB, and some milliseconds of work from a warm disk, some tenths of a second from a
/// network.
constexpr std::uint64_t task_items = 512;
/// Of tasks that a rank has: it reads one while the answer to the other is on its way.
constexpr std::size_t tasks_ahead = 2;

class Spread {
 public:
  Spread(Catalog& catalog, ItemId first, PutBackTransport& ranks)
      : catalog_{catalog}, ranks_{ranks}, board_{first, ItemId{catalog.size()}, task_items} {}

  void run() {
    // Who has said Hello already gets work before this rank's threads take it all.
    while (std::optional<Envelope> envelope = ranks_.poll()) {
      hear(std::move(*envelope));
    }
    {
      std::vector<std::jthread> readers;
      for (int i = 0; i < probe_threads(usable_cores()); ++i) {
        readers.emplace_back([this] { read_here(); });
      }
      talk();
    }
    ranks_.read_again();
    if (error_) {
      std::rethrow_exception(error_);
    }
  }

  [[nodiscard]] std::size_t helpers() const noexcept { return helped_.size(); }

 private:
  struct Given {
    ProbeTask task;
    std::vector<ItemId> items;  ///< those of the task that somebody must look at
  };

  /// One of this rank's threads.
  void read_here() {
    try {
      ItemReader reader;
      std::unique_lock lock{mutex_};
      while (!over()) {
        const std::optional<ProbeTask> task = board_.next(RankId{0});
        if (!task) {
          settled_.wait_for(lock, std::chrono::milliseconds{5});
          continue;
        }
        const Given mine = given(*task);
        const std::vector<ItemPlace> places = places_of(mine);
        lock.unlock();
        std::vector<Probed> probed;
        probed.reserve(places.size());
        for (const ItemPlace& place : places) {
          probed.push_back(to_probed(reader.probe(place)));
        }
        lock.lock();
        settle(RankId{0}, mine, probed);
      }
    } catch (...) {
      const std::lock_guard lock{mutex_};
      error_ = std::current_exception();
    }
    settled_.notify_all();
  }

  /// The thread that talks to the other ranks.
  void talk() {
    Backoff backoff;
    for (;;) {
      while (std::optional<Envelope> envelope = ranks_.poll()) {
        hear(std::move(*envelope));
        backoff.reset();
      }
      std::unique_lock lock{mutex_};
      if (over()) {
        return;
      }
      settled_.wait_for(lock, backoff.next());
    }
  }

  void hear(Envelope envelope) {
    const auto message = decode_message<ToCoordinator>(envelope.payload);
    const std::lock_guard lock{mutex_};
    if (const auto* const answer = std::get_if<ProbedBatch>(&message)) {
      take(envelope.from, *answer);
      return;
    }
    if (const auto* const hello = std::get_if<Hello>(&message); hello && hello->version == protocol_version) {
      for (std::size_t i = 0; i < tasks_ahead; ++i) {
        hand_out(envelope.from);
      }
    }
    if (std::holds_alternative<WorkerGivesUp>(message)) {
      board_.lose(envelope.from);
    }
    ranks_.put_back(std::move(envelope));
  }

  void hand_out(RankId rank) {
    if (const std::optional<ProbeTask> task = board_.next(rank)) {
      const auto& theirs = out_[{rank, task->number}] = given(*task);
      ranks_.send(rank, encode_message(ToWorker{ProbeBatch{task->number, places_of(theirs)}}));
    }
  }

  void take(RankId rank, const ProbedBatch& answer) {
    const auto known = out_.extract({rank, answer.task});
    if (known.empty()) {
      throw Error{
          fmt::format("rank {} answers what it was not asked. Do all ranks run the same pantile?", index(rank))};
    }
    settle(rank, known.mapped(), answer.headers);
    hand_out(rank);
  }

  void settle(RankId rank, const Given& given, const std::vector<Probed>& headers) {
    const auto& [task, items] = given;
    if (items.size() != headers.size()) {
      throw Error{fmt::format("rank {} answers {} of {} headers", index(rank), headers.size(), items.size())};
    }
    std::vector<bool> readable(task.count, true);
    for (std::size_t i = 0; i < items.size(); ++i) {
      readable[index(items[i]) - index(task.first)] = headers[i].fault != Fault::unreadable;
    }
    const std::vector<bool> counts = board_.answer(rank, task.number, readable);
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (counts[index(items[i]) - index(task.first)]) {
        catalog_.settle(items[i], headers[i]);
        if (index(rank) != 0) {
          helped_.insert(rank);
        }
      }
    }
    settled_.notify_all();
  }

  /// What of a task somebody has to look at. Nothing of a task is settled while somebody has it.
  [[nodiscard]] Given given(const ProbeTask& task) const {
    Given given{task, {}};
    for (std::uint64_t id = index(task.first); id < index(task.first) + task.count; ++id) {
      if (wants_probe(catalog_, ItemId{id})) {
        given.items.push_back(ItemId{id});
      }
    }
    return given;
  }

  [[nodiscard]] std::vector<ItemPlace> places_of(const Given& given) const {
    std::vector<ItemPlace> places;
    places.reserve(given.items.size());
    for (const ItemId id : given.items) {
      places.push_back(catalog_.place(id));
    }
    return places;
  }

  [[nodiscard]] bool over() const { return board_.done() || error_; }

  Catalog& catalog_;
  PutBackTransport& ranks_;
  std::mutex mutex_;  ///< of all below, and of the catalog
  std::condition_variable settled_;
  ProbeBoard board_;
  std::map<std::pair<RankId, std::uint64_t>, Given> out_;  ///< what the other ranks have
  std::set<RankId> helped_;
  std::exception_ptr error_;
};

}  // namespace

void probe_with_ranks(Catalog& catalog, ItemId first, PutBackTransport& ranks) {
  const std::uint64_t items = catalog.size() - index(first);
  if (items < spread_from_items) {
    probe_on_this_machine(catalog, first);
    return;
  }
  const auto begin = std::chrono::steady_clock::now();
  Spread spread{catalog, first, ranks};
  spread.run();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  log::info("the headers of {} items are read ({:.1f} s, {} other rank{} helped)", items, seconds.count(),
            spread.helpers(), spread.helpers() == 1 ? "" : "s");
}

}  // namespace pantile
