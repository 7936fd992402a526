#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/commands.hpp"
#include "app/item_choice.hpp"
#include "report/to_json_text.hpp"
#include "store/index_reader.hpp"

namespace pantile::app {
namespace {

void add_row(Table& table, const IndexReader& reader, const IndexedOutput& found) {
  const IndexRow& row = found.row;
  const bool several = row.blocks > 1;
  const auto quarantined = reader.quarantine(found.item);
  table.add({index(found.item), found.path, reader.outputs()[index(found.output)].name, std::string{name(row.status)},
             found.shard.empty() ? Cell{} : Cell{found.shard},
             found.shard.empty() || several ? Cell{} : Cell{std::uint64_t{row.row}}, std::int64_t{row.extent.height},
             std::int64_t{row.extent.width}, std::int64_t{row.channels}, std::uint64_t{row.blocks},
             row.status == ItemStatus::done ? Cell{to_string(row.digest)} : Cell{},
             quarantined ? Cell{quarantined->failure.detail} : Cell{}});
}

Table new_table() {
  return Table{
      {"id", "path", "output", "status", "shard", "row", "height", "width", "channels", "blocks", "digest", "reason"}};
}

void print_run(const IndexReader& reader, const Table& items, TableFormat format) {
  const RunTotals& totals = reader.totals();
  if (format == TableFormat::json) {
    const nlohmann::ordered_json json{{"digest", to_string(totals.digest)},
                                      {"done", totals.done},
                                      {"quarantined", totals.quarantined},
                                      {"shards", reader.shard_names()},
                                      {"items", nlohmann::ordered_json::parse(items.text(format))}};
    fmt::print("{}", to_json_text(json));
    return;
  }
  if (format == TableFormat::table) {
    fmt::print("{} items, {} done, {} in quarantine, {} shards, digest {}\n\n", totals.items, totals.done,
               totals.quarantined, reader.shard_names().size(), to_string(totals.digest));
  }
  fmt::print("{}", items.text(format));
}

}  // namespace

ExitCode carry_out(const InspectCommand& command) {
  const RunLayout layout = existing_run(command.run);
  IndexReader reader{layout};
  Table table = new_table();
  const auto add_item = [&](ItemId item) {
    for (std::size_t output = 0; output < reader.outputs().size(); ++output) {
      add_row(table, reader, reader.find(item, OutputId{static_cast<std::uint16_t>(output)}));
    }
  };
  if (command.item.empty()) {
    for (std::uint64_t item = 0; item < reader.items(); ++item) {
      add_item(ItemId{item});
    }
    print_run(reader, table, command.format);
    return ExitCode::done;
  }
  add_item(chosen_item(command.item, reader.find(command.item), reader.items()));
  fmt::print("{}", table.text(command.format));
  return ExitCode::done;
}

}  // namespace pantile::app
