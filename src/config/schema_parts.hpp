#pragma once
// Pieces of JSON Schema (draft 2020-12), as JSON text: what a slot lets pass, for programs that do not know slots. Each
// describes the value before variables are expanded.

#include <cstdint>
#include <string>
#include <vector>

namespace pantile::schema {

[[nodiscard]] std::string boolean();
[[nodiscard]] std::string integer(std::int64_t low, std::int64_t high);
[[nodiscard]] std::string number();
[[nodiscard]] std::string positive_number();
[[nodiscard]] std::string number_in(std::uint64_t low, std::uint64_t high);
[[nodiscard]] std::string one_of(const std::vector<std::string>& words);
/// A string; `pattern` is a regular expression for the whole of it.
[[nodiscard]] std::string matching(const std::string& pattern);
/// What YAML takes for a number or a truth is a text too: a folder may be called 2024.
[[nodiscard]] std::string text(std::size_t longest);
[[nodiscard]] std::string path();
[[nodiscard]] std::string identifier();
[[nodiscard]] std::string any_of(const std::vector<std::string>& parts);
[[nodiscard]] std::string array_of(const std::string& item, std::size_t at_least, bool unique = false);
/// An object whose values are all like that, by any name.
[[nodiscard]] std::string map_of(const std::string& value);
/// The part, or a text with a variable in it, of which nothing is known.
[[nodiscard]] std::string or_variable(const std::string& part);

/// What the parts refer to as "#/$defs/…".
[[nodiscard]] std::string definitions();

// Patterns of what scalars.hpp parses, where it has a unit or a slash: plain numbers are numbers. Ranges are not in
// them: those of a quantity with a unit would take kilobytes that nobody can read.
inline constexpr const char* digits = R"((?:0|[1-9][0-9]*)(?:\.[0-9]*)?)";
inline constexpr const char* identifier_pattern = "[A-Za-z][A-Za-z0-9_-]*";
inline constexpr std::size_t identifier_length = 64;
[[nodiscard]] std::string ratio_pattern();
[[nodiscard]] std::string positive_ratio_pattern();
[[nodiscard]] std::string size_pattern();
[[nodiscard]] std::string pixels_pattern();
[[nodiscard]] std::string duration_pattern();
[[nodiscard]] std::string percent_pattern(bool zero);

}  // namespace pantile::schema
