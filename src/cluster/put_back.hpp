#pragma once

#include <deque>
#include <utility>

#include "cluster/transport.hpp"

namespace pantile {

/// Another transport, whose messages can be put back by who looked at them too early: they come again, first and in
/// their order, once read_again() was called.
class PutBackTransport final : public Transport {
 public:
  /// `transport` must outlive this.
  explicit PutBackTransport(Transport& transport) : transport_{transport} {}

  void put_back(Envelope envelope) { kept_.push_back(std::move(envelope)); }
  /// What was put back so far comes before everything new.
  void read_again() {
    while (!kept_.empty()) {
      again_.push_back(std::move(kept_.front()));
      kept_.pop_front();
    }
  }

  [[nodiscard]] RankId self() const noexcept override { return transport_.self(); }
  [[nodiscard]] int size() const noexcept override { return transport_.size(); }
  void send(RankId to, Bytes payload) override { transport_.send(to, std::move(payload)); }
  [[nodiscard]] std::optional<Envelope> poll() override {
    if (again_.empty()) {
      return transport_.poll();
    }
    Envelope first = std::move(again_.front());
    again_.pop_front();
    return first;
  }
  [[nodiscard]] bool flushed() override { return transport_.flushed(); }

 private:
  Transport& transport_;
  std::deque<Envelope> kept_;
  std::deque<Envelope> again_;
};

}  // namespace pantile
