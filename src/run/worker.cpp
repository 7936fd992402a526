#include "run/worker.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "base/steady.hpp"
#include "cluster/backoff.hpp"
#include "device/cpu.hpp"
#include "device/process_memory.hpp"
#include "pipeline/executor_protocol.hpp"
#include "report/live.hpp"
#include "run/await_leave.hpp"
#include "run/executor.hpp"
#include "run/signals.hpp"
#include "run/worker_setup.hpp"

namespace pantile {

void Worker::say_hello() { say(Hello{protocol_version, host_name(), ::getpid()}); }

bool Worker::step() {
  bool busy = false;
  while (const std::optional<Envelope> envelope = transport_.poll()) {
    auto message = decode_message<ToWorker>(envelope->payload);
    std::visit([this](auto& said) { on(said); }, message);
    busy = true;
  }
  if (leave_) {
    return true;  // An error that came now would have this worker wait for the Leave that it already has.
  }
  while (maker_) {
    std::optional<BlockMaker::News> news = maker_->poll(now_s());
    if (!news) {
      break;
    }
    std::visit([this](auto& told) { on(told); }, *news);
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
  watch_memory();
  if (stop_signals() > 0 && !stop_told_) {
    stop_told_ = true;
    say(StopRequest{});
  }
  if (give_back_s_ && now_s() >= *give_back_s_) {
    give_back_s_.reset();
    give_back_begun();
  }
  return dispatch() || busy;
}

void Worker::on(Welcome& welcome) {
  if (welcome.version != protocol_version) {
    throw Error{
        fmt::format("the coordinator speaks version {} of the protocol and this rank version {}. Start all ranks "
                    "with the same pantile.",
                    welcome.version, protocol_version)};
  }
  welcome_ = std::move(welcome);
  config_ = parts_.read_config(welcome_.config, welcome_.config_folder);
  log_ = parts_.open_log(RunLayout{welcome_.run_folder}, transport_.self(), welcome_.epoch);
  talk_.emplace(*log_);
  log_start_us_ = parts_.now_us() - log_->now_us();
  last_beat_us_ = parts_.now_us();
  cap_bytes_ = device_cap(config_.devices.memory, parts_.share);
  arena_.emplace(arena_capacity(welcome_.output_channels));
  space_.emplace(arena_->capacity());
  calibrations_ = parts_.calibrations(RunLayout{welcome_.run_folder});
  monitor_ = parts_.watch_memory();
  const DevicesConfig::Isolation isolation = config_.devices.isolation;
  maker_.emplace(
      parts_.host_executor(isolation, *arena_),
      Open{.config = welcome_.config,
           .config_folder = welcome_.config_folder,
           .model_digest = welcome_.model_digest,
           .cap_bytes = cap_bytes_,
           .outside_bytes = own_bytes(isolation),
           .known = known_calibrations(calibrations_, welcome_.model_digest)},
      std::chrono::duration<double>(config_.on_error.hang_after).count(),
      [this](const ExecutorDeath& death, const std::vector<InFlight::Begun>& begun) { certify(death, begun); },
      now_s());
}

void Worker::on(ProbeBatch& batch) { say(probe_batch(batch, parts_.share)); }

void Worker::on(AssignUnit& unit) {
  if (unit.seal_after_ms > 0 && shards_) {
    shards_->tell(SealAfter{std::chrono::milliseconds{unit.seal_after_ms}});
  }
  for (AssignedItem& assigned : unit.items) {
    const ItemId id = assigned.item;
    const auto [item, is_new] = items_.insert_or_assign(id, ItemInHand{std::move(assigned)});
    cut_into_strips(item->second);
    waiting_.push_back(id);
  }
}

void Worker::on(GiveBack& message) {
  const double until_s = now_s() + static_cast<double>(message.patience_ms) / 1000;
  give_back_s_ = std::min(give_back_s_.value_or(until_s), until_s);
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

void Worker::on(SealPlease& /*message*/) {
  if (shards_) {
    shards_->tell(SealOpenShard{});
  }
}

void Worker::on(SealAnswer& answer) {
  shards_->tell(FinishShard{answer.shard, std::vector<bool>(answer.wanted.begin(), answer.wanted.end())});
}

void Worker::on(DeleteShard& message) { shards_->tell(DropShard{message.shard}); }

void Worker::on(SpaceIsBack& /*message*/) {
  if (shards_) {
    shards_->tell(WriteAgain{});
  }
}

void Worker::on(Leave& message) { leave_ = static_cast<ExitCode>(message.code); }

void Worker::on(BlockIsStored& stored) {
  give_back(stored.slot);
  const auto found = items_.find(stored.key.item);
  expect(found != items_.end(), "a stored block belongs to an item on its way");
  ItemInHand& item = found->second;
  ++item.stored;
  if (item.complete()) {
    const double now = now_s();
    const double since_s = std::max(item.started_s.value_or(now), last_computed_s_);
    last_computed_s_ = now;
    say(ItemIsComputed{stored.key.item, now - since_s});
    forget(found);
  } else if (item.is_off()) {
    settle(stored.key.item);
  }
}

void Worker::on(ShardIsFull& full) { say(SealRequest{full.shard, std::move(full.rows)}); }

void Worker::on(ShardIsFinished& finished) {
  const SealedShard& sealed = finished.sealed;
  say(ShardIsSealed{finished.shard, sealed.name, sealed.bytes, sealed.hash, sealed.content_sum,
                    to_ranges(sealed.rows)});
}

void Worker::on(ShardIsCondemned& lost) { say(ShardIsLost{lost.shard, lost.number, std::move(lost.text)}); }

void Worker::on(StoreHasFailed& failed) { throw Error{failed.text}; }

namespace {

WorkerParts real_parts(const NodeShare& share) {
  return {.share = share,
          .now_us = &steady_us,
          .host_executor = &host_executor,
          .open_store = [](ShardThread::Settings settings, const Arena& arena,
                           RankLog& log) { return std::make_unique<ShardThread>(std::move(settings), arena, log); },
          .open_log = [](const RunLayout& layout, RankId rank,
                         Epoch epoch) { return std::make_unique<RankLog>(layout.logs(), rank, epoch); },
          .read_config = [](const std::string& text,
                            const std::string& folder) { return parse_config(text, "the run's config", folder); },
          .calibrations = [](const RunLayout& layout) { return calibration_folders(layout.root); },
          .watch_memory = [] { return host_monitor(); }};
}

ExitCode serve(WorkerParts parts, Transport& transport) {
  Worker worker{transport, std::move(parts)};
  worker.say_hello();
  Backoff backoff;
  while (!worker.leaves_with()) {
    if (worker.step()) {
      backoff.reset();
    } else {
      std::this_thread::sleep_for(backoff.next());
    }
  }
  return *worker.leaves_with();
}

}  // namespace

ExitCode run_worker(Transport& transport, const NodeShare& share) {
  WorkerGivesUp last_word;
  drop_clean_pages();  // Before the executor's share is measured by what is resident here.
  try {
    const ExitCode code = serve(real_parts(share), transport);
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
