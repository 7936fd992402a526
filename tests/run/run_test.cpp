#include <gtest/gtest.h>

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

}  // namespace
}  // namespace pantile
