#include "pipeline/link.hpp"

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

 private:
  std::shared_ptr<Queue> out_;
  std::shared_ptr<Queue> in_;
};

}  // namespace

LinkPair linked_threads() {
  const auto down = std::make_shared<Queue>(Queue::unbounded);
  const auto up = std::make_shared<Queue>(Queue::unbounded);
  return {std::make_unique<QueueLink>(down, up), std::make_unique<QueueLink>(up, down)};
}

}  // namespace pantile
