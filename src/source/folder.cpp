#include "source/folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <iterator>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "codec/header.hpp"
#include "source/glob.hpp"
#include "source/listing.hpp"

namespace pantile {
namespace {

bool is_known_extension(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos || path.size() - dot > 5) {
    return false;
  }
  std::string extension{path.substr(dot + 1)};
  for (char& c : extension) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return extension == "png" || extension == "jpg" || extension == "jpeg";
}

/// The globs of one input. Empty `include` means: what we can read.
class Choice {
 public:
  explicit Choice(const InputSpec& input)
      : include_(input.include.begin(), input.include.end()), exclude_(input.exclude.begin(), input.exclude.end()) {}

  [[nodiscard]] bool takes_file(std::string_view path) const {
    const bool included = include_.empty() ? is_known_extension(path) : any(include_, path);
    return included && !any(exclude_, path);
  }
  [[nodiscard]] bool takes_folder(std::string_view path) const { return !any(exclude_, path); }

 private:
  static bool any(const std::vector<Glob>& globs, std::string_view path) {
    return std::any_of(globs.begin(), globs.end(), [&](const Glob& glob) { return glob.matches(path); });
  }
  std::vector<Glob> include_;
  std::vector<Glob> exclude_;
};

/// Well-formed by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
  const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = lead >= 0xF0 ? 4 : (lead >= 0xE0 ? 3 : 2);
    const unsigned least = lead == 0xE0 ? 0xA0 : (lead == 0xF0 ? 0x90 : 0x80);
    const unsigned most = lead == 0xED ? 0x9F : (lead == 0xF4 ? 0x8F : 0xBF);
    if (lead < 0xC2 || lead > 0xF4 || byte(i + 1) < least || byte(i + 1) > most) {
      return false;
    }
    for (std::size_t k = 2; k < length; ++k) {
      if ((byte(i + k) & 0xC0U) != 0x80) {
        return false;
      }
    }
    i += length;
  }
  return true;
}

void check_names(const std::filesystem::path& root, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    if (!is_utf8(path)) {
      throw UsageError{
          fmt::format("{}: a file name is not UTF-8 (the catalog and the results name files in it). Rename "
                      "it, for example with convmv, or exclude it.",
                      (root / path).string())};
    }
  }
}

struct Listed {
  std::filesystem::path root;
  std::vector<std::string> paths;
};

/// The folder that the paths of its items are relative to: itself, or what a single file lies in.
std::filesystem::path root_of(const InputSpec& input) {
  std::error_code error;
  const auto status = std::filesystem::status(input.path, error);
  if (!std::filesystem::exists(status)) {
    throw UsageError{
        fmt::format("input {}: there is no such file or folder (nothing to read). Check `input: path`; it is "
                    "relative to the config file. Is its disk mounted?",
                    input.path.string())};
  }
  return std::filesystem::is_directory(status) ? input.path : input.path.parent_path();
}

Listed list(const InputSpec& input) {
  const std::filesystem::path& path = input.path;
  if (root_of(input) != path) {
    return {path.parent_path(), {path.filename().string()}};
  }
  const Choice choice{input};
  const detail::Wishes wishes{.wants_file = [&](std::string_view file) { return choice.takes_file(file); },
                              .wants_folder = [&](std::string_view folder) { return choice.takes_folder(folder); }};
  Listed listed{path, detail::list_files(path, wishes)};
  check_names(listed.root, listed.paths);
  return listed;
}

CatalogItem item_of(std::uint16_t root, std::string path, ProbedFile file) {
  CatalogItem item{.path = std::move(path), .root = root, .bytes = file.bytes, .mtime_ns = file.mtime_ns};
  if (!file.header) {
    item.fault = file.header.failure().fault;
    item.detail = file.header.failure().detail;
    return item;
  }
  const ImageHeader& header = file.header.value();
  item.extent = header.oriented;
  item.channels = header.channels;
  item.bits = header.bits;
  item.orientation = header.orientation;
  item.format = header.format;
  return item;
}

/// Probes files on some threads; the results are in the order of `paths`.
std::vector<ProbedFile> probe_all(const std::filesystem::path& root, std::span<const std::string> paths, int threads) {
  constexpr std::size_t batch = 64;
  std::vector<ProbedFile> probed(paths.size(), ProbedFile{.header = Failure{}});
  std::atomic<std::size_t> next = 0;
  std::exception_ptr error;
  std::mutex error_mutex;
  const auto work = [&] {
    try {
      for (std::size_t begin = next.fetch_add(batch); begin < paths.size(); begin = next.fetch_add(batch)) {
        for (std::size_t at = begin; at < std::min(begin + batch, paths.size()); ++at) {
          probed[at] = probe_file(root / paths[at]);
        }
      }
    } catch (...) {
      const std::lock_guard lock{error_mutex};
      error = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> helpers;
    const auto most = std::min<std::size_t>(static_cast<std::size_t>(threads), paths.size() / batch + 1);
    for (std::size_t i = 1; i < most; ++i) {
      helpers.emplace_back(work);
    }
    work();
  }
  if (error) {
    std::rethrow_exception(error);
  }
  return probed;
}

void add(Catalog& catalog, Listed listed, int threads) {
  constexpr std::size_t slice = 65'536;  // Bounds what is held beside the catalog, whatever the size of the input.
  const std::uint16_t root = catalog.add_root(listed.root);
  for (std::size_t begin = 0; begin < listed.paths.size(); begin += slice) {
    const auto paths = std::span{listed.paths}.subspan(begin, std::min(slice, listed.paths.size() - begin));
    std::vector<ProbedFile> probed = probe_all(listed.root, paths, threads);
    for (std::size_t at = 0; at < paths.size(); ++at) {
      catalog.append(item_of(root, std::move(paths[at]), std::move(probed[at])));
    }
  }
}

[[noreturn]] void refuse_empty(std::span<const InputSpec> inputs) {
  std::string where;
  for (const InputSpec& input : inputs) {
    where += (where.empty() ? "" : ", ") + input.path.string();
  }
  throw UsageError{
      fmt::format("no image is found in {} (there is nothing to do). Without `include`, files named *.png, "
                  "*.jpg and *.jpeg are taken; in a glob, `*` stays inside one folder and `**/*.png` goes "
                  "through all. `pantile init DIR` says what is in a folder.",
                  where)};
}

}  // namespace

std::vector<std::filesystem::path> input_roots(std::span<const InputSpec> inputs) {
  std::vector<std::filesystem::path> roots;
  std::transform(inputs.begin(), inputs.end(), std::back_inserter(roots), root_of);
  return roots;
}

Catalog build_catalog(std::span<const InputSpec> inputs, int threads) {
  expect(threads >= 1, "somebody reads the headers");
  Catalog catalog;
  for (const InputSpec& input : inputs) {
    add(catalog, list(input), threads);
  }
  if (catalog.size() == 0) {
    refuse_empty(inputs);
  }
  return catalog;
}

}  // namespace pantile
