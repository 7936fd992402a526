#include "run/slurm_job.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/temp_folder.hpp"

namespace pantile {
namespace {

using ::testing::ElementsAre;
using testing::TempFolder;

/// The variables of a process in Slurm, and of no other job than the one given here.
class Variables {
 public:
  explicit Variables(const std::map<std::string, std::string>& values) {
    for (const char* const name : {"SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_END_TIME"}) {
      set(name, std::nullopt);
    }
    for (const auto& [name, value] : values) {
      set(name, value);
    }
  }
  Variables(const Variables&) = delete;
  Variables& operator=(const Variables&) = delete;
  ~Variables() {
    for (const auto& [name, value] : before_) {
      value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
    }
  }

 private:
  void set(const std::string& name, const std::optional<std::string>& value) {
    const char* const old = std::getenv(name.c_str());
    before_.try_emplace(name, old != nullptr ? std::optional<std::string>{old} : std::nullopt);
    value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
  }

  std::map<std::string, std::optional<std::string>> before_;
};

/// scontrol and squeue that keep what they are asked, in the PATH of what is run meanwhile.
class SlurmCommands {
 public:
  SlurmCommands() {
    make("scontrol", "echo 'JobId=1 Requeue=1 Restarts=0 BatchFlag=1 Reboot=0'");
    make("squeue", "echo 2026-11-21T17:05:00");
  }
  [[nodiscard]] std::string path() const { return folder_.path().string() + ":" + std::getenv("PATH"); }
  [[nodiscard]] std::vector<std::string> asked() const {
    std::ifstream file{folder_.path() / "asked"};
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
      lines.push_back(line);
    }
    return lines;
  }

 private:
  void make(const std::string& name, const std::string& text) const {
    const std::filesystem::path file = folder_.path() / name;
    std::ofstream{file} << "#!/bin/sh\necho \"${0##*/} $*\" >>'" << folder_.path().string() << "/asked'\n"
                        << text << "\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  }

  TempFolder folder_;
};

TEST(SlurmJobName, IsThatOfTheTaskInAnArray) {
  {
    const Variables outside{{}};
    EXPECT_EQ(slurm_job_name(), "");
  }
  {
    const Variables job{{{"SLURM_JOB_ID", "123"}}};
    EXPECT_EQ(slurm_job_name(), "123");
  }
  const Variables last{{{"SLURM_JOB_ID", "123"}, {"SLURM_ARRAY_JOB_ID", "123"}, {"SLURM_ARRAY_TASK_ID", "4"}}};
  EXPECT_EQ(slurm_job_name(), "123_4");
}

TEST(SlurmJob, OfAnArrayIsKeptFromRequeueWithoutItsSiblings) {
  const SlurmCommands slurm;
  const Variables variables{
      {{"SLURM_JOB_ID", "123"}, {"SLURM_ARRAY_JOB_ID", "123"}, {"SLURM_ARRAY_TASK_ID", "4"}, {"PATH", slurm.path()}}};
  EXPECT_TRUE(keep_slurm_job_from_requeue());
  EXPECT_TRUE(end_of_slurm_job());
  EXPECT_THAT(slurm.asked(), ElementsAre("scontrol -o show job 123_4", "scontrol update JobId=123_4 Requeue=0",
                                         "squeue -h -j 123_4 -o %e"));
}

TEST(SlurmJob, IsAskedForByItsNumber) {
  const SlurmCommands slurm;
  const Variables variables{{{"SLURM_JOB_ID", "123"}, {"PATH", slurm.path()}}};
  EXPECT_TRUE(is_in_requeuable_job());
  EXPECT_THAT(slurm.asked(), ElementsAre("scontrol -o show job 123"));
}

TEST(SlurmJob, IsNotAskedForOutsideOfSlurm) {
  const SlurmCommands slurm;
  const Variables variables{{{"PATH", slurm.path()}}};
  EXPECT_FALSE(keep_slurm_job_from_requeue());
  EXPECT_FALSE(end_of_slurm_job());
  EXPECT_TRUE(slurm.asked().empty());
}

}  // namespace
}  // namespace pantile
