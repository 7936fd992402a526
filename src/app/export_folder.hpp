#pragma once
// Where exported files go. Paths of items come from archives and lists of anybody, and from catalogs: whatever they
// are, a file is written below the folder that was named, and nowhere else.

#include <filesystem>
#include <set>
#include <string>

#include "base/file.hpp"
#include "store/index_reader.hpp"

namespace pantile::app {

/// The path below the folder for each item: its own path with .png for its ending; a.jpg.png where stems collide, so
/// that no file is written twice. Without what leads out of a folder; a part of it that is too long for a file system
/// is cut, and marked with its hash.
class FileNames {
 public:
  explicit FileNames(const IndexReader& reader);
  [[nodiscard]] std::filesystem::path name(ItemId item, const std::string& item_path);

 private:
  std::set<std::string> stems_;
  std::set<std::string> shared_;
  std::set<std::string> folders_;  ///< a file must not have the name of one
  std::set<std::string> used_;
};

class ExportFolder {
 public:
  /// Makes the folder if it is not there. Throws Error.
  explicit ExportFolder(const std::filesystem::path& folder);
  /// Writes a file, in place of what has its name: a link is replaced, not followed. Throws Error, also if a link lies
  /// where a folder on the way should.
  void write(const std::filesystem::path& below, std::span<const std::byte> bytes) const;

 private:
  [[nodiscard]] File open_parent(const std::filesystem::path& below) const;
  std::filesystem::path folder_;
  File root_;
};

}  // namespace pantile::app
