// Job files with a mistake each, and the whole message that a person sees, side by side in tests/config/broken.
// PANTILE_UPDATE_GOLDEN=1 writes the messages instead of checking them: then read each as a person would.

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.hpp"
#include "config/diagnostics.hpp"
#include "config/load.hpp"

namespace pantile {
namespace {

using testing::HasSubstr;

std::vector<std::filesystem::path> broken_jobs() {
  std::vector<std::filesystem::path> jobs;
  for (const auto& file : std::filesystem::directory_iterator{PANTILE_SOURCE_DIR "/tests/config/broken"}) {
    if (file.path().extension() == ".yaml") {
      jobs.push_back(file.path());
    }
  }
  std::sort(jobs.begin(), jobs.end());
  return jobs;
}

/// With the folder as a person in it would see it.
std::string complaint(const std::filesystem::path& job) {
  try {
    (void)load_job(job, {});
  } catch (const ConfigError& error) {
    std::string text = std::string{error.what()} + '\n';
    const std::string folder = job.parent_path().string() + "/";
    for (auto at = text.find(folder); at != std::string::npos; at = text.find(folder)) {
      text.erase(at, folder.size());
    }
    return text;
  }
  return "accepted\n";
}

class BrokenJob : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(BrokenJob, IsRefusedInTheWordsBesideIt) {
  std::filesystem::path golden = GetParam();
  golden.replace_extension(".txt");
  const std::string said = complaint(GetParam());
  if (std::getenv("PANTILE_UPDATE_GOLDEN") != nullptr) {
    replace_file(golden, said, Durable::no);
    GTEST_SKIP() << golden << " was written anew";
  }
  EXPECT_EQ(said, read_text(golden)) << "run this test with PANTILE_UPDATE_GOLDEN=1, and read what it writes";
  EXPECT_THAT(said, HasSubstr("nothing was started. All keys: pantile config keys\n"));
}

INSTANTIATE_TEST_SUITE_P(All, BrokenJob, testing::ValuesIn(broken_jobs()),
                         [](const auto& job) { return job.param.stem().string(); });

TEST(BrokenJobs, AreMoreThanADozen) { EXPECT_GE(broken_jobs().size(), 12U); }

}  // namespace
}  // namespace pantile
