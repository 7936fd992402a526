#pragma once
// A slot ties one key of the config to its variable: how to read it from YAML, how to write it back, and what may stand
// there, in words. The table of keys (fields.hpp) is made of these.

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "config/document.hpp"

namespace pantile {

/// Why a value was not taken: which node is to blame, and what would have been right.
struct Misread {
  const ConfigNode* at = nullptr;
  std::string hint;
};

/// A list or map of groups, such as `input` or `outputs`.
struct Entries {
  std::size_t at_least = 0;
  std::size_t at_most = 0;  ///< 0: no limit
  bool named = false;       ///< a map: each entry has a name for key
  std::function<void(std::size_t)> resize;
  std::function<std::size_t()> size;
  std::function<std::string&(std::size_t)> name;  ///< for named ones
};

struct Slot {
  std::string type;  ///< "auto, or a whole number from 1 to 256"
  std::function<std::optional<Misread>(const ConfigNode&, const std::filesystem::path& folder)> read;
  /// The value as YAML on one line; nothing if it is unset and has no word for that.
  std::function<std::optional<std::string>()> write;
  std::optional<Entries> entries;  ///< then there is no read and no write
  std::string schema{};            ///< the same as `type` for programs: JSON Schema, see schema_parts.hpp
};

/// A letter, then letters, digits, `_` and `-`: safe in HDF5 paths, in file names and in `--set a.b=v`.
[[nodiscard]] bool is_identifier(std::string_view text);
inline constexpr const char* identifier_type = "a letter, then letters, digits, '-' or '_'";

namespace slot {

[[nodiscard]] Slot identifier(std::string& value);
[[nodiscard]] Slot line(std::string& value);
[[nodiscard]] Slot path(ConfigPath& value);
/// The files to include were read before any slot is: whatever else gives this key is refused.
[[nodiscard]] Slot included_files();
/// A list of globs, or one glob for a list of one.
[[nodiscard]] Slot globs(std::vector<std::string>& value);
/// `auto` (an empty list), or a list of these.
[[nodiscard]] Slot auto_or_list(std::vector<std::string>& value, std::vector<std::string> choices);
/// `true` or `false` and nothing else: YAML 1.1 has eighteen more words for them, and `no` is a country.
[[nodiscard]] Slot boolean(bool& value);
[[nodiscard]] Slot whole_number(int& value, int low, int high);
[[nodiscard]] Slot auto_or_whole_number(std::optional<int>& value, int low, int high);
[[nodiscard]] Slot positive_ratio(Ratio& value);
enum class Zero { allowed, refused };
[[nodiscard]] Slot ratios(std::vector<Ratio>& value, Zero zero);
[[nodiscard]] Slot size(std::uint64_t& value, std::uint64_t low, std::uint64_t high);
/// `2/10`, or `all`.
[[nodiscard]] Slot part(Part& value);
[[nodiscard]] Slot pixels(std::uint64_t& value, std::uint64_t low, std::uint64_t high);
[[nodiscard]] Slot quarantine_limit(QuarantineLimit& value);
[[nodiscard]] Slot memory(MemoryAmount& value, std::uint64_t low);
/// `auto` if it is unset.
[[nodiscard]] Slot optional_memory(std::optional<MemoryAmount>& value, std::uint64_t low);
/// A map from names of devices.
[[nodiscard]] Slot memory_by_name(std::map<std::string, MemoryAmount>& value, std::uint64_t low);
[[nodiscard]] Slot duration(std::chrono::milliseconds& value, std::chrono::milliseconds low,
                            std::chrono::milliseconds high);
[[nodiscard]] Slot auto_or_duration(std::optional<std::chrono::milliseconds>& value, std::chrono::milliseconds low,
                                    std::chrono::milliseconds high);
[[nodiscard]] Slot tile_size(TileSize& value);

/// The common part of all choices: `get` and `set` count the names from 0; get may have nothing.
[[nodiscard]] Slot choice_of(const std::vector<std::string>& names, std::function<void(std::size_t)> set,
                             std::function<std::optional<std::size_t>()> get);

/// `Value` is an enum, or an optional of one, whose unset state is not written.
template <class Value, class Enum>
[[nodiscard]] Slot choice(Value& value, std::vector<std::pair<const char*, Enum>> choices);

template <class T>
[[nodiscard]] Slot list(std::vector<T>& value, std::size_t at_least, std::size_t at_most);

// -- how the templates do it
// ---------------------------------------------------------------------------------------------

template <class Value, class Enum>
Slot choice(Value& value, std::vector<std::pair<const char*, Enum>> choices) {
  std::vector<std::string> names;
  for (const auto& [name, unused] : choices) {
    names.emplace_back(name);
  }
  return choice_of(
      names, [&value, choices](std::size_t at) { value = choices[at].second; },
      [&value, choices]() -> std::optional<std::size_t> {
        for (std::size_t i = 0; i < choices.size(); ++i) {
          if (value == choices[i].second) {
            return i;
          }
        }
        return std::nullopt;
      });
}

template <class T>
Slot list(std::vector<T>& value, std::size_t at_least, std::size_t at_most) {
  return {.type = "",
          .read = {},
          .write = {},
          .entries = Entries{.at_least = at_least,
                             .at_most = at_most,
                             .named = false,
                             .resize = [&value](std::size_t count) { value.resize(count); },
                             .size = [&value] { return value.size(); },
                             .name = {}}};
}

}  // namespace slot
}  // namespace pantile
