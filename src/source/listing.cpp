#include "source/listing.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace pantile::detail {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

/// One listing under way. Folders are walked without their links first, so that a folder which is also linked from
/// elsewhere keeps its own path; then the links, by path, as long as they lead to folders not seen before.
class Walk {
 public:
  Walk(const std::filesystem::path& root, const Wishes& wishes) : root_{root}, wishes_{wishes} {}

  NameList run() {
    folders_.emplace_back();
    walk_folders();
    while (!links_.empty()) {
      folders_.push_back(std::move(links_.extract(links_.begin()).value()));
      walk_folders();
    }
    files_.sort();
    return std::move(files_);
  }

 private:
  [[nodiscard]] std::filesystem::path at(const std::string& relative) const {
    return relative.empty() ? root_ : root_ / relative;
  }

  void walk_folders() {
    while (!folders_.empty()) {
      const std::string folder = std::move(folders_.back());
      folders_.pop_back();
      walk(folder);
    }
  }

  void walk(const std::string& folder) {
    struct stat facts {};
    const std::filesystem::path path = at(folder);
    const Folder open{::opendir(path.c_str())};
    if (!open || ::fstat(::dirfd(open.get()), &facts) != 0) {
      throw system_error("cannot list the folder " + path.string() +
                         " (every file of an input counts). Make it readable, or exclude it");
    }
    if (!seen_.emplace(facts.st_dev, facts.st_ino).second) {
      return;
    }
    const std::string prefix = folder.empty() ? "" : folder + '/';
    while (true) {
      errno = 0;
      const dirent* const entry = ::readdir(open.get());
      if (entry == nullptr && errno != 0) {
        throw system_error("cannot list the folder " + path.string());
      }
      if (entry == nullptr) {
        return;
      }
      if (entry->d_name[0] != '.') {
        sort_in(prefix + entry->d_name, entry->d_type);
      }
    }
  }

  void sort_in(std::string relative, unsigned char type) {
    bool link = type == DT_LNK;
    if (link || type == DT_UNKNOWN) {
      struct stat facts {};
      const std::filesystem::path path = at(relative);
      if (::lstat(path.c_str(), &facts) != 0) {
        if (errno == ENOENT) {
          return;  // It went while we looked.
        }
        facts.st_mode = S_IFREG;  // A folder that may be listed and not entered: the probe says so.
      }
      link = S_ISLNK(facts.st_mode);
      if (link && ::stat(path.c_str(), &facts) != 0) {
        facts.st_mode = S_IFREG;  // A link to nowhere: data that somebody misses. It stays, and the probe says why.
      }
      type = S_ISDIR(facts.st_mode) ? DT_DIR : DT_REG;
    }
    if (type != DT_DIR) {
      // A pipe or a device too: somebody meant it for an image, and the probe says what it is.
      if (wishes_.wants_file(relative)) {
        files_.add(relative);
      }
    } else if (wishes_.wants_folder(relative)) {
      if (link) {
        links_.insert(std::move(relative));
      } else {
        folders_.push_back(std::move(relative));
      }
    }
  }

  std::filesystem::path root_;
  const Wishes& wishes_;
  NameList files_;
  std::vector<std::string> folders_;  ///< still to walk
  std::set<std::string> links_;       ///< to folders, still to walk
  std::set<std::pair<dev_t, ino_t>> seen_;
};

}  // namespace

NameList list_files(const std::filesystem::path& root, const Wishes& wishes) { return Walk{root, wishes}.run(); }

}  // namespace pantile::detail
