// What ranks, and a rank and its executor, say to each other: the first byte says which way, the others are the
// message.

#include "base/message.hpp"
#include "cluster/messages.hpp"
#include "fuzz/fuzz.hpp"
#include "pipeline/executor_protocol.hpp"

namespace {

using namespace pantile;

template <class Message>
void try_as(std::span<const std::byte> bytes) {
  try {
    const auto message = decode_message<Message>(bytes);
    const Bytes again = encode_message(message);
    expect(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()), "a message has one form on the wire");
  } catch (const WireError&) {
    return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const auto message = fuzz::bytes_of(data, size).subspan(1);
  switch (data[0] % 4) {
    case 0: try_as<ToCoordinator>(message); break;
    case 1: try_as<ToWorker>(message); break;
    case 2: try_as<ToExecutor>(message); break;
    default: try_as<FromExecutor>(message); break;
  }
  return 0;
}
