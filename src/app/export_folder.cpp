#include "app/export_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/hash.hpp"

namespace pantile::app {
namespace {

/// A name of a file or folder that every file system can have, with an ending to it.
std::string fitting(const std::string& name) {
  constexpr std::size_t longest = 240;
  constexpr std::size_t kept = 200;
  if (name.size() <= longest) {
    return name;
  }
  std::size_t end = kept;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0U) == 0x80) {
    --end;  // Not within a character.
  }
  return fmt::format("{}~{:016x}", name.substr(0, end), xxh3_64(std::as_bytes(std::span{name})));
}

/// The path without what leads out of a folder: a list names files by absolute paths, an archive calls members ../x.
std::string below(const std::string& path) {
  std::filesystem::path kept;
  for (const std::filesystem::path& name : std::filesystem::path{path}.relative_path()) {
    if (name != ".." && name != ".") {
      kept /= fitting(name.string());
    }
  }
  return kept.string();
}

std::string stem_of(const std::string& path) { return std::filesystem::path{path}.replace_extension().string(); }

}  // namespace

FileNames::FileNames(const IndexReader& reader) {
  for (std::uint64_t item = 0; item < reader.items(); ++item) {
    const std::string path = below(reader.path(ItemId{item}));
    const std::string stem = stem_of(path);
    if (!stems_.insert(stem).second) {
      shared_.insert(stem);
    }
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      folders_.insert(path.substr(0, slash));
    }
  }
}

std::filesystem::path FileNames::name(ItemId item, const std::string& item_path) {
  const std::string path = below(item_path);
  const std::string stem = stem_of(path);
  std::string name = (shared_.contains(stem) ? path : stem) + ".png";
  if (path.empty() || folders_.contains(name) || !used_.insert(name).second) {
    // The same path in two inputs, or that of a folder, or none: the number tells them apart.
    name = fmt::format("{}{}{}.png", path.empty() ? "item" : path, '.', index(item));
    used_.insert(name);
  }
  return name;
}

ExportFolder::ExportFolder(const std::filesystem::path& folder) : folder_{folder} {
  std::filesystem::create_directories(folder);
  root_ = open_file(folder, O_RDONLY | O_DIRECTORY);
}

/// Folder by folder, and through no link: one that lies there may lead anywhere.
File ExportFolder::open_parent(const std::filesystem::path& below) const {
  File at{::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0)};
  for (const std::filesystem::path& name : below.parent_path()) {
    if (::mkdirat(at.get(), name.c_str(), 0777) != 0 && errno != EEXIST) {
      throw system_error(fmt::format("cannot make the folder {}", (folder_ / below.parent_path()).string()));
    }
    File next{::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!next && (errno == ELOOP || errno == ENOTDIR)) {
      throw Error{
          fmt::format("cannot write {}: its part {} is a link or a file, and no folder. Export to another folder.",
                      (folder_ / below).string(), name.string())};
    }
    if (!next) {
      throw system_error(fmt::format("cannot open the folder {}", (folder_ / below.parent_path()).string()));
    }
    at = std::move(next);
  }
  return at;
}

void ExportFolder::write(const std::filesystem::path& below, std::span<const std::byte> bytes) const {
  const File parent = open_parent(below);
  const std::string name = below.filename().string();
  const std::string part = fmt::format(".pantile-export-{}", ::getpid());
  const std::string shown = (folder_ / below).string();
  ::unlinkat(parent.get(), part.c_str(), 0);
  const File file{::openat(parent.get(), part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666)};
  if (!file) {
    throw system_error("cannot write " + shown);
  }
  try {
    write_all(file.get(), bytes, shown);
    if (::renameat(parent.get(), part.c_str(), parent.get(), name.c_str()) != 0) {
      throw system_error("cannot write " + shown);
    }
  } catch (...) {
    ::unlinkat(parent.get(), part.c_str(), 0);
    throw;
  }
}

}  // namespace pantile::app
