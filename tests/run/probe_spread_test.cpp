#include "run/probe_spread.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "cluster/in_process.hpp"
#include "cluster/messages.hpp"
#include "source/inputs.hpp"
#include "source/probing.hpp"
#include "source/temp_images.hpp"

namespace pantile {
namespace {

/// Some more items than ranks are asked for, a few real files under many names.
class ProbeSpreadTest : public ::testing::Test {
 protected:
  static constexpr int items = spread_from_items + 1000;

  ProbeSpreadTest() {
    for (int i = 0; i < 7; ++i) {
      testing::write_file(folder_.path() / ("real-" + std::to_string(i) + ".png"), testing::png_of({1 + i, 12 - i}));
    }
    for (int i = 0; i < items; ++i) {
      std::filesystem::create_hard_link(folder_.path() / ("real-" + std::to_string(i % 7) + ".png"),
                                        folder_.path() / (std::to_string(i) + ".png"));
    }
    std::filesystem::create_symlink("nowhere", folder_.path() / "gone.png");
  }
  [[nodiscard]] Catalog listed() const {
    const InputSpec input{.path = folder_.path()};
    return list_inputs(std::span{&input, 1});
  }
  [[nodiscard]] Hash128 alone() const {
    Catalog catalog = listed();
    probe_here(catalog, ItemId{0}, 2);
    return catalog.digest();
  }

  using Answer = std::function<std::optional<ProbedBatch>(const ProbeBatch&)>;
  /// The catalog's digest with one rank per way of answering. Rank 0 waits until they had their say.
  Hash128 with_ranks(const std::vector<Answer>& answers) {
    const auto ends = in_process_ends(static_cast<int>(answers.size()) + 1);
    std::atomic<bool> over = false;
    std::vector<std::jthread> ranks;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      Transport& end = *ends[i + 1];
      end.send(RankId{0}, encode_message(ToCoordinator{Hello{}}));
      ranks.emplace_back([this, &over, &end, &answer = answers[i]] {
        while (!over) {
          const std::optional<Envelope> envelope = end.poll();
          if (!envelope) {
            std::this_thread::sleep_for(std::chrono::microseconds{100});
            continue;
          }
          ++asked_;
          const auto message = decode_message<ToWorker>(envelope->payload);
          if (std::optional<ProbedBatch> batch = answer(std::get<ProbeBatch>(message))) {
            end.send(RankId{0}, encode_message(ToCoordinator{*std::move(batch)}));
          }
        }
      });
    }
    Catalog catalog = listed();
    PutBackTransport ranks_end{*ends[0]};
    probe_with_ranks(catalog, ItemId{0}, ranks_end);
    over = true;
    ranks.clear();
    for (std::size_t i = 1; i < ends.size(); ++i) {
      while (ends[i]->poll()) {
        ++asked_;
      }
    }
    std::size_t hellos = 0;
    while (const std::optional<Envelope> envelope = ranks_end.poll()) {
      hellos += std::holds_alternative<Hello>(decode_message<ToCoordinator>(envelope->payload)) ? 1 : 0;
    }
    EXPECT_EQ(hellos, answers.size()) << "who said Hello meanwhile is not forgotten";
    return catalog.digest();
  }

  testing::TempFolder folder_;
  std::atomic<int> asked_ = 0;  ///< batches that were sent to the others
};

std::optional<ProbedBatch> honest(const ProbeBatch& batch) {
  return ProbedBatch{batch.task, probe_places(batch.places, 1)};
}

TEST_F(ProbeSpreadTest, TheCatalogIsTheSameHoweverManyRanksReadIt) {
  const Hash128 digest = alone();
  EXPECT_EQ(with_ranks({}), digest);
  EXPECT_EQ(asked_, 0);
  EXPECT_EQ(with_ranks({honest}), digest);
  EXPECT_GE(asked_, 1);
  EXPECT_EQ(with_ranks({honest, honest, honest}), digest);
  EXPECT_GE(asked_, 4) << "all were asked";
}

TEST_F(ProbeSpreadTest, ARankThatIsSilentSlowOrBlindChangesNothing) {
  const Answer silent = [](const ProbeBatch&) { return std::optional<ProbedBatch>{}; };
  const Answer slow = [](const ProbeBatch& batch) {
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
    return honest(batch);
  };
  const Answer blind = [](const ProbeBatch& batch) {
    const Probed nothing{.fault = Fault::unreadable, .detail = "cannot open it: No such file or directory"};
    return std::optional{ProbedBatch{batch.task, std::vector<Probed>(batch.places.size(), nothing)}};
  };
  EXPECT_EQ(with_ranks({silent, slow, blind}), alone());
}

}  // namespace
}  // namespace pantile
