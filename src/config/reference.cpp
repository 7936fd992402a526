#include "config/reference.hpp"

#include <fmt/format.h>

#include "config/fields.hpp"

namespace pantile {
namespace {

std::string default_text(const Field& field, const Slot& slot) {
  if (field.need == Need::required) {
    return "**required**";
  }
  if (!field.default_note.empty()) {
    return std::string{field.default_note};
  }
  return fmt::format("`{}`", slot.write().value_or(""));
}

}  // namespace

std::string config_reference_markdown() {
  RunConfig defaults;
  defaults.input.resize(1);
  defaults.pipeline.resize(1);
  defaults.outputs.resize(1);
  std::string text = "| key | values | default | affects | meaning |\n|---|---|---|---|---|\n";
  for (const Field& field : config_fields()) {
    const Slot slot = field.slot(defaults, 0);
    text += fmt::format("| `{}` | {} | {} | {} | {} |\n", field.key,
                        slot.entries ? slot.entries->named ? "a map" : "a list" : slot.type, default_text(field, slot),
                        field.affects == Affects::result ? "result" : "execution", field.doc);
  }
  return text;
}

}  // namespace pantile
