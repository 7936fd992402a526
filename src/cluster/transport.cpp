#include "cluster/transport.hpp"

#include <thread>

namespace pantile {

void flush(Transport& transport, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!transport.flushed() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

}  // namespace pantile
