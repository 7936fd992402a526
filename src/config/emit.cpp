#include "config/emit.hpp"

namespace pantile {
namespace {

using Lines = std::vector<std::string>;

class Emitter {
 public:
  Emitter(RunConfig& config, const WriteValue& write) : config_{config}, write_{write} {}

  Lines group(const KeyTree& keys, std::size_t index) {
    Lines lines;
    for (const KeyTree& key : keys.children) {
      if (key.children.empty()) {
        const auto text = write_(*key.field, key.field->slot(config_, index), index);
        if (text) {
          lines.push_back(key.name + ": " + *text);
        }
      } else {
        nest(lines, key.name, key.field != nullptr ? entries(key) : group(key, index));
      }
    }
    return lines;
  }

 private:
  static void nest(Lines& lines, const std::string& name, const Lines& below) {
    if (below.empty()) {
      return;
    }
    lines.push_back(name + ":");
    for (const std::string& line : below) {
      lines.push_back("  " + line);
    }
  }

  Lines entries(const KeyTree& keys) {
    const Slot slot = keys.field->slot(config_, 0);
    Lines lines;
    for (std::size_t i = 0; i < slot.entries->size(); ++i) {
      const Lines below = group(keys.children.front(), i);
      if (slot.entries->named) {
        nest(lines, slot.entries->name(i), below);
        continue;
      }
      for (std::size_t line = 0; line < below.size(); ++line) {
        lines.push_back((line == 0 ? "- " : "  ") + below[line]);
      }
    }
    return lines;
  }

  RunConfig& config_;
  const WriteValue& write_;
};

}  // namespace

std::string emit_config(const RunConfig& config, const WriteValue& write) {
  RunConfig copy = config;  // Slots point into a config that they may change; these are only asked to write.
  std::string text;
  for (const std::string& line : Emitter{copy, write}.group(config_keys(), 0)) {
    text += line + '\n';
  }
  return text;
}

}  // namespace pantile
