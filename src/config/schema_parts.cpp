#include "config/schema_parts.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace pantile::schema {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* variable = R"(\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^$}]*)?\})";
constexpr const char* exponent = "(?:[eE][+-]?[0-9]+)?";
constexpr const char* fraction = R"(\.[0-9]+)";

/// Any text without a `$` that stands for nothing. `character` is one of it.
std::string with_dollars(const std::string& character) { return fmt::format(R"((?:{}|\$\$|{}))", character, variable); }

/// No control characters: what moves a terminal's cursor belongs in no name.
constexpr const char* printable = R"([^$\u0000-\u001f\u007f])";

Json scalar_text(const std::string& pattern) {
  return {{"type", {"string", "number", "boolean"}}, {"pattern", "^" + pattern + "$"}};
}

std::string number_pattern() { return fmt::format("(?:{}|{}){}", digits, fraction, exponent); }
std::string positive_number_pattern() { return "(?=[0-9.]*[1-9])" + number_pattern(); }

}  // namespace

std::string boolean() { return Json{{"type", "boolean"}}.dump(); }

std::string integer(std::int64_t low, std::int64_t high) {
  return Json{{"type", "integer"}, {"minimum", low}, {"maximum", high}}.dump();
}

std::string number() { return Json{{"type", "number"}}.dump(); }

std::string positive_number() { return Json{{"type", "number"}, {"exclusiveMinimum", 0}}.dump(); }

std::string number_in(std::uint64_t low, std::uint64_t high) {
  return Json{{"type", "number"}, {"minimum", low}, {"maximum", high}}.dump();
}

std::string one_of(const std::vector<std::string>& words) { return Json{{"enum", words}}.dump(); }

std::string matching(const std::string& pattern) {
  return Json{{"type", "string"}, {"pattern", "^" + pattern + "$"}}.dump();
}

std::string text(std::size_t longest) { return Json{{"$ref", "#/$defs/text"}, {"maxLength", longest}}.dump(); }

std::string path() { return Json{{"$ref", "#/$defs/path"}}.dump(); }

std::string identifier() {
  Json part = scalar_text(identifier_pattern);
  part["type"] = {"string", "boolean"};
  part["maxLength"] = identifier_length;
  return part.dump();
}

std::string any_of(const std::vector<std::string>& parts) {
  Json all = Json::array();
  for (const std::string& part : parts) {
    Json one = Json::parse(part);
    if (one.size() == 1 && one.contains("anyOf")) {
      all.insert(all.end(), one["anyOf"].begin(), one["anyOf"].end());
    } else {
      all.push_back(std::move(one));
    }
  }
  return Json{{"anyOf", std::move(all)}}.dump();
}

std::string array_of(const std::string& item, std::size_t at_least, bool unique) {
  Json part{{"type", "array"}, {"items", Json::parse(or_variable(item))}, {"minItems", at_least}};
  if (unique) {
    part["uniqueItems"] = true;
  }
  return part.dump();
}

std::string map_of(const std::string& value) {
  return Json{{"type", "object"}, {"additionalProperties", Json::parse(or_variable(value))}}.dump();
}

std::string or_variable(const std::string& part) {
  const bool is_text = part.find("#/$defs/") != std::string::npos;  // A text and a path may hold variables anyway.
  return is_text ? part : any_of({part, R"({"$ref": "#/$defs/variable"})"});
}

std::string definitions() {
  const std::string any = with_dollars("[^$]") + "*";
  Json text = scalar_text(with_dollars(printable) + "+");
  text["description"] = "One line; $$ is a dollar";
  Json path = scalar_text("(?!~(?:/|$))" + with_dollars(printable) + "+");
  path["description"] = "A path; ~ stands for nothing, $$ is a dollar";
  const Json with_variable{{"type", "string"},
                           {"pattern", "^" + any + variable + any + "$"},
                           {"description", "A value with a variable of the environment"}};
  return Json{{"text", std::move(text)}, {"path", std::move(path)}, {"variable", with_variable}}.dump();
}

std::string ratio_pattern() { return fmt::format("-?{0} */ *-?{1}", number_pattern(), positive_number_pattern()); }
std::string positive_ratio_pattern() { return fmt::format("{0} */ *{0}", positive_number_pattern()); }
std::string size_pattern() { return fmt::format("{} *(?:B|[KMGT]i?B)", digits); }
std::string pixels_pattern() { return fmt::format("(?:{}|{}) *(?:[kMG]P)", digits, fraction); }
std::string duration_pattern() { return fmt::format("(?:{}|{}) *(?:ms|s|min|h)", digits, fraction); }

std::string percent_pattern(bool zero) {
  return fmt::format(R"({}(?:100(?:\.0*)?|[1-9]?[0-9](?:\.[0-9]*)?|{}) *%)", zero ? "" : "(?=[0-9.]*[1-9])", fraction);
}

}  // namespace pantile::schema
