#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>

namespace pantile {

/// First in, first out between threads, bounded by the bytes that its entries stand for, not by their number: a queue
/// of images must not grow with their size. An entry larger than the bound passes alone.
template <class T>
class BoundedQueue {
 public:
  static constexpr std::uint64_t unbounded = std::numeric_limits<std::uint64_t>::max();
  explicit BoundedQueue(std::uint64_t max_bytes) : max_bytes_{max_bytes} {}

  /// Waits for room. False if the queue was closed: the entry is dropped.
  bool push(T entry, std::uint64_t bytes) {
    std::unique_lock lock{mutex_};
    room_.wait(lock, [&] { return closed_ || entries_.empty() || bytes <= max_bytes_ - std::min(max_bytes_, bytes_); });
    if (closed_) {
      return false;
    }
    bytes_ += bytes;
    entries_.emplace_back(std::move(entry), bytes);
    lock.unlock();
    filled_.notify_one();
    return true;
  }

  /// Waits for an entry. Nothing once the queue is closed and empty.
  [[nodiscard]] std::optional<T> pop() {
    std::unique_lock lock{mutex_};
    filled_.wait(lock, [&] { return closed_ || !entries_.empty(); });
    return take(lock);
  }

  /// Waits at most `timeout`; nothing if no entry came.
  template <class Duration>
  [[nodiscard]] std::optional<T> pop_for(Duration timeout) {
    std::unique_lock lock{mutex_};
    if (timeout > Duration::zero()) {
      filled_.wait_for(lock, timeout, [&] { return closed_ || !entries_.empty(); });
    }
    return take(lock);
  }

  /// Nothing more comes in; what is there can still be taken out.
  void close() {
    {
      const std::lock_guard lock{mutex_};
      closed_ = true;
    }
    filled_.notify_all();
    room_.notify_all();
  }

  [[nodiscard]] bool closed() const {
    const std::lock_guard lock{mutex_};
    return closed_;
  }
  [[nodiscard]] std::uint64_t bytes() const {
    const std::lock_guard lock{mutex_};
    return bytes_;
  }

 private:
  [[nodiscard]] std::optional<T> take(std::unique_lock<std::mutex>& lock) {
    if (entries_.empty()) {
      return std::nullopt;
    }
    auto [entry, bytes] = std::move(entries_.front());
    entries_.pop_front();
    bytes_ -= bytes;
    lock.unlock();
    room_.notify_all();
    return std::move(entry);
  }

  mutable std::mutex mutex_;
  std::condition_variable filled_;
  std::condition_variable room_;
  std::deque<std::pair<T, std::uint64_t>> entries_;
  std::uint64_t bytes_ = 0;
  std::uint64_t max_bytes_;
  bool closed_ = false;
};

}  // namespace pantile
