#include "config/document.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <sstream>

namespace pantile {
namespace {

/// Far beyond any job file; stops alias bombs and cycles of aliases.
constexpr int max_depth = 16;

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    lines.emplace_back(line);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

std::string below(const std::string& path, const std::string& name) { return path.empty() ? name : path + '.' + name; }

/// Remembers where documents begin, and nothing else.
class DocumentStarts : public YAML::EventHandler {
 public:
  std::vector<YAML::Mark> starts;
  void OnDocumentStart(const YAML::Mark& mark) override { starts.push_back(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

/// Where a second document begins. Not by YAML::LoadAll: it never ends for a text that begins with a comma, of which it
/// makes empty documents until the memory is full. Throws YAML::Exception.
std::optional<YAML::Mark> second_document(const std::string& text) {
  std::istringstream stream{text};
  YAML::Parser parser{stream};
  DocumentStarts documents;
  while (documents.starts.size() < 2 && parser.HandleNextDocument(documents)) {
  }
  if (documents.starts.size() < 2) {
    return std::nullopt;
  }
  if (documents.starts[0].pos == documents.starts[1].pos) {
    throw YAML::ParserException{documents.starts[0], "no value begins with this"};
  }
  return documents.starts[1];
}

/// Turns yaml-cpp's nodes into ours.
class Converter {
 public:
  /// `first_column`: where the parsed text begins in line 0 of the source.
  Converter(std::shared_ptr<const ConfigSource> source, int first_column, std::vector<Diagnostic>& diagnostics)
      : source_{std::move(source)}, first_column_{first_column}, diagnostics_{diagnostics} {}

  ConfigNode parse(const std::string& text) {
    try {
      if (const auto second = second_document(text)) {
        complain("there is a second YAML document", place(*second, 1), "only one is allowed");
        return {};
      }
      const YAML::Node root = YAML::Load(text);
      return root.IsDefined() && !root.IsNull() ? convert(root, "", 0) : node_at(place(YAML::Mark::null_mark(), 1));
    } catch (const YAML::Exception& error) {
      complain_of_yaml(error);
      return {};
    }
  }

 private:
  /// What yaml-cpp says, with the usual cause in plain words.
  void complain_of_yaml(const YAML::Exception& error) {
    const Place where = place(error.mark, 1);
    if (const auto tab = tab_before(where.line)) {
      complain("this is not YAML", *tab, "lines begin with blanks, not with a tab");
      return;
    }
    std::string why = error.msg;
    if (why == "end of map flow not found" || why == "end of sequence flow not found") {
      why = fmt::format("a '{}' before this is not closed, or a ',' is missing",
                        why.find("map") != std::string::npos ? '{' : '[');
    }
    const auto line = static_cast<std::size_t>(where.line);
    if (line < source_->lines.size() && source_->lines[line].find("${") != std::string::npos) {
      why += "; within {…} and […] a variable stands in quotes: \"${NAME}\"";
    }
    complain("this is not YAML", where, why);
  }

  /// The last line down to `line` that begins with a tab; nothing else looks right and is wrong as often.
  std::optional<Place> tab_before(int line) const {
    for (int at = std::min(line, static_cast<int>(source_->lines.size()) - 1); at >= 0; --at) {
      const std::string& text = source_->lines[static_cast<std::size_t>(at)];
      const std::size_t tab = text.find('\t');
      if (tab != std::string::npos && tab < text.find_first_not_of(" \t")) {
        return Place{source_, at, static_cast<int>(tab), 1};
      }
    }
    return std::nullopt;
  }

  Place place(const YAML::Mark& mark, int length) const {
    if (mark.is_null()) {
      return {source_, 0, first_column_, length};
    }
    // The mark behind the last line: show the end of the last line instead.
    const int last = std::max(0, static_cast<int>(source_->lines.size()) - 1);
    const int line = std::min(mark.line, last);
    const int column =
        mark.line > last && !source_->lines.empty() ? static_cast<int>(source_->lines.back().size()) : mark.column;
    return {source_, line, column + (line == 0 ? first_column_ : 0), length};
  }

  void complain(std::string message, Place where, std::string hint) {
    diagnostics_.push_back({std::move(message), std::move(where), std::move(hint)});
  }

  /// `path`: the dotted name of the node, for messages.
  ConfigNode convert(const YAML::Node& from, const std::string& path, int depth) {
    ConfigNode node = node_at(place(from.Mark(), 1));
    if (depth > max_depth || ++nodes_ > most_nodes) {
      if (!too_much_) {
        complain("the file is nested too deeply or too large", node.place,
                 "no job is so large: are there aliases of aliases?");
      }
      too_much_ = true;
      return node;
    }
    if (std::any_of(open_.begin(), open_.end(), [&](const YAML::Node& open) { return open.is(from); })) {
      complain(fmt::format("'{}' holds itself through an alias", path), node.place, "write out what is meant");
      node.broken = true;
      return node;
    }
    open_.push_back(from);
    switch (from.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null: break;
      case YAML::NodeType::Scalar: convert_scalar(from, node); break;
      case YAML::NodeType::Sequence: convert_list(from, node, path, depth); break;
      case YAML::NodeType::Map: convert_map(from, node, path, depth); break;
    }
    open_.pop_back();
    return node;
  }

  static void convert_scalar(const YAML::Node& from, ConfigNode& node) {
    node.kind = ConfigNode::Kind::scalar;
    node.text = from.Scalar();
    node.quoted = from.Tag() == "!";
    node.place.length = std::max(1, static_cast<int>(node.text.size()) + (node.quoted ? 2 : 0));
  }

  void convert_list(const YAML::Node& from, ConfigNode& node, const std::string& path, int depth) {
    node.kind = ConfigNode::Kind::list;
    for (const YAML::Node& item : from) {
      node.items.push_back(convert(item, below(path, std::to_string(node.items.size())), depth + 1));
    }
  }

  void convert_map(const YAML::Node& from, ConfigNode& node, const std::string& path, int depth) {
    node.kind = ConfigNode::Kind::map;
    for (const auto& pair : from) {
      const YAML::Node& key = pair.first;
      if (!key.IsScalar()) {
        complain("a key must be a word", place(key.Mark(), 1), "");
        continue;
      }
      const std::string& name = key.Scalar();
      ConfigEntry entry{name, place(key.Mark(), static_cast<int>(name.size())), {}};
      if (name == "<<") {
        complain("'<<' is not supported", entry.place, "write the keys out; whole values may use &anchor and *alias");
        continue;
      }
      const auto first = std::find_if(node.entries.begin(), node.entries.end(), [&](auto& e) { return e.key == name; });
      if (first != node.entries.end()) {
        complain(fmt::format("'{}' is given twice (first at {})", below(path, name), to_string(first->place)),
                 entry.place, "take one of them out");
        continue;
      }
      entry.value = convert(pair.second, below(path, name), depth + 1);
      if (entry.value.kind == ConfigNode::Kind::null) {
        entry.value.place = entry.place;  // Nothing has no place of its own.
      }
      node.entries.push_back(std::move(entry));
    }
  }

  std::shared_ptr<const ConfigSource> source_;
  int first_column_;
  std::vector<Diagnostic>& diagnostics_;
  std::vector<YAML::Node> open_;  ///< what the node at hand is in
  std::size_t nodes_ = 0;
  bool too_much_ = false;
};

std::string flat_value(const ConfigNode& node) {
  if (node.kind != ConfigNode::Kind::list) {
    return node.kind == ConfigNode::Kind::scalar ? node.text : "null";
  }
  std::vector<std::string> texts;
  std::transform(node.items.begin(), node.items.end(), std::back_inserter(texts), flat_value);
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

void flatten(const ConfigNode& node, const std::string& path,
             std::vector<std::pair<std::string, std::string>>& leaves) {
  const bool list_of_maps = node.kind == ConfigNode::Kind::list &&
                            std::any_of(node.items.begin(), node.items.end(),
                                        [](const ConfigNode& item) { return item.kind == ConfigNode::Kind::map; });
  if (node.kind == ConfigNode::Kind::map) {
    for (const ConfigEntry& entry : node.entries) {
      flatten(entry.value, below(path, entry.key), leaves);
    }
  } else if (list_of_maps) {
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const ConfigNode* const id = node.items[i].find("id");
      flatten(node.items[i], below(path, id != nullptr ? id->text : std::to_string(i)), leaves);
    }
  } else {
    leaves.emplace_back(path, flat_value(node));
  }
}

}  // namespace

ConfigNode node_at(Place place) {
  ConfigNode node;
  node.place = std::move(place);
  return node;
}

std::size_t count_nodes(const ConfigNode& node) {
  std::size_t count = 1;
  for (const ConfigNode& item : node.items) {
    count += count_nodes(item);
  }
  for (const ConfigEntry& entry : node.entries) {
    count += count_nodes(entry.value);
  }
  return count;
}

const ConfigNode* ConfigNode::find(std::string_view key) const noexcept {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const ConfigEntry& e) { return e.key == key; });
  return found == entries.end() ? nullptr : &found->value;
}

ConfigNode* ConfigNode::find(std::string_view key) noexcept {
  return const_cast<ConfigNode*>(std::as_const(*this).find(key));  // NOLINT: this object is not const
}

ConfigNode parse_document(const std::string& display, const std::string& text, std::vector<Diagnostic>& diagnostics,
                          const std::filesystem::path& folder, std::size_t order) {
  std::string_view body = text;
  if (body.starts_with("\xEF\xBB\xBF")) {
    body.remove_prefix(3);  // The byte order mark of some editors.
  }
  auto source = std::make_shared<ConfigSource>(ConfigSource{.display = display,
                                                            .lines = split_lines(body),
                                                            .kind = ConfigSource::Kind::file,
                                                            .folder = folder,
                                                            .order = order});
  return Converter{std::move(source), 0, diagnostics}.parse(std::string{body});
}

ConfigNode parse_fragment(std::shared_ptr<const ConfigSource> source, int first_column, const std::string& text,
                          std::vector<Diagnostic>& diagnostics) {
  return Converter{std::move(source), first_column, diagnostics}.parse(text);
}

std::string yaml_scalar(std::string_view text) {
  // A first letter, dot or slash keeps clear of numbers, indicators and "- "; words that YAML reads as values are
  // quoted.
  static const std::vector<std::string> special{"null", "Null",  "NULL",  "true", "True",
                                                "TRUE", "false", "False", "FALSE"};
  const auto is_plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view{"_./+-"}.find(static_cast<char>(c)) != std::string_view::npos;
  };
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), is_plain) && text[0] != '-' &&
                     text[0] != '+' && std::find(special.begin(), special.end(), text) == special.end();
  if (plain) {
    return std::string{text};
  }
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      quoted += fmt::format("\\x{:02x}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string with_dollars_doubled(std::string_view text) {
  std::string doubled;
  for (const char c : text) {
    doubled.append(c == '$' ? 2 : 1, c);
  }
  return doubled;
}

std::vector<std::pair<std::string, std::string>> flatten_yaml(const std::string& text) {
  std::vector<Diagnostic> diagnostics;
  const ConfigNode root = parse_document("run.yaml", text, diagnostics);
  if (!diagnostics.empty()) {
    throw Error{"cannot read the identity of the run: " + render(diagnostics[0], Paint::plain)};
  }
  std::vector<std::pair<std::string, std::string>> leaves;
  if (root.kind == ConfigNode::Kind::map) {
    flatten(root, "", leaves);
  }
  return leaves;
}

}  // namespace pantile
