// An archive: which members it has, where they lie, and what is read of them. As tar and as zip, whatever it is.

#include <optional>
#include <string>
#include <utility>

#include "fuzz/fuzz.hpp"
#include "source/inputs.hpp"
#include "source/item_reader.hpp"
#include "source/members.hpp"
#include "source/names.hpp"

namespace {

using namespace pantile;

constexpr std::size_t most_read = 16;
constexpr std::uint64_t limit_bytes = 1 << 16;

std::optional<detail::MemberList> members_of(const CatalogRoot& archive) {
  try {
    return detail::list_members(archive, detail::Choice{{"**"}, {}}, InputLimits{}.max_member_bytes);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// All that an archive gives for a place: no more bytes than were said, and each time the same.
void read_member(const ItemPlace& place) {
  ItemReader reader;
  const ProbedFile probed = reader.probe(place);
  expect(probed.bytes == place.bytes, "a member has the size that the list says");
  const Result<Bytes> all = reader.read(place, limit_bytes);
  expect(!all || (all.value().size() == place.bytes && place.bytes <= limit_bytes),
         "a member has the size of its place");
  Result<std::unique_ptr<ByteReader>> open = reader.open(place);
  if (!all || !open) {
    return;
  }
  Bytes again(all.value().size());
  try {
    expect(open.value()->read_at(0, again) == again.size() && again == all.value(), "a member reads alike both ways");
  } catch (const Error&) {
    expect(false, "what can be read at once can be read in parts");
  }
}

void try_as(RootKind kind, const std::filesystem::path& path, std::uint64_t size) {
  const CatalogRoot root{.kind = kind, .path = path, .dataset = {}, .bytes = size};
  const auto list = members_of(root);
  if (!list) {
    return;
  }
  for (std::size_t at = 0; at < list->names.size(); ++at) {
    const std::string_view name = list->names.name(at);
    expect(!name.empty() && detail::is_utf8(name) && !detail::is_hidden(name), "a member has a name that can be had");
    expect(at == 0 || list->names.name(at - 1) < name, "members are sorted, each once");
    const detail::MemberPlace& place = list->places[at];
    const bool can_be_read = !list->failures.contains(at);
    expect(kind != RootKind::tar || !can_be_read || (place.at <= size && place.bytes <= size - place.at),
           "a member of a tar lies in it");
    if (can_be_read && at < most_read) {
      read_member({.kind = kind,
                   .container = path.string(),
                   .container_bytes = size,
                   .name = std::string{name},
                   .at = place.at,
                   .bytes = place.bytes});
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::be_quiet();
  const fuzz::MemoryFile file{fuzz::bytes_of(data, size)};
  try_as(RootKind::tar, file.path(), size);
  try_as(RootKind::zip, file.path(), size);
  return 0;
}
