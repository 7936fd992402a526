#include "report/rank_log_reader.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

namespace pantile {
namespace {

using testing::ElementsAre;
using testing::Field;

class RankLogReader : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  void write(std::string_view text) const { std::ofstream{path_} << text; }
  [[nodiscard]] std::optional<ItemLog> read(std::uint32_t epoch, std::uint64_t item = 17) const {
    return read_item_log(path_, Epoch{epoch}, ItemId{item});
  }

  std::filesystem::path path_ =
      std::filesystem::path{testing::TempDir()} / ("pantile-item-log-" + std::to_string(::getpid()));
};

std::string start(int epoch) { return R"({"rank":3,"epoch":)" + std::to_string(epoch) + "}\n"; }

std::string span(const char* what, int item, int block, int begin_us, int end_us) {
  return std::string{R"({"span":")"} + what + R"(","lane":1,"item":)" + std::to_string(item) + R"(,"block":)" +
         std::to_string(block) + R"(,"begin_us":)" + std::to_string(begin_us) + R"(,"end_us":)" +
         std::to_string(end_us) + "}\n";
}

std::string plan(const char* why, int at_us) {
  return std::string{R"({"plan":")"} + why + R"(","at_us":)" + std::to_string(at_us) +
         R"(,"device":"d","device_class":"c","cap_bytes":9,"predicted_bytes":8,"tile":[1,2],"lanes":3})" + "\n";
}

auto why(const char* text) { return Field(&PlanRecord::why, text); }

TEST_F(RankLogReader, KeepsWhatIsOfTheItemInItsEpoch) {
  write(start(1) + span("compute", 17, 0, 1, 2) + start(2) + span("decode", 17, 0, 10, 15) +
        span("compute", 17, 1, 15, 20) + span("compute", 171, 1, 20, 90) + span("compute", 7, 1, 20, 90) +
        span("compute", 17, 1, 30, 42) + start(3) + span("write", 17, 0, 5, 6));
  const auto log = read(2);
  ASSERT_TRUE(log);
  EXPECT_EQ(log->spans.size(), 3U);
  const LoggedSpan* const last = log->last("compute", BlockId{1});
  ASSERT_NE(last, nullptr) << "the attempt that counted";
  EXPECT_EQ(last->begin_us, 30);
  EXPECT_DOUBLE_EQ(last->milliseconds(), 0.012);
  EXPECT_EQ(log->last("compute", BlockId{0}), nullptr) << "that was in another epoch";
  EXPECT_EQ(log->last("write", BlockId{0}), nullptr);
  EXPECT_FALSE(read(4));
}

TEST_F(RankLogReader, TellsWhichPlansWereInForce) {
  write(start(1) + plan("first", 10) + plan("second", 100) + plan("third", 200));
  const auto log = read(1);
  ASSERT_TRUE(log);
  const auto during = [&](int begin_us, int end_us) {
    return log->plans_during({.what = "compute", .block = {}, .begin_us = begin_us, .end_us = end_us});
  };
  EXPECT_THAT(during(10, 50), ElementsAre(why("first")));
  EXPECT_THAT(during(50, 150), ElementsAre(why("first"), why("second")));
  EXPECT_THAT(during(100, 200), ElementsAre(why("second")));
  EXPECT_THAT(during(500, 600), ElementsAre(why("third")));
  EXPECT_THAT(during(1, 5), ElementsAre());
}

TEST_F(RankLogReader, PassesOverWhatMakesNoSense) {
  EXPECT_FALSE(read(1)) << "no file";
  write("\xff\n[1]\n7\n{}\n" + span("compute", 17, 0, 1, 2));
  EXPECT_FALSE(read(1)) << "nobody has begun";
  write(start(1) + "{\"plan\":7}\n{\"plan\":\"x\",\"at_us\":1}\n" + R"({"span":"compute","item":17,"block")" + "\n" +
        R"({"span":"compute","lane":0,"item":17,"block":"x","begin_us":1,"end_us":2})" + "\n" + "{\"rank\":9}\n");
  const auto log = read(1);
  ASSERT_TRUE(log);
  EXPECT_TRUE(log->plans.empty());
  EXPECT_TRUE(log->spans.empty());
}

}  // namespace
}  // namespace pantile
