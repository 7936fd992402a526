#include "run/executor_host.hpp"

#include <chrono>
#include <thread>

#include "device/process_memory.hpp"
#include "run/executor.hpp"
#include "run/executor_process.hpp"

namespace pantile {
namespace {

class ThreadHost final : public ExecutorHost {
 public:
  explicit ThreadHost(const Arena& arena)
      : thread_{[this, &arena] { run_executor(*link_.executor, arena, OwnProcess::no); }} {}
  ThreadHost(const ThreadHost&) = delete;
  ThreadHost& operator=(const ThreadHost&) = delete;
  ~ThreadHost() override { send(StopExecutor{}); }

  void send(const ToExecutor& message) override { link_.rank->send(encode_message(message)); }
  [[nodiscard]] std::optional<FromExecutor> receive() override {
    const std::optional<Bytes> bytes = link_.rank->receive(std::chrono::milliseconds{0});
    return bytes ? std::optional{decode_message<FromExecutor>(*bytes)} : std::nullopt;
  }
  [[nodiscard]] std::optional<ExecutorDeath> ended() override { return std::nullopt; }
  bool kill(DeathCause /*cause*/) override { return false; }
  void restart() override { expect(false, "a thread does not die alone"); }

 private:
  LinkPair link_ = linked_threads();
  std::jthread thread_;  ///< last: joined before the link goes
};

}  // namespace

std::unique_ptr<ExecutorHost> host_executor(DevicesConfig::Isolation isolation, const Arena& arena) {
  if (isolation == DevicesConfig::Isolation::none) {
    return std::make_unique<ThreadHost>(arena);
  }
  return host_executor_process(arena);
}

std::uint64_t own_bytes(DevicesConfig::Isolation isolation) {
  return isolation == DevicesConfig::Isolation::none ? 0 : private_resident_bytes();
}

}  // namespace pantile
