#include "config/include.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.hpp"
#include "config/binder.hpp"
#include "config/variables.hpp"

namespace pantile {
namespace {

constexpr std::uint64_t max_file_bytes = std::uint64_t{1} << 20U;
/// Files may be included twice: without an end to it, ten files could be read a million times.
constexpr std::size_t max_files = 100;

/// Puts `over` on top of `base`.
void lay_over(ConfigNode& base, ConfigNode over) {
  const bool is_map = base.kind == ConfigNode::Kind::map;
  if (is_map && over.kind == ConfigNode::Kind::null) {
    return;  // "tiles:" with nothing behind it, or with comments only, says nothing.
  }
  if (!is_map || over.kind != ConfigNode::Kind::map) {
    base = std::move(over);
    return;
  }
  for (ConfigEntry& entry : over.entries) {
    const auto below =
        std::find_if(base.entries.begin(), base.entries.end(), [&](const auto& e) { return e.key == entry.key; });
    if (below == base.entries.end()) {
      base.entries.push_back(std::move(entry));
    } else {
      below->place = entry.place;
      lay_over(below->value, std::move(entry.value));
    }
  }
  base.place = std::move(over.place);
}

class TreeReader {
 public:
  TreeReader(const Overrides& overrides, std::set<std::string>& used, std::vector<Diagnostic>& diagnostics)
      : overrides_{overrides}, used_{used}, diagnostics_{diagnostics} {}

  ConfigNode read(const JobText& job) {
    chain_.push_back(job);
    ConfigNode root = parse_document(job.display, job.text, diagnostics_, job.folder, files_++);
    nodes_ += count_nodes(root);
    if (nodes_ > most_nodes) {
      complain(fmt::format("the files of the job have more than {} values together", most_nodes), root.place,
               "no job is so large: is a large file included many times?");
      files_ = max_files;  // That is enough.
      return {};
    }
    expand_variables(root, overrides_.environment, used_, diagnostics_);
    const auto include =
        std::find_if(root.entries.begin(), root.entries.end(), [](const auto& e) { return e.key == include_key; });
    if (include != root.entries.end()) {
      const ConfigNode files = std::move(include->value);
      root.entries.erase(include);
      root = over_files(std::move(root), files);
    }
    chain_.pop_back();
    return root;
  }

 private:
  void complain(std::string message, const Place& place, std::string hint) {
    diagnostics_.push_back({std::move(message), place, std::move(hint)});
  }

  ConfigNode over_files(ConfigNode root, const ConfigNode& files) {
    const std::vector<ConfigNode> single{files};
    ConfigNode base = node_at(root.place);
    base.kind = ConfigNode::Kind::map;
    for (const ConfigNode& file : files.kind == ConfigNode::Kind::list ? files.items : single) {
      if (file.broken) {
        continue;
      }
      if (file.kind != ConfigNode::Kind::scalar || file.text.empty()) {
        complain(fmt::format("'{}' cannot be {}", include_key, said(file)), file.place,
                 "expected the path of a YAML file, or a list of them");
        continue;
      }
      lay_over(base, read_included(file));
      if (nodes_ > most_nodes) {
        return node_at(root.place);  // One mistake is enough.
      }
    }
    lay_over(base, std::move(root));
    return base;
  }

  /// Nothing if it cannot be read; then that was said.
  ConfigNode read_included(const ConfigNode& file) {
    const JobText& from = chain_.back();
    JobText job{.text = {},
                .display = (std::filesystem::path{from.display}.parent_path() / file.text).lexically_normal().string(),
                .folder = {},
                .file = (from.folder / file.text).lexically_normal()};
    job.folder = job.file.parent_path();
    if (is_open(job.file)) {
      complain(fmt::format("'{}' includes itself: {}", job.display, chain_to(job.display)), file.place,
               "take one of these out");
      return {};
    }
    if (files_ >= max_files) {
      complain(fmt::format("more than {} files are included", max_files), file.place, "");
      return {};
    }
    try {
      job.text = overrides_.read_file(job.file);
    } catch (const Error& error) {
      const bool is_glob = file.text.find('*') != std::string::npos;
      complain(error.what(), file.place,
               is_glob ? "globs belong to an entry of `input`; this key names other job files"
                       : "paths to include count from the folder of this file");
      return {};
    }
    ConfigNode root = read(job);
    if (root.kind != ConfigNode::Kind::map && root.kind != ConfigNode::Kind::null) {
      complain(fmt::format("a file to include is a map of keys, not {}", said(root)), root.place, "");
      return {};
    }
    return root;
  }

  bool is_open(const std::filesystem::path& file) const {
    std::error_code ignored;
    return std::any_of(chain_.begin(), chain_.end(), [&](const JobText& open) {
      return open.file == file || std::filesystem::equivalent(open.file, file, ignored);
    });
  }

  std::string chain_to(const std::string& display) const {
    std::string text;
    for (const JobText& open : chain_) {
      text += open.display + " → ";
    }
    return text + display;
  }

  const Overrides& overrides_;
  std::set<std::string>& used_;
  std::vector<Diagnostic>& diagnostics_;
  std::vector<JobText> chain_;  ///< the files that are being read, each included by the one before
  std::size_t files_ = 0;
  std::size_t nodes_ = 0;  ///< of all files
};

}  // namespace

std::string read_config_file(const std::filesystem::path& path) {
  const Bytes bytes = read_file(path, max_file_bytes);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

ConfigNode read_tree(const JobText& job, const Overrides& overrides, std::set<std::string>& used,
                     std::vector<Diagnostic>& diagnostics) {
  return TreeReader{overrides, used, diagnostics}.read(job);
}

}  // namespace pantile
