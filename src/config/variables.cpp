#include "config/variables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "config/suggest.hpp"

namespace pantile {
namespace {

bool is_variable_name(std::string_view name) {
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return c == '_' || std::isalnum(c) != 0; });
}

/// Expands one scalar.
class Expansion {
 public:
  Expansion(ConfigNode& node, const Environment& environment, std::vector<Diagnostic>& diagnostics)
      : node_{node}, environment_{environment}, diagnostics_{diagnostics} {}

  void run() {
    const std::string from = node_.text;
    std::string into;
    for (std::size_t at = 0; at < from.size();) {
      if (from[at] != '$') {
        into += from[at++];
      } else if (from.compare(at, 2, "$$") == 0) {
        into += '$';
        at += 2;
      } else if (from.compare(at, 2, "${") == 0) {
        const std::size_t end = std::min(from.find('}', at), from.size());
        into += value_of(from, at, end).value_or("");
        at = end + 1;
      } else {
        complain("a '$' alone stands for nothing", at, 1,
                 fmt::format("write ${{{}}} for a variable, $$ for a dollar", name_at(from, at + 1)));
        ++at;
      }
    }
    node_.text = std::move(into);
  }

 private:
  void complain(std::string message, std::size_t at, std::size_t length, std::string hint) {
    node_.broken = true;
    diagnostics_.push_back({std::move(message), place_of(at, length), std::move(hint)});
  }

  static std::string name_at(const std::string& text, std::size_t at) {
    std::size_t end = at;
    while (end < text.size() && is_variable_name(std::string_view{text}.substr(at, end + 1 - at))) {
      ++end;
    }
    return end == at ? "NAME" : text.substr(at, end - at);
  }

  /// Points into the scalar if it is on one line and has no escapes before; else at the whole of it.
  Place place_of(std::size_t at, std::size_t length) const {
    Place place = node_.place;
    const std::string_view line = place.source->lines[static_cast<std::size_t>(place.line)];
    const std::size_t begin = static_cast<std::size_t>(place.column) + (node_.quoted ? 1 : 0) + at;
    if (begin <= line.size() && line.substr(begin, length) == std::string_view{node_.text}.substr(at, length)) {
      place.column = static_cast<int>(begin);
      place.length = static_cast<int>(length);
    }
    return place;
  }

  /// Of "${NAME}" or "${NAME:-default}" from `at` to its brace at `end`.
  std::optional<std::string> value_of(const std::string& text, std::size_t at, std::size_t end) {
    const std::size_t length = std::min(end + 1, text.size()) - at;
    if (end == text.size()) {
      complain("a '${' is not closed", at, length, "expected ${NAME} or ${NAME:-default}");
      return std::nullopt;
    }
    const std::string inside = text.substr(at + 2, end - at - 2);
    const std::size_t colon = std::min(inside.find(":-"), inside.size());
    const std::string name = inside.substr(0, colon);
    const bool has_default = colon < inside.size();
    const std::string fallback = has_default ? inside.substr(colon + 2) : "";
    if (!is_variable_name(name) || fallback.find('$') != std::string::npos) {
      complain(fmt::format("'{}' is no variable", text.substr(at, length)), at, length,
               "expected ${NAME} or ${NAME:-default}, without another variable in the default");
      return std::nullopt;
    }
    node_.variables.push_back(name);
    const auto found = environment_.find(name);
    if (found == environment_.end() && !has_default) {
      complain(fmt::format("the environment variable '{}' is not set", name), at, length, hint_for(name));
      return std::nullopt;
    }
    return found == environment_.end() || (has_default && found->second.empty()) ? fallback : found->second;
  }

  std::string hint_for(const std::string& name) const {
    std::vector<std::string> names;
    std::transform(environment_.begin(), environment_.end(), std::back_inserter(names),
                   [](const auto& variable) { return variable.first; });
    const std::string near = did_you_mean(similar_names(name, names));
    return fmt::format("{}export it, or give a default: ${{{}:-…}}", near.empty() ? "" : near + " Else ", name);
  }

  ConfigNode& node_;
  const Environment& environment_;
  std::vector<Diagnostic>& diagnostics_;
};

}  // namespace

void expand_variables(ConfigNode& node, const Environment& environment, std::set<std::string>& used,
                      std::vector<Diagnostic>& diagnostics) {
  for (ConfigNode& item : node.items) {
    expand_variables(item, environment, used, diagnostics);
  }
  for (ConfigEntry& entry : node.entries) {
    expand_variables(entry.value, environment, used, diagnostics);
  }
  if (node.kind == ConfigNode::Kind::scalar && node.text.find('$') != std::string::npos) {
    Expansion{node, environment, diagnostics}.run();
    node.quoted = node.quoted && node.variables.empty();
    used.insert(node.variables.begin(), node.variables.end());
  }
}

}  // namespace pantile
