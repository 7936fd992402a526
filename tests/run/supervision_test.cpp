// What the supervisor reads, without ranks: mpirun's talk, Slurm's lists, requests to a run; and whom it ends.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>

#include "base/temp_folder.hpp"
#include "run/child_process.hpp"
#include "run/control.hpp"
#include "run/hosts.hpp"
#include "run/launcher.hpp"
#include "run/lifeline.hpp"
#include "run/loss.hpp"
#include "run/short_command.hpp"
#include "run/slurm_job.hpp"

namespace pantile {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TempFolder;

TEST(Loss, IsReadFromWhatMpirunSaysOfARank) {
  const Loss loss =
      read_loss("mpirun noticed that process rank 2 with PID 4711 on node node3 exited on signal 9 (Killed).\n");
  EXPECT_EQ(loss.rank, 2);
  EXPECT_EQ(loss.host, "node3");
  EXPECT_EQ(loss.signal, 9);
  EXPECT_FALSE(loss.whole_host);
  EXPECT_EQ(to_string(loss, 137), "rank 2 on node3 was lost (signal 9, Killed)");
}

TEST(Loss, IsReadFromWhatMpirunSaysOfAMachine) {
  const Loss loss = read_loss(
      "ORTE has lost communication with a remote daemon.\n\n  HNP daemon   : [[25411,0],0] on node node1\n"
      "  Remote daemon: [[25411,0],2] on node node3\n\nThis is usually due to either a failure of the TCP network\n");
  EXPECT_TRUE(loss.whole_host);
  EXPECT_EQ(loss.host, "node3");
  EXPECT_EQ(to_string(loss, 205), "the machine node3 was lost");
}

TEST(Loss, WithoutAWordTheExitCodeIsTold) {
  EXPECT_EQ(to_string(read_loss(""), 205), "a rank was lost (mpirun ended with 205)");
  EXPECT_EQ(to_string(read_loss(""), 137), "mpirun was lost (signal 9, Killed)");
}

TEST(Hosts, SlotsAreReadAsSlurmWritesThem) {
  EXPECT_THAT(parse_slots("2(x3),1"), ElementsAre(2, 2, 2, 1));
  EXPECT_THAT(parse_slots("4"), ElementsAre(4));
  for (const char* const odd : {"", "x", "2(x", "2(x3", "2(y3)", "0", "-1", "2(x0)", "2,,3"}) {
    EXPECT_THAT(parse_slots(odd), IsEmpty()) << odd;
  }
}

TEST(Hosts, AHostfileIsReadAsMpirunReadsIt) {
  EXPECT_THAT(parse_hostfile("# machines\nnode1 slots=4\n\n node2   # one\nnode3 max_slots=8 slots=2\n"),
              ElementsAre(Host{"node1", 4}, Host{"node2", 1}, Host{"node3", 2}));
  EXPECT_EQ(host_list({{"node1", 4}, {"node2", 1}}), "node1:4,node2:1");
}

TEST(ShortCommand, TellsItsCodeAndWhatItSaid) {
  const ShortCommand said = run_short_command({"sh", "-c", "echo ' hello '; exit 3"}, std::chrono::seconds{10});
  EXPECT_EQ(said.code, 3);
  EXPECT_EQ(said.output, "hello");
  EXPECT_EQ(run_short_command({"pantile-has-no-such-command"}, std::chrono::seconds{10}).code, -1);
}

TEST(ShortCommand, IsKilledWithItsChildrenWhenItTakesTooLong) {
  const auto begin = std::chrono::steady_clock::now();
  const auto ends = run_short_commands({{"sh", "-c", "sleep 60 & sleep 60"}, {"true"}}, std::chrono::milliseconds{300});
  ASSERT_THAT(ends, SizeIs(2));
  EXPECT_EQ(ends[0].code, -1);
  EXPECT_EQ(ends[1].code, 0) << "the others are not held by it";
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{20});
}

TEST(Control, ARequestIsTakenOnceByTheEpochThatIsMeant) {
  const TempFolder folder;
  const RunLayout layout{folder.path()};
  EXPECT_THAT(take_requests(layout, 3), IsEmpty()) << "no folder yet";
  const ControlRequest request = post_request(layout, 3, "drain");
  const auto taken = take_requests(layout, 3);
  ASSERT_THAT(taken, SizeIs(1));
  EXPECT_EQ(taken[0].id, request.id);
  EXPECT_EQ(taken[0].text, "drain");
  EXPECT_THAT(take_requests(layout, 3), IsEmpty());
}

TEST(Control, RequestsOfAnEarlierEpochAndThoseWithoutSenseAreRemoved) {
  const TempFolder folder;
  const RunLayout layout{folder.path()};
  static_cast<void>(post_request(layout, 2, "stop"));
  std::ofstream{layout.control() / "0.request"} << "{\"epoch\": \"three\"}";
  std::ofstream{layout.control() / "1.request"} << "drain!";
  std::ofstream{layout.control() / "2.request.tmp-1"} << "half a requ";
  EXPECT_THAT(take_requests(layout, 3), IsEmpty());
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator{layout.control()}) {
    left.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(left, ElementsAre("2.request.tmp-1")) << "it is being written";
}

TEST(Lifeline, ASupervisorOfThisMachineIsWatchedAndNoOther) {
  ::setenv(supervised_variable, supervisor_name().c_str(), 1);
  EXPECT_FALSE(SupervisorWatch{}.is_gone()) << "it is this process";
  const std::string here = supervisor_name().substr(supervisor_name().find('/'));
  const ShortCommand shell = run_short_command({"sh", "-c", "echo $$"}, std::chrono::seconds{10});
  ::setenv(supervised_variable, (shell.output + here).c_str(), 1);
  EXPECT_TRUE(SupervisorWatch{}.is_gone());
  ::setenv(supervised_variable, (shell.output + "/another-boot/pid:[1]").c_str(), 1);
  EXPECT_FALSE(SupervisorWatch{}.is_gone()) << "nothing is known of other machines";
  ::setenv(supervised_variable, "1", 1);
  EXPECT_FALSE(SupervisorWatch{}.is_gone());
  ::unsetenv(supervised_variable);
  EXPECT_FALSE(SupervisorWatch{}.is_gone());
}

TEST(SlurmJob, ThatComesBackInVainIsGivenUp) {
  ::unsetenv("SLURM_RESTART_COUNT");
  EXPECT_NO_THROW(expect_requeues_to_help(100)) << "a person's own tries are not counted";
  ::setenv("SLURM_RESTART_COUNT", "5", 1);
  EXPECT_NO_THROW(expect_requeues_to_help(4));
  EXPECT_THROW(expect_requeues_to_help(5), Error);
  ::setenv("SLURM_RESTART_COUNT", "4", 1);
  EXPECT_NO_THROW(expect_requeues_to_help(5)) << "those before were not this job's";
  ::unsetenv("SLURM_RESTART_COUNT");
}

TEST(Ranks, OfThisStartAreFoundAndEnded) {
  const Child stranger = start_child({"sleep", "20"}, Hears::errors);
  ::setenv(supervised_variable, supervisor_name().c_str(), 1);
  const Child rank = start_child({"sleep", "20"}, Hears::errors);
  ::unsetenv(supervised_variable);
  int status = 0;
  do {
    end_ranks_here();  // A process has no environment for a moment while it starts.
  } while (::waitpid(rank.pid, &status, WNOHANG) == 0);
  EXPECT_EQ(exit_code(status), 128 + SIGKILL);
  EXPECT_EQ(::waitpid(stranger.pid, &status, WNOHANG), 0) << "not one of ours";
  ::kill(stranger.pid, SIGKILL);
  ::waitpid(stranger.pid, &status, 0);
}

}  // namespace
}  // namespace pantile
