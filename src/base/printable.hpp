#pragma once
// Names of files, keys of jobs, words of models and libraries come from anybody, and a terminal obeys what it is shown:
// colours that hide, cursors that move, titles, directions of writing that turn a name around, line ends that make a
// line of the name's own. What is put before a person goes through one of these. Pure.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pantile {

/// A character of UTF-8.
struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 1;
  bool valid = false;  ///< else it is one byte that is no UTF-8
};

/// The first character of a text that is not empty. Overlong forms and surrogates are not valid.
[[nodiscard]] Character first_character(std::string_view text) noexcept;

/// Would a terminal do something else with it than show it where it stands?
[[nodiscard]] bool commands_terminal(const Character& character) noexcept;

/// One line: all that a terminal would obey, and bytes that are no UTF-8, as \x1b or \u202e.
[[nodiscard]] std::string printable(std::string_view text);

/// Our own text with foreign words in it: line ends and tabs stay, and lines after the first begin with blanks, so that
/// none is taken for a line of ours.
[[nodiscard]] std::string printable_lines(std::string_view text);

/// The same for who sets the lines off by other means: it adds no blanks.
[[nodiscard]] std::string printable_paragraph(std::string_view text);

/// A blank for each byte of what printable() would spell out: all else stays in its place.
[[nodiscard]] std::string blanked(std::string_view text);

}  // namespace pantile
