// `pantile why`: where a result comes from, and why it was made as it was.

#include <fmt/format.h>

#include "app/commands.hpp"
#include "app/item_history.hpp"
#include "app/why_words.hpp"

namespace pantile::app {

ExitCode carry_out(const WhyCommand& command) {
  const ItemHistory history = item_history(existing_run(command.run), command.item);
  fmt::print("{}", command.format == TableFormat::json ? why_json(history) : why_text(history));
  return ExitCode::done;
}

}  // namespace pantile::app
