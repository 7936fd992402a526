#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "run/launcher_noise.hpp"
#include "run/supervisor.hpp"

namespace pantile {
namespace {

TEST(LauncherNoise, HidesTheFramedTalkOfMpirunAndNothingOfTheRanks) {
  const std::string frame(74, '-');
  LauncherNoise noise;
  EXPECT_FALSE(noise.hides("error: devices.memory.cap: too small"));
  EXPECT_TRUE(noise.hides(frame));
  EXPECT_TRUE(noise.hides("mpirun noticed that process rank 1 exited on signal 9 (Killed)."));
  EXPECT_TRUE(noise.hides(frame));
  EXPECT_FALSE(noise.hides("warning: a.png is in quarantine"));
  EXPECT_TRUE(noise.hides("[vm:77] 2 more processes have sent help message help-x.txt / y"));
  EXPECT_TRUE(noise.hides("mpirun: Forwarding signal 12 to job"));
  EXPECT_FALSE(noise.hides("--- short dashes"));
}

Supervision three_ranks() {
  return {.rank_command = {"pantile"},
          .resume_command = {"pantile"},
          .ranks = 3,
          .job = "job.yaml",
          .run_folder = "out",
          .shown_folder = "out"};
}

TEST(Supervisor, StartsTheRanksOfThisVeryProgram) {
  const auto line = mpirun_line(three_ranks(), {"/opt/pantile", "run", "job.yaml"}, {});
  EXPECT_EQ(line.front(), "mpirun");
  const std::vector<std::string> end{line.end() - 3, line.end()};
  EXPECT_EQ(end, (std::vector<std::string>{"/opt/pantile", "run", "job.yaml"}));
  EXPECT_EQ(line.at(2), "3");
}

TEST(Supervisor, PassesOnTheVariablesOfTheJobThatAreSet) {
  ::setenv("PANTILE__TILES__SIZE", "96", 1);
  ::unsetenv("SCRATCH_OF_NOBODY");
  Supervision supervision = three_ranks();
  supervision.variables = {"PANTILE__TILES__SIZE", "SCRATCH_OF_NOBODY"};
  const auto line = mpirun_line(supervision, {"pantile"}, {});
  ::unsetenv("PANTILE__TILES__SIZE");
  const auto found = std::find(line.begin(), line.end(), "PANTILE__TILES__SIZE");
  ASSERT_NE(found, line.end());
  EXPECT_EQ(*std::prev(found), "-x");
  EXPECT_EQ(std::find(line.begin(), line.end(), "SCRATCH_OF_NOBODY"), line.end());
}

TEST(Supervisor, AfterALossOfMachinesThereAreAsManyRanksAsTheOthersTake) {
  const auto line = mpirun_line(three_ranks(), {"pantile"}, {{"node1", 1}, {"node2", 1}});
  EXPECT_EQ(line.at(2), "2");
  EXPECT_EQ(line.at(3), "--host");
  EXPECT_EQ(line.at(4), "node1:1,node2:1");
  EXPECT_EQ(mpirun_line(three_ranks(), {"pantile"}, {{"node1", 8}}).at(2), "3") << "no more than were asked for";
  EXPECT_EQ(mpirun_line(three_ranks(), {"pantile"}, {{"node1", 1}}).at(2), "2") << "one coordinates, one works";
}

}  // namespace
}  // namespace pantile
