#pragma once
// A YAML text as a plain tree in which every key and value knows its place. yaml-cpp parses; what it lets pass in
// silence (duplicate keys, `<<`, cycles of aliases, a second document) is an error here.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/diagnostics.hpp"

namespace pantile {

struct ConfigEntry;

struct ConfigNode {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string text;                    ///< of a scalar
  bool quoted = false;                 ///< a scalar in quotes is never a number
  bool broken = false;                 ///< a scalar with a mistake that was reported already
  std::vector<std::string> variables;  ///< of the environment, whose values are in `text`
  std::vector<ConfigNode> items;
  std::vector<ConfigEntry> entries;  ///< in the order of the text, no key twice
  Place place;

  [[nodiscard]] const ConfigNode* find(std::string_view key) const noexcept;
  [[nodiscard]] ConfigNode* find(std::string_view key) noexcept;
};

struct ConfigEntry {
  std::string key;
  Place place;  ///< of the key
  ConfigNode value;
};

/// Nothing, there.
[[nodiscard]] ConfigNode node_at(Place place);

/// Nodes of all files of a job, with aliases spelt out: far beyond any job. Looking for keys takes time that grows with
/// their square; so many take a second.
inline constexpr std::size_t most_nodes = 20'000;
/// The node and all below it.
[[nodiscard]] std::size_t count_nodes(const ConfigNode& node);

/// The tree of a file's text. Mistakes are added to `diagnostics`; what can be read of the tree is returned. `folder`
/// and `order` are those of ConfigSource.
[[nodiscard]] ConfigNode parse_document(const std::string& display, const std::string& text,
                                        std::vector<Diagnostic>& diagnostics, const std::filesystem::path& folder = {},
                                        std::size_t order = 0);

/// The same of a part of a line: `text` begins at `first_column` of the first line of `source`.
[[nodiscard]] ConfigNode parse_fragment(std::shared_ptr<const ConfigSource> source, int first_column,
                                        const std::string& text, std::vector<Diagnostic>& diagnostics);

/// `text` as a YAML scalar: plain where that reads back as the same text, else in double quotes.
[[nodiscard]] std::string yaml_scalar(std::string_view text);
/// A dollar as a job must have it, so that it reads back as a dollar and begins no variable: `$$`.
[[nodiscard]] std::string with_dollars_doubled(std::string_view text);

/// All leaves of a YAML text as dotted path and canonical value; list entries by their `id` or position; a list of
/// scalars is one leaf. Throws Error if it is not YAML.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> flatten_yaml(const std::string& text);

}  // namespace pantile
