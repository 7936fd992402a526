#include "source/input_kind.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "base/error.hpp"
#include "source/names.hpp"
#include "source/stack.hpp"
#include "source/tar.hpp"

namespace pantile::detail {
namespace {

namespace fs = std::filesystem;

bool any(const std::vector<Glob>& globs, std::string_view path) {
  return std::any_of(globs.begin(), globs.end(), [&](const Glob& glob) { return glob.matches(path); });
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// .tgz and its like, and .tar.gz and its like.
bool is_packed_tar(const fs::path& path, std::string_view ending) {
  return is_one_of(ending, {"tgz", "tbz", "tbz2", "txz", "tzst", "tlz"}) ||
         (is_one_of(ending, {"gz", "bz2", "xz", "zst", "lz", "lzma", "lz4", "z"}) &&
          ending_of(path.stem().string()) == "tar");
}

/// A pipe or a device: nobody knows how long it is, and a look at it may wait for ever.
void expect_input_file(const fs::path& path) {
  if (!fs::is_regular_file(path)) {
    throw UsageError{fmt::format("input {}: it is not a regular file, and is not read.", path.string())};
  }
}

KnownInput file_input(const fs::path& path) {
  const std::string ending = ending_of(path.filename().string());
  const auto container = [&](InputKind kind, RootKind root) -> KnownInput {
    expect_input_file(path);
    return {kind, {.kind = root, .path = path, .dataset = {}, .bytes = size_and_time(path).bytes}};
  };
  if (ending == "tar") {
    return container(InputKind::archive, RootKind::tar);
  }
  if (is_one_of(ending, {"zip", "cbz"})) {
    return container(InputKind::archive, RootKind::zip);
  }
  if (is_packed_tar(path, ending)) {
    throw UsageError{compressed_tar(path)};
  }
  if (is_one_of(ending, {"rar", "cbr", "7z", "cb7"})) {
    throw UsageError{fmt::format("input {}: .{} archives are not read. Pack it again as .zip or .tar, or unpack it.",
                                 path.string(), ending)};
  }
  if (is_one_of(ending, {"h5", "hdf5", "hdf"})) {
    throw UsageError{fmt::format("input {}: say which dataset of the file has the images: {}:/images", path.string(),
                                 path.string())};
  }
  const InputKind kind = is_one_of(ending, {"txt", "lst"}) ? InputKind::list : InputKind::file;
  if (kind == InputKind::list) {
    expect_input_file(path);
  }
  return {kind, {.kind = RootKind::folder, .path = path.parent_path(), .dataset = {}, .bytes = 0}};
}

}  // namespace

KnownInput look_at(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (fs::is_directory(status)) {
    return {InputKind::folder, {.kind = RootKind::folder, .path = path, .dataset = {}, .bytes = 0}};
  }
  if (fs::exists(status)) {
    return file_input(path);
  }
  if (const auto stack = split_stack_path(path.string()); stack && fs::exists(fs::status(stack->first, error))) {
    expect_input_file(stack->first);
    return {InputKind::stack,
            {.kind = RootKind::stack,
             .path = stack->first,
             .dataset = stack->second,
             .bytes = size_and_time(stack->first).bytes}};
  }
  if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory) {
    throw UsageError{
        fmt::format("input {}: {} (it cannot be looked at). Every folder on the way to it must be one that "
                    "you may enter.",
                    path.string(), error.message())};
  }
  throw UsageError{
      fmt::format("input {}: there is no such file or folder (nothing to read). Check `input: path`; it is "
                  "relative to the config file. Is its disk mounted?",
                  path.string())};
}

SizeAndTime size_and_time(const fs::path& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) {
    throw system_error("cannot look at " + path.string());
  }
  return {static_cast<std::uint64_t>(facts.st_size),
          std::int64_t{facts.st_mtim.tv_sec} * 1'000'000'000 + facts.st_mtim.tv_nsec};
}

bool Choice::takes_file(std::string_view path) const {
  const bool included = include_.empty() ? is_image_name(path) : any(include_, path);
  return included && !any(exclude_, path);
}

bool Choice::takes_folder(std::string_view path) const { return !any(exclude_, path); }

bool Choice::takes_member(std::string_view path) const {
  if (!takes_file(path)) {
    return false;
  }
  if (!exclude_.empty()) {
    for (std::size_t end = path.find('/'); end != std::string_view::npos; end = path.find('/', end + 1)) {
      if (!takes_folder(path.substr(0, end))) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace pantile::detail
