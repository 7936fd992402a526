#include "config/reference.hpp"

#include <fmt/format.h>

#include "config/fields.hpp"

namespace pantile {

std::vector<KeyFacts> key_facts() {
  RunConfig defaults;
  defaults.input.resize(1);
  defaults.pipeline.resize(1);
  defaults.outputs.resize(1);
  std::vector<KeyFacts> all;
  for (const Field& field : config_fields()) {
    const Slot slot = field.slot(defaults, 0);
    const auto fallback = [&]() -> std::string {
      if (field.need == Need::required) {
        return "required";
      }
      return field.default_note.empty() ? slot.write().value_or("") : std::string{field.default_note};
    };
    all.push_back({.key = std::string{field.key},
                   .values = !slot.entries         ? slot.type
                             : slot.entries->named ? "a map"
                                                   : "a list",
                   .fallback = fallback(),
                   .affects = field.affects == Affects::result ? "result" : "execution",
                   .meaning = std::string{field.doc}});
  }
  return all;
}

std::string config_reference_markdown() {
  std::string text = "| key | values | default | affects | meaning |\n|---|---|---|---|---|\n";
  const std::vector<KeyFacts> keys = key_facts();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Field& field = config_fields()[i];
    const char* const around = field.need == Need::required ? "**" : field.default_note.empty() ? "`" : "";
    text += fmt::format("| `{0}` | {1} | {5}{2}{5} | {3} | {4} |\n", keys[i].key, keys[i].values, keys[i].fallback,
                        keys[i].affects, keys[i].meaning, around);
  }
  return text;
}

}  // namespace pantile
