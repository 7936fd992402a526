#include "run/worker.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <exception>
#include <new>
#include <optional>
#include <thread>
#include <unordered_map>

#include "base/log.hpp"
#include "cluster/backoff.hpp"
#include "cluster/messages.hpp"
#include "config/config.hpp"
#include "device/cpu.hpp"
#include "image/block_grid.hpp"
#include "pipeline/executor_protocol.hpp"
#include "report/live.hpp"
#include "run/await_leave.hpp"
#include "run/device_plan.hpp"
#include "run/executor.hpp"
#include "run/item_in_hand.hpp"
#include "run/shard_thread.hpp"
#include "run/signals.hpp"
#include "run/worker_setup.hpp"

namespace pantile {
namespace {

class Worker {
 public:
  Worker(Transport& transport, const NodeShare& share) : transport_{transport}, share_{share} {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    if (executor_.joinable()) {
      tell_executor(StopExecutor{});
      executor_.join();
    }
  }

  ExitCode run() {
    say(Hello{protocol_version, host_name(), ::getpid()});
    Backoff backoff;
    while (!leave_) {
      const bool busy = step();
      if (busy) {
        backoff.reset();
      } else {
        std::this_thread::sleep_for(backoff.next());
      }
    }
    return *leave_;
  }

 private:
  using Clock = std::chrono::steady_clock;

  struct Ticket {
    ItemId item{};
    BlockRow row;
    Slot slot;
  };

  template <class Message>
  void say(Message message) {
    transport_.send(RankId{0}, encode_message(ToCoordinator{std::move(message)}));
  }
  template <class Message>
  void tell_executor(Message message) {
    link_.rank->send(encode_message(ToExecutor{std::move(message)}));
  }

  /// Looks at everything once. True if something happened.
  bool step() {
    bool busy = false;
    while (const std::optional<Envelope> envelope = transport_.poll()) {
      auto message = decode_message<ToWorker>(envelope->payload);
      std::visit([this](auto& said) { on(said); }, message);
      busy = true;
    }
    while (const std::optional<Bytes> bytes = link_.rank->receive(std::chrono::milliseconds{0})) {
      auto message = decode_message<FromExecutor>(*bytes);
      std::visit([this](auto& answer) { on(answer); }, message);
      busy = true;
    }
    while (shards_) {
      std::optional<ShardAnswer> answer = shards_->poll();
      if (!answer) {
        break;
      }
      std::visit([this](auto& told) { on(told); }, *answer);
      busy = true;
    }
    if (stop_signals() > 0 && !stop_told_) {
      stop_told_ = true;
      say(StopRequest{});
    }
    return dispatch() || busy;
  }

  // ---- the coordinator's messages ---------------------------------------------------------------

  void on(Welcome& welcome) {
    if (welcome.version != protocol_version) {
      throw Error{
          fmt::format("the coordinator speaks version {} of the protocol and this rank version {}. Start all ranks "
                      "with the same pantile.",
                      welcome.version, protocol_version)};
    }
    welcome_ = std::move(welcome);
    config_ = parse_config(welcome_.config, "the run's config", welcome_.config_folder);
    log_.emplace(RunLayout{welcome_.run_folder}.logs(), transport_.self(), welcome_.epoch);
    talk_.emplace(*log_);
    log_start_us_ = steady_us() - log_->now_us();
    budget_ = device_budget(config_, share_, welcome_.output_channels);
    arena_.emplace(budget_.arena);
    space_.emplace(budget_.arena);
    executor_ = std::jthread{[this] { run_executor(*link_.executor, *arena_); }};
    tell_executor(Open{.config = welcome_.config,
                       .config_folder = welcome_.config_folder,
                       .model_digest = welcome_.model_digest,
                       .cap_bytes = budget_.cap,
                       .outside_bytes = budget_.arena + budget_.shard_buffers});
  }

  void on(ProbeBatch& batch) { say(probe_batch(batch, share_)); }
  void on(AssignUnit& unit) {
    if (unit.seal_after_ms > 0 && shards_) {
      shards_->tell(SealAfter{std::chrono::milliseconds{unit.seal_after_ms}});
    }
    for (AssignedItem& assigned : unit.items) {
      const ItemId id = assigned.item;
      items_.insert_or_assign(id, ItemInHand{std::move(assigned)});
      waiting_.push_back(id);
    }
  }

  void on(GiveBack& /*message*/) {
    for (auto id = waiting_.begin(); id != waiting_.end();) {
      if (items_.at(*id).begun > 0) {
        ++id;
        continue;
      }
      say(ItemComesBack{*id});
      items_.erase(*id);
      id = waiting_.erase(id);
    }
  }

  void on(SealPlease& /*message*/) {
    if (shards_) {
      shards_->tell(SealOpenShard{});
    }
  }
  void on(SealAnswer& answer) {
    shards_->tell(FinishShard{answer.shard, std::vector<bool>(answer.wanted.begin(), answer.wanted.end())});
  }
  void on(DeleteShard& message) { shards_->tell(DropShard{message.shard}); }
  void on(Leave& message) { leave_ = static_cast<ExitCode>(message.code); }

  // ---- the executor's messages ------------------------------------------------------------------

  void on(Opened& opened) {
    facts_ = opened.facts;
    device_class_ = opened.device_class;
    const TilePlan plan = plan_device(config_, budget_, opened, welcome_.extents, lanes_for(config_, share_));
    tile_ = plan.core;
    lanes_ = plan.lanes;
    shards_.emplace(shard_settings(welcome_, config_, transport_.self()), *arena_, *log_);
    tell_executor(StartLanes{lanes_});
    say(Ready{share_.device, device_class_, opened.engine, lanes_, budget_.cap, tile_, plan.why});
  }

  void on(TilesTimed& /*timed*/) { expect(false, "a worker does not time tiles"); }
  void on(OpenFailed& failed) { throw Error{failed.text, static_cast<ExitCode>(failed.code)}; }

  void on(BlockIsDone& done) {
    Ticket ticket = take(done.ticket);
    ItemInHand& item = items_.at(ticket.item);
    --item.out;
    log_->span({"compute", done.lane, ticket.item, ticket.row.key.block, done.begin_us - log_start_us_,
                done.end_us - log_start_us_});
    if (!done.out_of_memory.empty()) {
      log::warn("a tile of {} did not fit under the memory cap; its block was made of tiles of {}",
                to_string(done.out_of_memory), to_string(done.tile));
    }
    if (item.failure) {
      ++item.lost;
      space_->give_back(ticket.slot);
      settle_failed(ticket.item);
      return;
    }
    ticket.row.digest = done.digest;
    ticket.row.input_xxh3 = done.input_xxh3;
    ticket.row.tile = done.tile;
    ticket.row.milliseconds = done.milliseconds;
    ticket.row.peak_bytes = done.peak_bytes;
    shards_->tell(AppendBlock{ticket.row, ticket.slot});
  }

  void on(BlockHasFailed& failed) {
    if (failed.fault == Fault::unreadable) {
      expect_inputs(welcome_.roots);
    }
    const Ticket ticket = take(failed.ticket);
    space_->give_back(ticket.slot);
    ItemInHand& item = items_.at(ticket.item);
    --item.out;
    ++item.lost;
    if (!item.failure) {
      item.failure = Failure{failed.fault, failed.detail};
      tell_executor(CancelItem{ticket.item, item.assigned.attempt});
      std::erase(waiting_, ticket.item);
    }
    settle_failed(ticket.item);
  }

  void on(DecodeSpan& span) {
    log_->span({"decode", 0, span.item, {}, span.begin_us - log_start_us_, span.end_us - log_start_us_});
  }

  void on(ExecutorBeat& beat) {
    const std::int64_t now_us = steady_us();
    const double possible_us = static_cast<double>(now_us - last_beat_us_) * lanes_;
    const double busy = possible_us > 0 ? static_cast<double>(beat.busy_us - last_busy_us_) / possible_us : 0;
    last_beat_us_ = now_us;
    last_busy_us_ = beat.busy_us;
    say(Beat{beat.used_bytes + space_->used(), beat.peak_bytes + budget_.arena, std::clamp(busy, 0.0, 1.0)});
  }

  // ---- the shard thread's answers ---------------------------------------------------------------

  void on(BlockIsStored& stored) {
    space_->give_back(stored.slot);
    const auto found = items_.find(stored.key.item);
    expect(found != items_.end(), "a stored block belongs to an item on its way");
    ItemInHand& item = found->second;
    ++item.stored;
    if (item.failure) {
      settle_failed(stored.key.item);
    } else if (item.complete()) {
      const Clock::time_point now = Clock::now();
      const auto since = std::max(item.started.value_or(now), last_computed_);
      last_computed_ = now;
      say(ItemIsComputed{stored.key.item, std::chrono::duration<double>(now - since).count()});
      items_.erase(found);
    }
  }
  void on(ShardIsFull& full) { say(SealRequest{full.shard, std::move(full.rows)}); }
  void on(ShardIsFinished& finished) {
    const SealedShard& sealed = finished.sealed;
    say(ShardIsSealed{finished.shard, sealed.name, sealed.bytes, sealed.hash, sealed.content_sum,
                      to_ranges(sealed.rows)});
  }
  void on(StoreHasFailed& failed) { throw Error{failed.text}; }

  // ---- work -------------------------------------------------------------------------------------

  /// Hands blocks to the executor as long as there is room for their pixels and for the images they come from.
  bool dispatch() {
    bool any = false;
    while (!waiting_.empty() && shards_) {
      ItemInHand& item = items_.at(waiting_.front());
      if (item.begun == 0 && decoded_ahead() > 0 && decoded_ahead() + item.decoded_bytes() > budget_.decoded) {
        break;
      }
      const BlockKey key = item.todo[item.begun];
      BlockRow row{.key = key,
                   .attempt = item.assigned.attempt,
                   .item_extent = item.assigned.output_extent,
                   .rect = BlockGrid{item.assigned.output_extent}.rect(key.block),
                   .channels = facts_.output_channels,
                   .dtype = DType::u8,
                   .digest = {},
                   .input_xxh3 = 0,
                   .tile = tile_,
                   .device_class = device_class_,
                   .milliseconds = 0,
                   .peak_bytes = 0};
      const std::optional<Slot> slot = space_->take(row.bytes());
      if (!slot) {
        break;
      }
      begin(item, std::move(row), *slot);
      any = true;
    }
    return any;
  }

  void begin(ItemInHand& item, BlockRow row, const Slot& slot) {
    item.started = item.started.value_or(Clock::now());
    ++item.begun;
    ++item.out;
    const bool last = item.begun == item.todo.size();
    const std::uint64_t ticket = next_ticket_++;
    tell_executor(RunBlock{.ticket = ticket,
                           .key = row.key,
                           .attempt = item.assigned.attempt,
                           .place = item.assigned.place,
                           .header = item.assigned.header,
                           .rect = row.rect,
                           .tile = tile_,
                           .slot = slot,
                           .last_of_item = last});
    tickets_.emplace(ticket, Ticket{row.key.item, std::move(row), slot});
    if (last) {
      waiting_.pop_front();
    }
  }

  /// Bytes of the images that the executor holds or will soon hold.
  [[nodiscard]] std::uint64_t decoded_ahead() const {
    std::uint64_t bytes = 0;
    for (const auto& [id, item] : items_) {
      bytes += item.out > 0 ? item.decoded_bytes() : 0;
    }
    return bytes;
  }

  /// A failed item is told once nothing of it is under way any more.
  void settle_failed(ItemId id) {
    const auto found = items_.find(id);
    const ItemInHand& item = found->second;
    if (item.under_way()) {
      return;
    }
    say(ItemHasFailed{id, item.failure->fault, item.failure->detail});
    items_.erase(found);
  }

  Ticket take(std::uint64_t number) {
    auto node = tickets_.extract(number);
    expect(!node.empty(), "an executor answers tickets that it was given");
    return std::move(node.mapped());
  }

  Transport& transport_;
  NodeShare share_;
  std::optional<ExitCode> leave_;
  bool stop_told_ = false;
  Welcome welcome_;
  RunConfig config_;
  ModelFacts facts_;
  std::string device_class_;
  Extent tile_;
  int lanes_ = 1;
  DeviceBudget budget_;
  std::optional<RankLog> log_;
  std::optional<TalkRecorder> talk_;
  std::int64_t log_start_us_ = 0;
  std::optional<Arena> arena_;
  std::optional<ArenaSpace> space_;
  LinkPair link_ = linked_threads();
  std::optional<ShardThread> shards_;
  std::jthread executor_;
  std::unordered_map<ItemId, ItemInHand> items_;
  std::deque<ItemId> waiting_;  ///< with blocks that are not begun, in the order of their units
  std::unordered_map<std::uint64_t, Ticket> tickets_;
  std::uint64_t next_ticket_ = 1;
  Clock::time_point last_computed_;
  std::int64_t last_beat_us_ = steady_us();
  std::int64_t last_busy_us_ = 0;
};

}  // namespace

ExitCode run_worker(Transport& transport, const NodeShare& share) {
  WorkerGivesUp last_word;
  try {
    const ExitCode code = Worker{transport, share}.run();
    flush(transport, std::chrono::seconds{10});
    return code;
  } catch (const Error& error) {
    last_word = {static_cast<std::int32_t>(error.code()), error.what()};
  } catch (const std::bad_alloc&) {
    last_word = {static_cast<std::int32_t>(ExitCode::failed), "there is not enough memory for this worker"};
  } catch (const std::exception& error) {
    last_word = {static_cast<std::int32_t>(ExitCode::failed), error.what()};
  }
  transport.send(RankId{0}, encode_message(ToCoordinator{std::move(last_word)}));
  return await_leave(transport);
}

}  // namespace pantile
