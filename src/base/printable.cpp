#include "base/printable.hpp"

#include <fmt/format.h>

#include <array>

namespace pantile {
namespace {

/// What a terminal would obey as `spell` has it, but for the characters in `kept`.
template <class Spell>
std::string spelt_out(std::string_view text, std::string_view kept, Spell spell) {
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    const Character character = first_character(text);
    const std::string_view bytes = text.substr(0, character.bytes);
    if (commands_terminal(character) && kept.find(bytes) == std::string_view::npos) {
      safe += spell(character);
    } else {
      safe += bytes;
    }
    text.remove_prefix(character.bytes);
  }
  return safe;
}

std::string spelling(const Character& character) {
  return character.code < 0x100 ? fmt::format("\\x{:02x}", character.code) : fmt::format("\\u{:04x}", character.code);
}

}  // namespace

Character first_character(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = at(0);
  if (lead < 0x80) {
    return {lead, 1, true};
  }
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) {
    return {lead, 1, false};
  }
  std::uint32_t code = lead & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((at(i) & 0xC0U) != 0x80U) {
      return {lead, 1, false};
    }
    code = (code << 6U) | (at(i) & 0x3FU);
  }
  constexpr std::array<std::uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  const bool valid = code >= least[bytes] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
  return valid ? Character{code, bytes, true} : Character{lead, 1, false};
}

bool commands_terminal(const Character& character) noexcept {
  const std::uint32_t code = character.code;
  const auto within = [&](std::uint32_t first, std::uint32_t last) { return first <= code && code <= last; };
  // C0, DEL and C1; marks and overrides of the direction of writing; ends of lines and paragraphs; tags, which nobody
  // sees.
  return !character.valid || code < 0x20 || within(0x7F, 0x9F) || code == 0x61C || within(0x200E, 0x200F) ||
         within(0x2028, 0x202E) || within(0x2066, 0x2069) || within(0xE0000, 0xE007F);
}

std::string printable(std::string_view text) { return spelt_out(text, "", spelling); }

std::string printable_paragraph(std::string_view text) { return spelt_out(text, "\n\t", spelling); }

std::string printable_lines(std::string_view text) {
  const std::string safe = printable_paragraph(text);
  std::string lines;
  for (std::size_t i = 0; i < safe.size(); ++i) {
    lines += safe[i];
    const bool begins = safe[i] == '\n' && i + 1 < safe.size();
    lines += begins && !std::string_view{safe}.substr(i + 1).starts_with("  ") ? "  " : "";
  }
  return lines;
}

std::string blanked(std::string_view text) {
  return spelt_out(text, "", [](const Character& character) { return std::string(character.bytes, ' '); });
}

}  // namespace pantile
