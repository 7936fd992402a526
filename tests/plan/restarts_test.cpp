#include "plan/restarts.hpp"

#include <gtest/gtest.h>

namespace pantile {
namespace {

using std::chrono::milliseconds;

TEST(Restarts, GoOnForEverAsLongAsTheJournalGrows) {
  Restarts restarts{{"run", 10}};
  for (std::uint64_t records = 11; records < 1000; ++records) {
    EXPECT_EQ(restarts.after_loss({"run", records}), milliseconds{500});
  }
  EXPECT_EQ(restarts.count(), 989);
}

TEST(Restarts, ThreeInARowThatGainNothingAreEnough) {
  Restarts restarts{{"run", 10}};
  EXPECT_EQ(restarts.after_loss({"run", 10}), milliseconds{500}) << "a first loss says nothing";
  EXPECT_EQ(restarts.after_loss({"run", 10}), milliseconds{1000});
  EXPECT_EQ(restarts.after_loss({"run", 10}), milliseconds{2000});
  EXPECT_EQ(restarts.after_loss({"run", 10}), std::nullopt);
  EXPECT_EQ(restarts.count(), 3);
}

TEST(Restarts, WhatIsGainedMakesUpForThoseInVain) {
  Restarts restarts{{"", 0}};
  for (std::uint64_t round = 1; round <= 5; ++round) {
    EXPECT_TRUE(restarts.after_loss({"run", round}));
    EXPECT_TRUE(restarts.after_loss({"run", round}));
    EXPECT_TRUE(restarts.after_loss({"run", round}));
  }
}

TEST(Restarts, AJournalWithATornTailGainsFromWhereItStands) {
  Restarts restarts{{"run", 10}};
  EXPECT_EQ(restarts.after_loss({"run", 9}), milliseconds{500});
  EXPECT_EQ(restarts.after_loss({"run", 10}), milliseconds{500}) << "the record was made again";
}

TEST(Restarts, AFreshRunBeginsFromNothing) {
  Restarts restarts{{"old", 500}};
  EXPECT_EQ(restarts.after_loss({"new", 3}), milliseconds{500});
  EXPECT_EQ(restarts.after_loss({"new", 4}), milliseconds{500});
}

}  // namespace
}  // namespace pantile
