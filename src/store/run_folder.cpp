#include "store/run_folder.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <vector>

#include "base/error.hpp"
#include "base/log.hpp"

namespace pantile {

namespace {

constexpr std::string_view identity_head =
    "# What the results of this run depend on. Written once by pantile; a resume with another identity is refused.\n";
constexpr std::string_view format_key = "format: ";
constexpr std::string_view run_id_key = "run_id: ";

/// Whether something was begun here that --fresh has to keep.
bool has_run(const RunLayout& layout) {
  return std::filesystem::exists(layout.identity()) || std::filesystem::exists(layout.journal()) ||
         std::filesystem::exists(layout.shards());
}

std::string make_run_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  std::istringstream stream{std::string{text}};
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

RunFolder::RunFolder(Disk& disk, RunLayout layout, std::optional<FolderLock> lock)
    : disk_{&disk}, layout_{std::move(layout)}, lock_{std::move(lock)} {}

RunFolder RunFolder::open(const std::filesystem::path& root, std::chrono::milliseconds patience, Disk& disk) {
  RunLayout layout{root.has_filename() ? root : root.parent_path()};
  std::error_code error;
  std::filesystem::create_directories(layout.root, error);
  if (!std::filesystem::is_directory(layout.root)) {
    throw Error{"cannot create the output folder " + layout.root.string() + ": " + error.message() +
                ". Choose another `output.dir`."};
  }
  RunFolder folder{disk, layout, FolderLock::take(layout, patience)};
  std::filesystem::create_directories(layout.shards(), error);
  if (error) {
    throw Error{"cannot create " + layout.shards().string() + ": " + error.message()};
  }
  disk.sync_folder(layout.root);
  disk.sync_folder(folder_of(layout.root));
  return folder;
}

RunFolder RunFolder::open_fresh(const std::filesystem::path& root, std::chrono::milliseconds patience, Disk& disk) {
  const RunLayout layout{root.has_filename() ? root : root.parent_path()};
  if (has_run(layout)) {
    const RunFolder old = open(root, patience, disk);
    const std::filesystem::path kept = numbered(disk, layout.root, "old");
    disk.rename(layout.root, kept);
    log::info("the old run is kept in {}", kept.string());
  }
  return open(root, patience, disk);
}

RunFolder RunFolder::unlocked(RunLayout layout, Disk& disk) { return {disk, std::move(layout), std::nullopt}; }

std::string RunFolder::claim_identity(std::string_view identity) {
  if (!disk_->exists(layout_.identity())) {
    if (disk_->exists(layout_.journal())) {
      throw Error{layout_.root.string() +
                  " has a journal but no run.yaml (nobody can tell which run it is). Restore "
                  "run.yaml, or start again with --fresh."};
    }
    const std::string run_id = make_run_id();
    pantile::replace_file(
        *disk_, layout_.identity(),
        fmt::format("{}{}{}\n{}{}\n{}", identity_head, format_key, store_format_version, run_id_key, run_id, identity),
        Durable::yes);
    return run_id;
  }
  check_identity(layout_, identity);
  return read_identity(layout_).run_id;
}

namespace {

template <class Sweep>
std::size_t swept(Sweep sweep) {
  try {
    return sweep();
  } catch (const Error& error) {
    throw Error{std::string{"cannot remove what an interrupted run left: "} + error.what()};
  }
}

}  // namespace

std::size_t RunFolder::put_unnamed_aside(const JournalState& state) const {
  return swept([&] { return pantile::put_unnamed_aside(*disk_, layout_, state); });
}

std::size_t RunFolder::remove_orphans(const JournalState& state, Sealed sealed) const {
  return swept([&] { return pantile::remove_orphans(*disk_, layout_, state, sealed); });
}

void check_identity(const RunLayout& layout, std::string_view identity) {
  if (const std::string difference = diff_lines(read_identity(layout).text, identity); !difference.empty()) {
    throw UsageError{
        fmt::format("{} holds another run (its results would differ):\n{}Go back to the old settings, choose another "
                    "output folder, or keep the old run aside with --fresh.",
                    layout.root.string(), difference)};
  }
}

namespace {

/// What follows `key` on the line at `at`, which it moves to the next line. Nothing if that line has another key.
std::optional<std::string> take_line(const std::string& text, std::string_view key, std::size_t& at) {
  const std::size_t end = text.find('\n', at);
  if (text.compare(at, key.size(), key) != 0 || end == std::string::npos) {
    return std::nullopt;
  }
  const std::size_t begin = at + key.size();
  at = end + 1;
  return text.substr(begin, end - begin);
}

}  // namespace

RunIdentity read_identity(const RunLayout& layout) {
  if (!std::filesystem::exists(layout.identity())) {
    throw Error{"there is no run in " + layout.root.string() + ": run.yaml is missing"};
  }
  return parse_identity(read_text(layout.identity()), layout.identity().string());
}

RunIdentity parse_identity(const std::string& text, const std::string& name) {
  std::size_t at = 0;
  while (text.compare(at, 1, "#") == 0) {
    at = text.find('\n', at);
    at = at == std::string::npos ? text.size() : at + 1;
  }
  const std::optional<std::string> format = take_line(text, format_key, at);
  if (format && *format != std::to_string(store_format_version) &&
      format->find_first_not_of("0123456789") == std::string::npos) {
    throw ForeignFormat{name + ": it has format version " + *format + " (this program reads " +
                        std::to_string(store_format_version) + "). Use the program that wrote it"};
  }
  const std::optional<std::string> run_id = take_line(text, run_id_key, at);
  if (!format || !run_id) {
    throw Error{name +
                " has no format or no run id where they belong. Was it edited? `pantile verify RUN --repair` "
                "restores it."};
  }
  return {.run_id = *run_id, .text = text.substr(at)};
}

std::string diff_lines(std::string_view before, std::string_view after) {
  const auto old_lines = lines_of(before);
  const auto new_lines = lines_of(after);
  const auto lacking = [](const std::vector<std::string>& lines, const std::vector<std::string>& other,
                          const char* mark) {
    std::multiset<std::string> left{other.begin(), other.end()};
    std::string text;
    for (const std::string& line : lines) {
      if (const auto same = left.find(line); same != left.end()) {
        left.erase(same);
      } else {
        text += mark + line + "\n";
      }
    }
    return text;
  };
  const std::string difference = lacking(old_lines, new_lines, "- ") + lacking(new_lines, old_lines, "+ ");
  // The same lines in another order are another text, too.
  return difference.empty() && old_lines != new_lines ? "the same lines in another order\n" : difference;
}

}  // namespace pantile
