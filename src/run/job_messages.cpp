#include "run/job_messages.hpp"

#include <filesystem>
#include <utility>

namespace pantile {

Welcome welcome(const Job& job, const std::vector<ExtentClass>& extents) {
  return {.version = protocol_version,
          .epoch = job.journal.epoch(),
          .run_folder = std::filesystem::absolute(job.folder.layout().root).string(),
          .run_id = job.run_id,
          .config = effective_text(job.config),
          .config_folder = job.config.folder.string(),
          .model_digest = job.model_digest,
          .extents = extents,
          .output_channels = static_cast<std::uint32_t>(job.facts.output_channels),
          .roots = job.input_roots()};
}

AssignUnit assignment(const Job& job, Unit unit) {
  AssignUnit message;
  for (UnitItem& item : unit.items) {
    const CatalogItem facts = job.catalog.item(item.item);
    message.items.push_back({.item = item.item,
                             .attempt = item.attempt,
                             .place = job.catalog.place(item.item),
                             .header = {facts.extent, facts.orientation, facts.channels, facts.bits},
                             .output_extent = job.output_extent(item.item),
                             .blocks = std::move(item.blocks)});
  }
  return message;
}

}  // namespace pantile
