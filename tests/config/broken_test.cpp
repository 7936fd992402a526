// Job files with a mistake each, and the whole message that a person sees, side by side in tests/config/broken.
// PANTILE_UPDATE_GOLDEN=1 writes the messages instead of checking them: then read each as a person would.

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <random>

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

TEST(BrokenJobs, DamagedTextIsRefusedOrTakenButNeverCrashes) {
  const std::vector<std::filesystem::path> jobs = broken_jobs();
  const std::string pieces = "{}[]:,-&*!|>'\"%@`$# \n\t\\~0aé\x01";
  int refused = 0;
  for (unsigned seed = 0; seed < 3'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random{seed};
    std::string text = read_text(jobs[random() % jobs.size()]);
    for (unsigned i = 0; i <= random() % 4; ++i) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0: text[at] = pieces[random() % pieces.size()]; break;
        case 1: text.insert(at, 1, pieces[random() % pieces.size()]); break;
        case 2: text.erase(at, 1 + random() % 3); break;
        default: text = text.substr(0, at) + text.substr(random() % text.size()); break;
      }
      text += text.empty() ? "x" : "";
    }
    try {
      (void)parse_job(text, "job.yaml", jobs[0].parent_path(), {.sets = {"tiles.size=9"}, .environment = {{"A", "b"}}});
    } catch (const ConfigError& error) {
      ++refused;
      EXPECT_FALSE(error.text(Paint::color).empty());
    }
  }
  EXPECT_GT(refused, 2'000);
}

}  // namespace
}  // namespace pantile
