#include "run/await_leave.hpp"

#include <chrono>
#include <optional>
#include <thread>
#include <variant>

#include "cluster/messages.hpp"

namespace pantile {

ExitCode await_leave(Transport& transport) {
  for (;;) {
    while (const std::optional<Envelope> envelope = transport.poll()) {
      const auto message = decode_message<ToWorker>(envelope->payload);
      if (const auto* const leave = std::get_if<Leave>(&message)) {
        return static_cast<ExitCode>(leave->code);
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
}

}  // namespace pantile
