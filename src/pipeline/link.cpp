#include "pipeline/link.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "pipeline/bounded_queue.hpp"

namespace pantile {
namespace {

// The protocol bounds what is under way (slots of the arena), so the queues themselves need no bound.
using Queue = BoundedQueue<Bytes>;

class QueueLink final : public Link {
 public:
  QueueLink(std::shared_ptr<Queue> out, std::shared_ptr<Queue> in) : out_{std::move(out)}, in_{std::move(in)} {}
  void send(Bytes message) override { out_->push(std::move(message), 0); }
  [[nodiscard]] std::optional<Bytes> receive(std::chrono::milliseconds timeout) override {
    return in_->pop_for(timeout);
  }
  [[nodiscard]] bool closed() const override { return false; }

 private:
  std::shared_ptr<Queue> out_;
  std::shared_ptr<Queue> in_;
};

class SocketLink final : public Link {
 public:
  SocketLink(File socket, std::uint32_t longest) : socket_{std::move(socket)}, longest_{longest} {}

  void send(Bytes message) override {
    const auto length = static_cast<std::uint32_t>(message.size());
    const auto head = std::as_bytes(std::span{&length, 1});
    const std::lock_guard lock{out_mutex_};
    out_.insert(out_.end(), head.begin(), head.end());
    out_.insert(out_.end(), message.begin(), message.end());
    send_on();
  }

  [[nodiscard]] std::optional<Bytes> receive(std::chrono::milliseconds timeout) override {
    if (std::optional<Bytes> message = take()) {
      return message;
    }
    const auto until = std::chrono::steady_clock::now() + timeout;
    auto left = timeout;
    for (;;) {
      if (closed_ || !wait(left)) {
        return std::nullopt;
      }
      read_on();
      std::optional<Bytes> message = take();
      left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      if (message || closed_ || left.count() <= 0) {
        return message;
      }
    }
  }

  [[nodiscard]] bool closed() const override { return closed_; }

 private:
  /// Under out_mutex_. A write to a peer that is gone fails, and the end is seen by receive().
  void send_on() {
    while (sent_ < out_.size()) {
      const ssize_t count =
          ::send(socket_.get(), out_.data() + sent_, out_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) {
        continue;
      }
      if (count < 0) {
        if (errno != EAGAIN) {
          sent_ = out_.size();
        }
        break;
      }
      sent_ += static_cast<std::size_t>(count);
    }
    if (sent_ == out_.size()) {
      out_.clear();
      sent_ = 0;
    }
  }

  /// True if there is something to read, or the end. Sends on meanwhile.
  bool wait(std::chrono::milliseconds timeout) {
    const auto until = std::chrono::steady_clock::now() + timeout;
    for (;;) {
      bool waits_to_send = false;
      {
        const std::lock_guard lock{out_mutex_};
        send_on();
        waits_to_send = !out_.empty();
      }
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      pollfd ready{socket_.get(), static_cast<short>(waits_to_send ? POLLIN | POLLOUT : POLLIN), 0};
      const int found = ::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
      if (found > 0 && (ready.revents & ~POLLOUT) != 0) {
        return true;
      }
      if (found == 0 || (found < 0 && errno != EINTR)) {
        return false;
      }
    }
  }

  /// Some of what has come. Not all: who sends as fast as we read must not keep us here, nor take our memory.
  void read_on() {
    std::array<std::byte, 16384> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): recv fills it
    for (int round = 0; round < 4; ++round) {
      const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (count > 0) {
        in_.insert(in_.end(), buffer.begin(), buffer.begin() + count);
        continue;
      }
      if (count < 0 && errno == EINTR) {
        continue;
      }
      at_end_ = at_end_ || count == 0 || errno != EAGAIN;
      break;
    }
    if (read_ > in_.size() / 2) {
      in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(read_));
      read_ = 0;
    }
  }

  std::optional<Bytes> take() {
    std::uint32_t length = 0;
    if (!closed_ && in_.size() - read_ >= sizeof length) {
      std::memcpy(&length, in_.data() + read_, sizeof length);
      if (length > longest_) {
        closed_ = true;  // Where the next message begins, nobody knows.
        in_ = {};
        read_ = 0;
        throw WireError{"a message of " + std::to_string(length) + " bytes was announced"};
      }
      if (in_.size() - read_ - sizeof length >= length) {
        const auto begin = in_.begin() + static_cast<std::ptrdiff_t>(read_ + sizeof length);
        read_ += sizeof length + length;
        return Bytes{begin, begin + length};
      }
    }
    closed_ = closed_ || at_end_;
    return std::nullopt;
  }

  File socket_;
  std::uint32_t longest_;
  std::mutex out_mutex_;
  Bytes out_;  ///< from sent_ on not yet sent
  std::size_t sent_ = 0;
  Bytes in_;  ///< from read_ on not yet taken
  std::size_t read_ = 0;
  bool at_end_ = false;
  bool closed_ = false;
};

}  // namespace

LinkPair linked_threads() {
  const auto down = std::make_shared<Queue>(Queue::unbounded);
  const auto up = std::make_shared<Queue>(Queue::unbounded);
  return {std::make_unique<QueueLink>(down, up), std::make_unique<QueueLink>(up, down)};
}

std::unique_ptr<Link> linked_by_socket(File socket, std::uint32_t longest) {
  return std::make_unique<SocketLink>(std::move(socket), longest);
}

}  // namespace pantile
