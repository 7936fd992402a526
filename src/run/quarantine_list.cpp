#include "run/quarantine_list.hpp"

#include <system_error>

#include "base/file.hpp"
#include "report/table.hpp"

namespace pantile {

void write_quarantine_list(const std::filesystem::path& path, const Catalog& catalog, const JournalState& state) {
  if (state.quarantine().empty()) {
    std::error_code ignored;  // Absent is what we want.
    std::filesystem::remove(path, ignored);
    return;
  }
  Table table{{"item", "path", "reason", "attempts", "detail"}};
  for (const auto& [item, quarantined] : state.quarantine()) {
    table.add({index(item), std::string{catalog.path(item)}, std::string{name(quarantined.failure.fault)},
               std::uint64_t{quarantined.attempts}, quarantined.failure.detail});
  }
  replace_file(path, table.text(TableFormat::csv), Durable::no);
}

}  // namespace pantile
