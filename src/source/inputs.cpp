#include "source/inputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "codec/endings.hpp"
#include "source/input_kind.hpp"
#include "source/listing.hpp"
#include "source/members.hpp"
#include "source/name_list.hpp"
#include "source/names.hpp"
#include "source/probing.hpp"
#include "source/stack_look.hpp"
#include "source/text_list.hpp"

namespace pantile {
namespace {

using detail::InputKind;

// The add_…() append what belongs to the part, and return how many items there are of all parts.

std::size_t add_names(Catalog& catalog, std::uint16_t root, const Part& part, const detail::NameList& names) {
  const auto parts = static_cast<std::size_t>(part.count);
  catalog.reserve(names.size() / parts, names.bytes() / parts);
  for (std::size_t at = 0; at < names.size(); ++at) {
    if (part.takes(names.name(at))) {
      catalog.append({.path = std::string{names.name(at)}, .root = root});
    }
  }
  return names.size();
}

std::size_t add_folder(Catalog& catalog, std::uint16_t root, const InputSpec& input) {
  const detail::Choice choice{input.include, input.exclude};
  const detail::Wishes wishes{.wants_file = [&](std::string_view file) { return choice.takes_file(file); },
                              .wants_folder = [&](std::string_view folder) { return choice.takes_folder(folder); }};
  const detail::NameList names = detail::list_files(input.path, wishes);
  for (std::size_t at = 0; at < names.size(); ++at) {
    if (!detail::is_utf8(names.name(at))) {
      throw UsageError{
          fmt::format("{}: a file name is not UTF-8 (the catalog and the results name files in it). Rename "
                      "it, for example with convmv, or exclude it.",
                      (input.path / names.name(at)).string())};
    }
  }
  return add_names(catalog, root, input.part, names);
}

std::size_t add_members(Catalog& catalog, std::uint16_t root, const InputSpec& input) {
  const detail::MemberList members = detail::list_members(
      catalog.roots()[root], detail::Choice{input.include, input.exclude}, input.limits.max_member_bytes);
  catalog.reserve(members.names.size(), members.names.bytes());
  for (std::size_t at = 0; at < members.names.size(); ++at) {
    if (!input.part.takes(members.names.name(at))) {
      continue;
    }
    const detail::MemberPlace& place = members.places[members.names.number(at)];
    const auto failure = members.failures.find(members.names.number(at));
    const bool good = failure == members.failures.end();
    catalog.append({.path = std::string{members.names.name(at)},
                    .root = root,
                    .at = place.at,
                    .bytes = place.bytes,
                    .fault = good ? Fault::none : failure->second.fault,
                    .detail = good ? std::string{} : failure->second.detail});
  }
  return members.names.size();
}

void expect_few(const InputSpec& input, std::uint64_t items) {
  if (items > input.limits.max_items) {
    throw UsageError{
        fmt::format("input {}: with it there are {} items, and limits.max_items is {} (each takes memory in rank 0). "
                    "Choose fewer, or raise the limit.",
                    input.path.string(), items, input.limits.max_items)};
  }
}

/// Rows are known without a look at each: one header serves them all.
std::size_t add_rows(Catalog& catalog, std::uint16_t root, const InputSpec& input) {
  const CatalogRoot& from = catalog.roots()[root];
  const detail::StackFacts facts = detail::look_apart(from.path, from.dataset);
  // All are gone through to find those of a part: a minute for so many.
  if (constexpr std::uint64_t most_rows = 1'000'000'000; facts.rows > most_rows) {
    throw UsageError{fmt::format("input {}: it has {} rows, and {} are the most. Is the file damaged?",
                                 input.path.string(), facts.rows, most_rows)};
  }
  const std::uint64_t rows_of_part = facts.rows / static_cast<std::uint64_t>(input.part.count);
  expect_few(input, rows_of_part);
  const std::size_t digits = std::max<std::size_t>(6, std::to_string(facts.rows).size());
  const std::int64_t mtime_ns = detail::size_and_time(from.path).mtime_ns;
  catalog.reserve(rows_of_part, rows_of_part * digits);
  for (std::uint64_t row = 0; row < facts.rows; ++row) {
    std::string path = fmt::format("{:0{}}", row, digits);
    if (!input.part.takes(path)) {
      continue;
    }
    catalog.append({.path = std::move(path),
                    .root = root,
                    .at = row,
                    .extent = facts.extent,
                    .channels = facts.channels,
                    .bits = facts.depth == Depth::u8 ? 8 : 16,
                    .bytes = static_cast<std::uint64_t>(facts.extent.area()) *
                             static_cast<std::uint64_t>(facts.channels) * static_cast<std::uint64_t>(facts.depth),
                    .mtime_ns = mtime_ns});
  }
  return facts.rows;
}

void expect_no_globs(const InputSpec& input, std::string_view kind) {
  if (!input.include.empty() || !input.exclude.empty()) {
    throw UsageError{
        fmt::format("input {}: include and exclude choose among the files of a folder or an archive, and "
                    "this is {}. Take them out.",
                    input.path.string(), kind)};
  }
}

std::size_t add_file(Catalog& catalog, std::uint16_t root, const InputSpec& input) {
  std::string name = input.path.filename().string();
  if (input.part.takes(name)) {
    catalog.append({.path = std::move(name), .root = root});
  }
  return 1;
}

std::size_t add(Catalog& catalog, const InputSpec& input) {
  const detail::KnownInput known = detail::look_at(input.path);
  const std::uint16_t root = catalog.add_root(known.root);
  switch (known.kind) {
    case InputKind::folder: return add_folder(catalog, root, input);
    case InputKind::file: return add_file(catalog, root, input);
    case InputKind::list:
      expect_no_globs(input, "a list");
      return add_names(catalog, root, input.part, detail::read_list(input.path));
    case InputKind::archive: return add_members(catalog, root, input);
    case InputKind::stack: expect_no_globs(input, "a stack of images"); return add_rows(catalog, root, input);
  }
  return 0;
}

[[noreturn]] void refuse_empty(std::span<const InputSpec> inputs) {
  std::string where;
  for (const InputSpec& input : inputs) {
    where += (where.empty() ? "" : ", ") + input.path.string();
  }
  std::string endings;
  for (const std::string_view ending : image_endings) {
    endings += fmt::format("{}*.{}", endings.empty() ? "" : ", ", ending);
  }
  throw UsageError{fmt::format(
      "no image is found in {} (there is nothing to do). Without `include`, files named {} are taken; in a "
      "glob, `*` stays inside one folder and `**/*.png` goes through all. `pantile init DIR` says what is in a folder.",
      where, endings)};
}

/// Ids by root and path: to find whether an item is known.
class KnownItems {
 public:
  explicit KnownItems(const Catalog& catalog) : catalog_{catalog}, ids_(catalog.size()) {
    std::iota(ids_.begin(), ids_.end(), std::uint64_t{0});
    std::sort(ids_.begin(), ids_.end(), [this](std::uint64_t a, std::uint64_t b) { return key(a) < key(b); });
  }
  [[nodiscard]] bool has(std::uint16_t root, std::string_view path) const {
    const std::pair wanted{root, path};
    const auto found = std::lower_bound(ids_.begin(), ids_.end(), wanted,
                                        [this](std::uint64_t id, const auto& sought) { return key(id) < sought; });
    return found != ids_.end() && key(*found) == wanted;
  }

 private:
  [[nodiscard]] std::pair<std::uint16_t, std::string_view> key(std::uint64_t id) const {
    return {catalog_.root(ItemId{id}), catalog_.path(ItemId{id})};
  }
  const Catalog& catalog_;
  std::vector<std::uint64_t> ids_;
};

}  // namespace

std::vector<CatalogRoot> input_roots(std::span<const InputSpec> inputs) {
  std::vector<CatalogRoot> roots;
  roots.reserve(inputs.size());
  for (const InputSpec& input : inputs) {
    roots.push_back(detail::look_at(input.path).root);
  }
  return roots;
}

Catalog list_inputs(std::span<const InputSpec> inputs) {
  Catalog catalog;
  std::size_t of_all_parts = 0;
  for (const InputSpec& input : inputs) {
    of_all_parts += add(catalog, input);
    expect_few(input, catalog.size());
  }
  if (of_all_parts == 0) {
    refuse_empty(inputs);
  }
  return catalog;
}

Catalog build_catalog(std::span<const InputSpec> inputs, int threads) {
  Catalog catalog = list_inputs(inputs);
  probe_here(catalog, ItemId{0}, threads);
  return catalog;
}

std::uint64_t append_new(Catalog& catalog, std::span<const InputSpec> inputs) {
  if (const auto changed = changed_roots(catalog); !changed.empty()) {
    throw UsageError{
        fmt::format("--rescan: {} has changed since the catalog was made (its items may lie elsewhere in it now). Only "
                    "folders and lists can grow. Put the old file back, or start over with --fresh.",
                    catalog.roots()[changed.front()].path.string())};
  }
  const Catalog now = list_inputs(inputs);
  const KnownItems known{catalog};
  std::vector<ItemId> missing;
  for (std::uint64_t id = 0; id < now.size(); ++id) {
    if (!known.has(now.root(ItemId{id}), now.path(ItemId{id}))) {
      missing.push_back(ItemId{id});
    }
  }
  for (const ItemId id : missing) {
    catalog.append(now.item(id));
  }
  return missing.size();
}

std::vector<std::uint16_t> changed_roots(const Catalog& catalog) {
  std::vector<std::uint16_t> changed;
  for (std::size_t number = 0; number < catalog.roots().size(); ++number) {
    const CatalogRoot& root = catalog.roots()[number];
    if (root.kind != RootKind::folder && detail::size_and_time(root.path).bytes != root.bytes) {
      changed.push_back(static_cast<std::uint16_t>(number));
    }
  }
  return changed;
}

}  // namespace pantile
