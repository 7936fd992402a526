#include "cluster/in_process.hpp"

#include <deque>
#include <mutex>

#include "base/error.hpp"

namespace pantile {
namespace {

struct Mailbox {
  std::mutex mutex;
  std::deque<Envelope> messages;
};

class InProcessEnd final : public Transport {
 public:
  InProcessEnd(RankId self, std::shared_ptr<std::vector<Mailbox>> mailboxes)
      : self_{self}, mailboxes_{std::move(mailboxes)} {}

  [[nodiscard]] RankId self() const noexcept override { return self_; }
  [[nodiscard]] int size() const noexcept override { return static_cast<int>(mailboxes_->size()); }

  void send(RankId to, Bytes payload) override {
    expect(index(to) >= 0 && index(to) < size(), "a message goes to an end that exists");
    Mailbox& mailbox = (*mailboxes_)[static_cast<std::size_t>(index(to))];
    const std::lock_guard lock{mailbox.mutex};
    mailbox.messages.push_back({self_, std::move(payload)});
  }

  [[nodiscard]] std::optional<Envelope> poll() override {
    Mailbox& mailbox = (*mailboxes_)[static_cast<std::size_t>(index(self_))];
    const std::lock_guard lock{mailbox.mutex};
    if (mailbox.messages.empty()) {
      return std::nullopt;
    }
    Envelope first = std::move(mailbox.messages.front());
    mailbox.messages.pop_front();
    return first;
  }

  [[nodiscard]] bool flushed() override { return true; }

 private:
  RankId self_;
  std::shared_ptr<std::vector<Mailbox>> mailboxes_;
};

}  // namespace

std::vector<std::unique_ptr<Transport>> in_process_ends(int size) {
  const auto mailboxes = std::make_shared<std::vector<Mailbox>>(static_cast<std::size_t>(size));
  std::vector<std::unique_ptr<Transport>> ends;
  for (int i = 0; i < size; ++i) {
    ends.push_back(std::make_unique<InProcessEnd>(RankId{i}, mailboxes));
  }
  return ends;
}

}  // namespace pantile
