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

TEST(Supervisor, StartsTheRanksOfThisVeryProgram) {
  const auto line = mpirun_line({.rank_command = {"/opt/pantile", "run", "job.yaml"},
                                 .ranks = 3,
                                 .job = "job.yaml",
                                 .run_folder = "out",
                                 .shown_folder = "out",
                                 .quiet = false});
  EXPECT_EQ(line.front(), "mpirun");
  const std::vector<std::string> end{line.end() - 3, line.end()};
  EXPECT_EQ(end, (std::vector<std::string>{"/opt/pantile", "run", "job.yaml"}));
  EXPECT_EQ(line.at(2), "3");
}

TEST(Supervisor, PassesOnTheVariablesOfTheJobThatAreSet) {
  ::setenv("PANTILE__TILES__SIZE", "96", 1);
  ::unsetenv("SCRATCH_OF_NOBODY");
  const auto line = mpirun_line({.rank_command = {"pantile"},
                                 .job = "job.yaml",
                                 .run_folder = "out",
                                 .shown_folder = "out",
                                 .variables = {"PANTILE__TILES__SIZE", "SCRATCH_OF_NOBODY"}});
  ::unsetenv("PANTILE__TILES__SIZE");
  const auto found = std::find(line.begin(), line.end(), "PANTILE__TILES__SIZE");
  ASSERT_NE(found, line.end());
  EXPECT_EQ(*std::prev(found), "-x");
  EXPECT_EQ(std::find(line.begin(), line.end(), "SCRATCH_OF_NOBODY"), line.end());
}

}  // namespace
}  // namespace pantile
