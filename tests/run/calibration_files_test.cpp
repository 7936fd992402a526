#include "run/calibration_files.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.hpp"
#include "base/temp_folder.hpp"

namespace pantile {
namespace {

namespace fs = std::filesystem;
using testing::TempFolder;

Calibration sample(const std::string& engine = "ONNX Runtime 1.31.1") {
  Footprint footprint{AllocationPattern{
      16, {{.growth = {.factors = {0.1, 1000, -3, 0, 1.0 / 3}, .with_batch = 31}, .born = 0, .died = 1}}}};
  footprint.observe({100, 100}, 2, 900'000'000'000);
  footprint.forbid({500, 500}, 1, 1000);
  return {.key = {{7, 8}, "f32", "cpu:avx512", engine},
          .weights_bytes = 4711,
          .probes = {{{48, 48}, 123456, 1}, {{48, 192}, 654321, 2}},
          .footprint = std::move(footprint)};
}

Calibration without_bounds(const Calibration& calibration) {
  Calibration copy = calibration;
  Footprint::Parts parts = copy.footprint.parts();
  parts.bounds.clear();
  copy.footprint = Footprint{std::move(parts)};
  return copy;
}

TEST(CalibrationFiles, AreReadAsTheyWereWritten) {
  EXPECT_EQ(parse_calibration(to_text(sample())), sample());
  const std::vector<FootprintSample> probes{{{64, 64}, 200'000}, {{128, 128}, 600'000}, {{64, 256}, 650'000}};
  const Calibration of_formula{
      .key = sample().key, .weights_bytes = 0, .probes = probes, .footprint = Footprint{probes}};
  EXPECT_EQ(parse_calibration(to_text(of_formula)), of_formula);
}

TEST(CalibrationFiles, AreNotReadIfTheyAreTornForeignOrOfAnotherVersion) {
  const std::string text = to_text(sample());
  for (std::size_t length = 0; length + 1 < text.size(); length += 7) {
    EXPECT_FALSE(parse_calibration(text.substr(0, length)).has_value()) << length;
  }
  const auto changed = [&](const std::string& what, const std::string& other) {
    std::string copy = text;
    return copy.replace(copy.find(what), what.size(), other);
  };
  EXPECT_FALSE(parse_calibration(changed("calibration 1", "calibration 2")).has_value());
  EXPECT_FALSE(parse_calibration(changed("4711", "4712")).has_value());
  EXPECT_FALSE(parse_calibration(changed("1000.0", "9000.0")).has_value());
  for (const char* foreign : {"", "[]", "{}", "null", "4", "{\"calibration\": []}", "\x89PNG\r\n"}) {
    EXPECT_FALSE(parse_calibration(foreign).has_value()) << foreign;
  }
}

TEST(CalibrationFiles, AreFoundByTheModelWhateverDeviceAndEngine) {
  const TempFolder folder;
  const CalibrationFolders folders{.run = {}, .cache = folder.path() / "cache"};
  EXPECT_TRUE(known_calibrations(folders, {7, 8}).empty());
  EXPECT_TRUE(keep_calibration(folders, sample()));
  EXPECT_TRUE(keep_calibration(folders, sample("ONNX Runtime 1.21.0")));
  EXPECT_TRUE(keep_calibration(folders, sample())) << "again";
  EXPECT_EQ(known_calibrations(folders, {7, 8}).size(), 2U);
  EXPECT_TRUE(known_calibrations(folders, {7, 9}).empty());
  EXPECT_EQ(std::distance(fs::directory_iterator{folders.cache}, {}), 2) << "and nothing half written";
}

TEST(CalibrationFiles, OfTheRunComeFirstAndAloneHaveItsBounds) {
  const TempFolder folder;
  const CalibrationFolders folders{.run = folder.path() / "run", .cache = folder.path() / "cache"};
  keep_calibration(folders, sample());
  EXPECT_EQ(known_calibrations(folders, {7, 8}), std::vector{sample()});
  fs::remove_all(folders.run);
  EXPECT_EQ(known_calibrations(folders, {7, 8}), std::vector{without_bounds(sample())});
}

TEST(CalibrationFiles, AreLeftAsideIfTheyAreDamaged) {
  const TempFolder folder;
  const CalibrationFolders folders{.run = folder.path() / "run", .cache = folder.path() / "cache"};
  keep_calibration(folders, sample());
  replace_file(folders.run / file_name(sample().key), "{\"format\": \"pantile cal", Durable::no);
  EXPECT_EQ(known_calibrations(folders, {7, 8}), std::vector{without_bounds(sample())}) << "the cache has a good one";
  fs::remove(folders.cache / file_name(sample().key));
  fs::create_directories(folders.cache / file_name(sample().key));
  EXPECT_TRUE(known_calibrations(folders, {7, 8}).empty());
}

TEST(CalibrationFiles, ThatCannotBeWrittenAreNoError) {
  const TempFolder folder;
  replace_file(folder.path() / "file", "this is no folder", Durable::no);
  const CalibrationFolders folders{.run = folder.path() / "run", .cache = folder.path() / "file" / "cache"};
  EXPECT_FALSE(keep_calibration(folders, sample()));
  EXPECT_EQ(known_calibrations(folders, {7, 8}).size(), 1U) << "the run has it all the same";
  EXPECT_FALSE(keep_calibration({}, sample()));
}

TEST(CalibrationFiles, DoNotKeepWhatALackOfMemoryCutShort) {
  const TempFolder folder;
  const CalibrationFolders folders{.run = folder.path() / "run", .cache = folder.path() / "cache"};
  Calibration cut = sample();
  cut.is_cut_short = true;
  EXPECT_FALSE(keep_calibration(folders, cut));
  EXPECT_FALSE(keep_calibration(folders, {.key = sample().key, .weights_bytes = 0, .probes = {}, .footprint = {}}));
  EXPECT_TRUE(known_calibrations(folders, {7, 8}).empty());
}

TEST(CalibrationFiles, KeepWhatSeveralRanksHaveMeasured) {
  const TempFolder folder;
  const CalibrationFolders folders{.run = folder.path(), .cache = {}};
  Calibration one = without_bounds(sample());
  Calibration other = one;
  one.footprint.observe({200, 200}, 1, 900'000'000'000'000);
  other.footprint.observe({300, 300}, 1, 900'000'000'000'000);
  keep_calibration(folders, one);
  keep_calibration(folders, other);
  const auto known = known_calibrations(folders, {7, 8});
  ASSERT_EQ(known.size(), 1U);
  for (const Extent input : {Extent{200, 200}, Extent{300, 300}}) {
    EXPECT_GE(known[0].footprint.expect_peak(input), 900'000'000'000'000U) << to_string(input);
  }
}

TEST(CalibrationFiles, AreNotWrittenAgainIfTheySayTheSame) {
  const TempFolder folder;
  const CalibrationFolders folders{.run = {}, .cache = folder.path()};
  keep_calibration(folders, sample());
  const fs::path file = folder.path() / file_name(sample().key);
  const fs::path link = folder.path() / "same";
  fs::create_hard_link(file, link);
  EXPECT_TRUE(keep_calibration(folders, sample()));
  EXPECT_TRUE(fs::equivalent(file, link)) << "the file is the old one";
  Calibration other = sample();
  other.weights_bytes = 4712;
  EXPECT_TRUE(keep_calibration(folders, other));
  EXPECT_FALSE(fs::equivalent(file, link));
}

class Variable {
 public:
  Variable(const char* name, const char* value) : name_{name} {
    if (const char* const old = std::getenv(name)) {
      old_ = old;
    }
    value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
  }
  ~Variable() { old_ ? ::setenv(name_, old_->c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

TEST(CalibrationFiles, LieWhereTheUsersCacheIs) {
  const Variable home{"HOME", "/people/someone"};
  {
    const Variable cache{"XDG_CACHE_HOME", "/var/cache/someone"};
    EXPECT_EQ(calibration_folders().cache, "/var/cache/someone/pantile");
    EXPECT_TRUE(calibration_folders().run.empty());
    EXPECT_EQ(calibration_folders("/runs/a").run, "/runs/a/calibration");
  }
  for (const char* none : {static_cast<const char*>(nullptr), "", "relative"}) {
    const Variable cache{"XDG_CACHE_HOME", none};
    EXPECT_EQ(calibration_folders().cache, "/people/someone/.cache/pantile");
  }
  const Variable cache{"XDG_CACHE_HOME", nullptr};
  const Variable no_home{"HOME", nullptr};
  EXPECT_TRUE(calibration_folders().cache.empty());
}

}  // namespace
}  // namespace pantile
