#pragma once
// Every key of a job file, in one table: what it is called, what may stand there, what it means, whether results depend
// on it. Parsing, checks, the written forms and docs/config.md all come from here. A new key is a row in fields.cpp.

#include <string>
#include <string_view>
#include <vector>

#include "config/slot.hpp"

namespace pantile {

/// Does the key change what comes out, or only how it is made? Only `result` keys enter the identity of a run.
enum class Affects { result, execution };
enum class Need { optional, required };

struct Field {
  /// Dotted. N, ID and NAME stand for an entry of a list or map: "pipeline.ID.image.scale".
  std::string_view key;
  Affects affects = Affects::execution;
  Need need = Need::optional;
  std::string_view
      default_note;      ///< where the default is no constant: "1 / image.scale"; else it is taken from RunConfig{}
  std::string_view doc;  ///< one line
  /// The variable of entry `index` (of the list or map on the way, if there is one).
  Slot (*slot)(RunConfig& config, std::size_t index);
};

/// In the order in which they are written and documented.
[[nodiscard]] const std::vector<Field>& config_fields();

/// The key of entry `index`: "pipeline.upscale.image.scale", "input.0.path", "outputs.page.from".
[[nodiscard]] std::string key_of_entry(const Field& field, const RunConfig& config, std::size_t index);

/// The same as a tree of key parts. A part without children is a value; one with a field and children is a list or map
/// of groups, whose one child stands for an entry; any other is a group.
struct KeyTree {
  std::string name;
  const Field* field = nullptr;
  std::vector<KeyTree> children;
  [[nodiscard]] const KeyTree* child(std::string_view key) const noexcept;
  [[nodiscard]] std::vector<std::string> child_names() const;
};
[[nodiscard]] const KeyTree& config_keys();

}  // namespace pantile
