#include <fmt/format.h>

#include <fcntl.h>

#include <filesystem>
#include <set>

#include "app/commands.hpp"
#include "base/file.hpp"
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

/// Where an item's file goes: its own path with .png for its ending; a.jpg.png where stems collide, so that no file is
/// written twice.
class FileNames {
 public:
  explicit FileNames(const IndexReader& reader) {
    for (std::uint64_t item = 0; item < reader.items(); ++item) {
      const std::string stem = stem_of(below(reader.path(ItemId{item})));
      if (!stems_.insert(stem).second) {
        shared_.insert(stem);
      }
    }
  }
  [[nodiscard]] std::filesystem::path name(ItemId item, const std::string& item_path) {
    const std::string path = below(item_path);
    const std::string stem = stem_of(path);
    std::string name = (shared_.contains(stem) ? path : stem) + ".png";
    if (!used_.insert(name).second) {
      // The same path in two inputs: the number tells them apart.
      name = fmt::format("{}.{}.png", path, index(item));
      used_.insert(name);
    }
    return name;
  }

 private:
  /// The path without what leads out of a folder: a list names files by absolute paths, an archive calls members ../x.
  static std::string below(const std::string& path) {
    std::filesystem::path kept;
    for (const std::filesystem::path& name : std::filesystem::path{path}.relative_path()) {
      if (name != ".." && name != ".") {
        kept /= name;
      }
    }
    return kept.string();
  }
  static std::string stem_of(const std::string& path) {
    return std::filesystem::path{path}.replace_extension().string();
  }
  std::set<std::string> stems_;
  std::set<std::string> shared_;
  std::set<std::string> used_;
};

void write_png(const std::filesystem::path& path, const ItemPixels& pixels) {
  const ImageView view{pixels.values.data(), pixels.extent, pixels.channels,
                       pixels.dtype == DType::u16 ? Depth::u16 : Depth::u8};
  const Bytes png = encode_png(view, png_level);
  std::filesystem::create_directories(path.parent_path());
  const File file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  write_all(file.get(), png, path.string());
}

}  // namespace

ExitCode carry_out(const ExportCommand& command) {
  const RunLayout layout = existing_run(command.run);
  IndexReader reader{layout};
  const OutputId output = output_of(reader, command.output);
  FileNames names{reader};
  std::uint64_t written = 0;
  std::uint64_t left_out = 0;
  for (std::uint64_t i = 0; i < reader.items(); ++i) {
    const IndexedOutput found = reader.find(ItemId{i}, output);
    if (found.row.status != ItemStatus::done) {
      ++left_out;
      continue;
    }
    write_png(command.folder / names.name(ItemId{i}, found.path), reader.read_pixels(ItemId{i}, output));
    ++written;
  }
  log::info("{} PNG files in {}{}", written, command.folder.string(),
            left_out == 0 ? ""
                          : fmt::format("; {} items have no result and were left out (see: pantile inspect {})",
                                        left_out, command.run.string()));
  return ExitCode::done;
}

}  // namespace pantile::app
