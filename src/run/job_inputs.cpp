#include "run/job_inputs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/log.hpp"
#include "device/cpu.hpp"
#include "source/input_kind.hpp"
#include "source/probing.hpp"
#include "source/text_list.hpp"

namespace pantile {
namespace {

/// An archive whose items lie elsewhere by now would lose all of them to the quarantine, for good: better not to start.
void expect_unchanged(const Catalog& catalog, const JournalState& state) {
  const std::vector<std::uint16_t> changed = changed_roots(catalog);
  for (std::uint64_t id = 0; id < catalog.size() && !changed.empty(); ++id) {
    const std::uint16_t root = catalog.root(ItemId{id});
    if (state.pending(ItemId{id}) && std::find(changed.begin(), changed.end(), root) != changed.end()) {
      throw UsageError{
          fmt::format("input {}: it has changed since the run began, and items of it are not done yet (they may lie "
                      "elsewhere in it now). Put the old file back, or start over with --fresh.",
                      catalog.roots()[root].path.string())};
    }
  }
}

/// Names on a list are kept relative to its folder where they lie below it. Of a list that was moved the same files
/// would get other names, and be taken for new ones.
void expect_lists_in_place(const std::vector<CatalogRoot>& before, const std::vector<CatalogRoot>& now,
                           const std::vector<InputSpec>& inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (before[i].path == now[i].path || detail::look_at(inputs[i].path).kind != detail::InputKind::list) {
      continue;
    }
    const detail::NameList names = detail::read_list(inputs[i].path);
    for (std::size_t at = 0; at < names.size(); ++at) {
      if (names.name(at).starts_with('/')) {
        throw UsageError{fmt::format(
            "--rescan: the list {} lay in {} when the run began, and has absolute paths: nobody can tell "
            "which of its files are new. Move it back, make its paths relative, or start over with --fresh.",
            inputs[i].path.string(), before[i].path.string())};
      }
    }
  }
}

}  // namespace

std::vector<InputSpec> input_specs(const RunConfig& config) {
  std::vector<InputSpec> inputs;
  inputs.reserve(config.input.size());
  for (const InputConfig& input : config.input) {
    inputs.push_back({input.path.resolved,
                      input.include,
                      input.exclude,
                      config.part,
                      {.max_items = static_cast<std::uint64_t>(config.limits.max_items),
                       .max_member_bytes = config.limits.max_file_size}});
  }
  return inputs;
}

void probe_on_this_machine(Catalog& catalog, ItemId first) {
  probe_here(catalog, first, probe_threads(usable_cores()));
}

Catalog new_catalog(const RunConfig& config, const ProbeHeaders& probe) {
  Catalog catalog = list_inputs(input_specs(config));
  probe(catalog, ItemId{0});
  return catalog;
}

Renewal renew(Catalog& catalog, const RunConfig& config, const JournalState& state, const LookAgain& asked,
              const ProbeHeaders& probe) {
  const std::vector<InputSpec> inputs = input_specs(config);
  std::vector<CatalogRoot> roots = input_roots(inputs);
  if (asked.rescan == Rescan::yes) {
    expect_lists_in_place(catalog.roots(), roots, inputs);
  }
  catalog.relocate(roots);
  const std::uint64_t before = catalog.size();
  Renewal renewal;
  if (asked.rescan == Rescan::yes) {
    renewal.added = append_new(catalog, inputs);
    probe(catalog, ItemId{before});
    log::info("{} new file{} found in the inputs", renewal.added, renewal.added == 1 ? " is" : "s are");
  } else {
    expect_unchanged(catalog, state);
  }
  const int threads = probe_threads(usable_cores());
  renewal.mended = probe_unreadable_again(catalog, ItemId{before}, threads);
  if (!renewal.mended.empty()) {
    log::info("{} file{} could not be read before and can be now", renewal.mended.size(),
              renewal.mended.size() == 1 ? "" : "s");
  }
  if (asked.quarantined) {
    std::vector<ItemId> failed;
    for (const auto& [item, quarantined] : state.quarantine()) {
      if (!state.begun(item) && catalog.fault(item) != Fault::unreadable) {
        failed.push_back(item);
      }
    }
    const std::vector<ItemId> mended = probe_mended(catalog, failed, threads);
    if (!mended.empty()) {
      log::info("{} file{} in quarantine changed since, read anew", mended.size(), mended.size() == 1 ? "" : "s");
    }
    renewal.mended.insert(renewal.mended.end(), mended.begin(), mended.end());
  }
  return renewal;
}

}  // namespace pantile
