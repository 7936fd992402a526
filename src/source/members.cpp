#include "source/members.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "base/byte_size.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "source/names.hpp"
#include "source/tar.hpp"
#include "source/zip_archive.hpp"

namespace pantile::detail {
namespace {

/// Members as an archive has them: unsorted, some of them twice, some of them links.
struct Found {
  NameList names;
  std::vector<MemberPlace> places;
  std::unordered_map<std::uint64_t, Failure> failures;
  std::unordered_map<std::uint64_t, std::string> links;  ///< to these names

  /// Throws UsageError if no file could have that name: results could not be told apart, nor be exported.
  void add(const std::filesystem::path& archive, std::string_view name, MemberPlace place, const Failure& failure) {
    if (const auto why = why_no_name(name)) {
      throw UsageError{fmt::format("input {}: the name of a member {}. Pack it again.", archive.string(), *why)};
    }
    if (failure.fault != Fault::none) {
      failures.emplace(places.size(), failure);
    }
    names.add(name);
    places.push_back(place);
  }
};

Found members_of_tar(const std::filesystem::path& path) {
  Found found;
  list_tar(path, [&](const TarMember& member) {
    if (!member.link.empty()) {
      found.links.emplace(found.places.size(), member.link);
    }
    found.add(path, member.name, {member.at, member.bytes}, member.failure);
  });
  return found;
}

Found members_of_zip(const CatalogRoot& root, std::uint64_t max_member_bytes) {
  Found found;
  const ZipArchive archive{root.path};
  std::uint64_t packed = 0;
  for (std::uint64_t at = 0; at < archive.size(); ++at) {
    ZipMember member = archive.member(at);
    packed += std::min(member.packed_bytes, root.bytes);
    if (packed > root.bytes) {
      throw UsageError{
          fmt::format("input {}: its members take more bytes than it has, so some lie in each other (a bomb: few bytes "
                      "that unpack to many, many times). Pack it again.",
                      root.path.string())};
    }
    if (member.failure.fault == Fault::none && member.bytes > max_member_bytes) {
      member.failure = {Fault::too_large,
                        fmt::format("the file has {}, the limit is {}", format_byte_size(member.bytes),
                                    format_byte_size(max_member_bytes))};
    }
    const std::string name = member_name(member.name);
    if (!name.empty() && !name.ends_with('/')) {
      found.add(root.path, name, {at, member.bytes}, member.failure);
    }
  }
  return found;
}

/// The position of the last member of that name; nothing if there is none. Precondition: sorted.
std::optional<std::size_t> find(const NameList& names, std::string_view wanted) {
  std::size_t low = 0;
  std::size_t high = names.size();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (names.name(middle) <= wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low > 0 && names.name(low - 1) == wanted ? std::optional{low - 1} : std::nullopt;
}

/// A link stands for the member that it names, also where that is a link itself.
void follow_links(Found& found) {
  for (const auto& [number, first] : found.links) {
    std::string target = first;
    std::optional<std::size_t> at = find(found.names, target);
    for (int steps = 0; at && steps < 8; ++steps) {
      const auto further = found.links.find(found.names.number(*at));
      if (further == found.links.end()) {
        break;
      }
      target = further->second;
      at = find(found.names, target);
    }
    if (at && !found.links.contains(found.names.number(*at))) {
      found.places[number] = found.places[found.names.number(*at)];
    } else {
      found.places[number] = {};  // Nothing of its own: a probe must not take the link's header for it.
      found.failures.emplace(
          number,
          Failure{
              Fault::unreadable,
              fmt::format(
                  "it is a link to {}, which is not found in the archive (links to links are followed 8 times, and not "
                  "through linked folders)",
                  target)});
    }
  }
}

}  // namespace

MemberList list_members(const CatalogRoot& archive, const Choice& choice, std::uint64_t max_member_bytes) {
  Found found =
      archive.kind == RootKind::tar ? members_of_tar(archive.path) : members_of_zip(archive, max_member_bytes);
  found.names.sort();
  follow_links(found);
  MemberList list{.names = {}, .places = {}, .failures = {}};
  std::size_t doubled = 0;
  for (std::size_t at = 0; at < found.names.size(); ++at) {
    const std::string_view name = found.names.name(at);
    if (is_hidden(name) || !choice.takes_member(name)) {
      continue;
    }
    if (!is_utf8(name)) {
      throw UsageError{
          fmt::format("input {}: the name of a member is not UTF-8: {} (the catalog and the results name files in it). "
                      "Pack it again, or exclude it.",
                      archive.path.string(), name)};
    }
    if (at + 1 < found.names.size() && found.names.name(at + 1) == name) {
      ++doubled;
      continue;
    }
    const std::size_t number = found.names.number(at);
    if (const auto failure = found.failures.find(number); failure != found.failures.end()) {
      list.failures.emplace(list.places.size(), failure->second);
    }
    list.names.add(name);
    list.places.push_back(found.places[number]);
  }
  if (doubled > 0) {
    log::warn(
        "{}: {} members are there again further on under the same name; the last of each counts, as when the "
        "archive is unpacked",
        archive.path.string(), doubled);
  }
  return list;
}

}  // namespace pantile::detail
