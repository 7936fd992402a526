#pragma once
// Where the executor of a device runs: in a child process, whose death costs nothing but what it was doing, or in a
// thread of this one. A worker knows its executor by this door alone.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "pipeline/arena.hpp"
#include "pipeline/executor_protocol.hpp"
#include "plan/in_flight.hpp"

namespace pantile {

/// What is known of an executor that ended without being asked: its death certificate.
struct ExecutorDeath {
  DeathCause cause = DeathCause::killed;
  std::string how;                 ///< "SIGSEGV", "exit code 1"
  std::int64_t pid = 0;            ///< 0: it was no process
  std::uint64_t oom_kills = 0;     ///< of this machine or control group, in its last seconds
  std::vector<std::string> words;  ///< the last lines that it said
};

/// Owned and called by one thread, which must live as long as it: a child dies with the thread that started it.
/// Destroying it ends the executor: in order if it stops within a moment, by force else.
class ExecutorHost {
 public:
  virtual ~ExecutorHost() = default;
  /// Never blocks. What is sent to an executor that has died is lost.
  virtual void send(const ToExecutor& message) = 0;
  /// The next message, if one has come.
  [[nodiscard]] virtual std::optional<FromExecutor> receive() = 0;
  /// How it ended, once, after all that it said was received.
  [[nodiscard]] virtual std::optional<ExecutorDeath> ended() = 0;
  /// Ends it at once; ended() tells, with this cause. False if it is under way already, or impossible: it is a thread.
  virtual bool kill(DeathCause cause) = 0;
  /// Nothing if it is a thread of this process.
  [[nodiscard]] virtual std::optional<int> process() const { return std::nullopt; }
  /// Another one, in the place of one that has ended. Throws Error if it cannot be started.
  virtual void restart() = 0;
};

/// Starts an executor for a device whose arena is this one, as the config wants it. `arena` must outlive the host.
/// Throws Error if it cannot be started.
[[nodiscard]] std::unique_ptr<ExecutorHost> host_executor(DevicesConfig::Isolation isolation, const Arena& arena);

/// What the rank itself takes of the device's cap beside arena and buffers: the executor cannot see it if it is a
/// process of its own. Bytes.
[[nodiscard]] std::uint64_t own_bytes(DevicesConfig::Isolation isolation);

}  // namespace pantile
