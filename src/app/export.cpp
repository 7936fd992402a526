#include <fmt/format.h>

#include <filesystem>

#include "app/commands.hpp"
#include "app/export_folder.hpp"
#include "base/log.hpp"
#include "codec/encode.hpp"
#include "store/index_reader.hpp"

namespace pantile::app {
namespace {

/// Level 4: two thirds of the time of zlib's default for files 2 % larger.
constexpr int png_level = 4;

OutputId output_of(const IndexReader& reader, const std::string& name) {
  for (std::size_t i = 0; i < reader.outputs().size(); ++i) {
    if (name == reader.outputs()[i].name || (name.empty() && reader.outputs().size() == 1)) {
      return OutputId{static_cast<std::uint16_t>(i)};
    }
  }
  std::string names;
  for (const OutputInfo& output : reader.outputs()) {
    names += (names.empty() ? "" : ", ") + output.name;
  }
  throw UsageError{name.empty() ? "the run has several outputs. Choose one with --output: " + names
                                : "the run has no output '" + name + "'. It has: " + names};
}

Bytes png_of(const ItemPixels& pixels) {
  const ImageView view{pixels.values.data(), pixels.extent, pixels.channels,
                       pixels.dtype == DType::u16 ? Depth::u16 : Depth::u8};
  return encode_png(view, png_level);
}

}  // namespace

ExitCode carry_out(const ExportCommand& command) {
  const RunLayout layout = existing_run(command.run);
  IndexReader reader{layout};
  const OutputId output = output_of(reader, command.output);
  FileNames names{reader};
  const ExportFolder folder{command.folder};
  std::uint64_t written = 0;
  std::uint64_t left_out = 0;
  for (std::uint64_t i = 0; i < reader.items(); ++i) {
    const IndexedOutput found = reader.find(ItemId{i}, output);
    if (found.row.status != ItemStatus::done) {
      ++left_out;
      continue;
    }
    folder.write(names.name(ItemId{i}, found.path), png_of(reader.read_pixels(ItemId{i}, output)));
    ++written;
  }
  log::info("{} PNG files in {}{}", written, command.folder.string(),
            left_out == 0 ? ""
                          : fmt::format("; {} items have no result and were left out (see: pantile inspect {})",
                                        left_out, command.run.string()));
  return ExitCode::done;
}

}  // namespace pantile::app
