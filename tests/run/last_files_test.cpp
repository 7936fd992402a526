#include "run/last_files.hpp"

#include <gmock/gmock.h>

#include <filesystem>

#include "base/log.hpp"
#include "base/temp_folder.hpp"
#include "config/config.hpp"

namespace pantile {
namespace {

using testing::TempFolder;

// Where locks do not reach, a run that slept may end when its folder is another one's.
TEST(LastFiles, AreNotWrittenOverThoseOfANewOwner) {
  log::set_level(log::Level::error);
  const TempFolder folder;
  const std::filesystem::path data = std::filesystem::path{PANTILE_SOURCE_DIR} / "tests/data";
  const std::string text =
      "schema: 1\nname: t\ninput: [{path: " + (data / "pages").string() +
      ", include: [small.png]}]\npipeline: [{id: s, model: " + (data / "models/upscale2x.onnx").string() +
      ", image: {color: RGB, scale: 1/255}, output: {kind: image}}]\noutput: {dir: out}\n";
  Job old_owner = prepare_job(parse_config(text, "job", folder.path()), {});
  const RunLayout& layout = old_owner.folder.layout();
  write_last_files(old_owner, false);
  ASSERT_TRUE(std::filesystem::exists(layout.index()));

  JournalState state;
  Journal new_owner = Journal::open(layout.journal(), state);
  new_owner.append(state.next_start("t"), state);
  new_owner.commit();
  std::filesystem::remove(layout.index());
  try {
    write_last_files(old_owner, false);
    ADD_FAILURE() << "it wrote";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("is no longer the owner of its folder"));
  }
  EXPECT_FALSE(std::filesystem::exists(layout.index()));
  log::set_level(log::Level::info);
}

}  // namespace
}  // namespace pantile
