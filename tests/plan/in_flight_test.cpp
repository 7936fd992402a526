#include "plan/in_flight.hpp"

#include <gtest/gtest.h>

namespace pantile {
namespace {

/// An executor that is given everything it may have, and has begun all of it.
class InFlightTest : public ::testing::Test {
 protected:
  void add(InFlight::Ticket ticket, std::uint64_t item, bool alone = false) {
    blocks_.add(ticket, ItemId{item}, alone);
  }
  /// Gives what may be given, and begins it.
  std::vector<InFlight::Ticket> begin(double now_s = 0) {
    std::vector<InFlight::Ticket> tickets;
    while (const auto ticket = blocks_.give(now_s)) {
      blocks_.begins(*ticket, now_s);
      tickets.push_back(*ticket);
    }
    return tickets;
  }
  using Tickets = std::vector<InFlight::Ticket>;
  InFlight blocks_;
};

TEST_F(InFlightTest, GivesAllBlocksInTheirOrderAndWhatIsAloneAlone) {
  add(1, 10);
  add(2, 10);
  add(3, 11);
  add(4, 12, true);
  add(5, 12, true);
  add(6, 13);
  EXPECT_EQ(begin(), (Tickets{1, 2, 3}));
  blocks_.answered(1, 1);
  blocks_.answered(2, 1);
  EXPECT_EQ(begin(), Tickets{}) << "not yet alone";
  blocks_.answered(3, 1);
  EXPECT_EQ(begin(), (Tickets{4, 5})) << "alone, with all of its blocks";
  blocks_.answered(4, 1);
  EXPECT_EQ(begin(), Tickets{});
  blocks_.answered(5, 1);
  EXPECT_EQ(begin(), Tickets{6});
}

TEST_F(InFlightTest, ACrashOverOneItemIsThatItemsDoing) {
  add(1, 10);
  begin();
  add(2, 11);
  static_cast<void>(blocks_.give(0));  // Given, but not begun: it is not to blame.
  const InFlight::Verdict verdict = blocks_.died(DeathCause::crashed);
  ASSERT_TRUE(verdict.guilty);
  EXPECT_EQ(*verdict.guilty, ItemId{10});
  EXPECT_FALSE(verdict.is_final) << "another rank may try";
  EXPECT_FALSE(verdict.retire);
}

TEST_F(InFlightTest, ACrashInCompanyBlamesNobodyAndRunsThemOneByOne) {
  add(1, 10);
  add(2, 11);
  add(3, 12);
  begin();
  blocks_.made(2, 0, 1);
  const InFlight::Verdict verdict = blocks_.died(DeathCause::crashed);
  EXPECT_FALSE(verdict.guilty);
  ASSERT_EQ(verdict.begun.size(), 3U);
  EXPECT_EQ(verdict.begun[1].tiles_made, 1U);
  EXPECT_EQ(begin(), Tickets{1});
  EXPECT_EQ(blocks_.died(DeathCause::crashed).guilty, ItemId{10});
  blocks_.drop(1);
  blocks_.settled(ItemId{10});
  EXPECT_EQ(begin(), Tickets{2});
  EXPECT_EQ(blocks_.tiles_made(2), std::vector<std::uint32_t>{0}) << "tiles that are made stay made";
  blocks_.answered(2, 2);
  blocks_.settled(ItemId{11});
  EXPECT_EQ(begin(), Tickets{3});
}

TEST_F(InFlightTest, KillsFromOutsideCountNeverWhileThereIsProgress) {
  add(1, 10);
  add(2, 11);
  for (std::uint32_t kill = 0; kill < 50; ++kill) {
    EXPECT_EQ(begin(), (Tickets{1, 2})) << "and need no item to be alone";
    blocks_.made(1, kill, kill);
    const InFlight::Verdict verdict = blocks_.died(DeathCause::killed);
    EXPECT_FALSE(verdict.guilty || verdict.retire);
  }
  blocks_.drop(2);
  for (std::uint32_t kill = 50; kill < 100; ++kill) {
    begin();
    blocks_.made(1, kill, kill);
    EXPECT_FALSE(blocks_.died(DeathCause::killed).guilty) << "alone, too";
  }
}

TEST_F(InFlightTest, FiveKillsInARowOverOneItemAloneWithoutProgressAreItsOwn) {
  add(1, 10);
  for (int kill = 1; kill < 5; ++kill) {
    begin();
    const InFlight::Verdict verdict = blocks_.died(DeathCause::killed);
    EXPECT_FALSE(verdict.guilty || verdict.retire) << kill;
  }
  begin();
  const InFlight::Verdict verdict = blocks_.died(DeathCause::killed);
  ASSERT_EQ(verdict.guilty, ItemId{10});
  EXPECT_TRUE(verdict.is_final);
}

TEST_F(InFlightTest, KillsInCompanyWithoutProgressFindTheOneToBlame) {
  add(1, 10);
  add(2, 11);
  EXPECT_EQ(begin(), (Tickets{1, 2}));
  EXPECT_FALSE(blocks_.died(DeathCause::killed).guilty);
  EXPECT_EQ(begin(), Tickets{1}) << "nothing moved: one by one from now on";
}

TEST_F(InFlightTest, ATileThatIsToldAfterItsBlockMeansNothing) {
  add(1, 10);
  begin();
  blocks_.answered(1, 1);
  blocks_.made(1, 3, 2);
  EXPECT_TRUE(blocks_.empty());
}

TEST_F(InFlightTest, ADeviceThatDiesThreeTimesOverNothingIsRetired) {
  for (const DeathCause cause : {DeathCause::crashed, DeathCause::killed, DeathCause::hung}) {
    InFlight idle;
    EXPECT_FALSE(idle.died(cause).retire);
    EXPECT_FALSE(idle.died(cause).retire);
    EXPECT_TRUE(idle.died(cause).retire);
  }
}

TEST_F(InFlightTest, ProgressOrAGuiltyItemStartsTheCountAnew) {
  static_cast<void>(blocks_.died(DeathCause::crashed));
  static_cast<void>(blocks_.died(DeathCause::crashed));
  add(1, 10);
  begin();
  blocks_.answered(1, 1);
  EXPECT_FALSE(blocks_.died(DeathCause::crashed).retire);
  EXPECT_FALSE(blocks_.died(DeathCause::crashed).retire);
  add(2, 11);
  begin();
  EXPECT_TRUE(blocks_.died(DeathCause::crashed).guilty);
  blocks_.drop(2);
  EXPECT_FALSE(blocks_.died(DeathCause::crashed).retire);
}

TEST_F(InFlightTest, HangsWhenItsFirstBlockStandsStillOrNothingIsSaid) {
  add(1, 10);
  add(2, 11);
  EXPECT_FALSE(blocks_.hangs(1000, 5)) << "nothing is given";
  EXPECT_EQ(begin(1000), (Tickets{1, 2}));
  EXPECT_FALSE(blocks_.hangs(1004, 5));
  blocks_.made(2, 0, 1004);
  EXPECT_TRUE(blocks_.hangs(1005.5, 5)) << "the second one moves, the first does not";
  blocks_.answered(1, 1006);
  EXPECT_FALSE(blocks_.hangs(1008, 5));
  static_cast<void>(blocks_.died(DeathCause::hung));
  EXPECT_FALSE(blocks_.hangs(2000, 5)) << "a dead one does not hang";
  static_cast<void>(blocks_.give(2000));
  EXPECT_TRUE(blocks_.hangs(2006, 5)) << "given, and never begun";
}

TEST_F(InFlightTest, BlocksThatBeginTogetherHaveEachTheirTime) {
  for (InFlight::Ticket ticket = 1; ticket <= 80; ++ticket) {
    add(ticket, 10);
  }
  begin(0);
  for (InFlight::Ticket ticket = 1; ticket <= 80; ++ticket) {
    const auto done_s = 4 * static_cast<double>(ticket);
    EXPECT_FALSE(blocks_.hangs(done_s - 0.1, 5)) << "block " << ticket;
    blocks_.answered(ticket, done_s);
    EXPECT_FALSE(blocks_.hangs(done_s + 0.1, 5)) << "after block " << ticket;
  }
}

TEST_F(InFlightTest, AStandstillOfTheWorkerIsNoHang) {
  add(1, 10);
  begin(0);
  blocks_.stood_still(400);
  EXPECT_FALSE(blocks_.hangs(404, 5));
  EXPECT_TRUE(blocks_.hangs(406, 5));
}

TEST_F(InFlightTest, AHangOverOneItemIsThatItemsDoing) {
  add(1, 10);
  begin();
  EXPECT_EQ(blocks_.died(DeathCause::hung).guilty, ItemId{10});
  add(2, 11);
  blocks_.drop(1);
  begin();
  EXPECT_EQ(blocks_.died(DeathCause::out_of_memory).guilty, ItemId{11});
}

}  // namespace
}  // namespace pantile
