#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "codec/header.hpp"

namespace pantile {

/// What looking at an item's header found, as the catalog keeps it. A plain record: it travels in messages.
struct Probed {
  std::uint64_t bytes = 0;
  std::int64_t mtime_ns = 0;  ///< since 1970; of a member: its archive's
  HeaderFacts header{};       ///< no extent if it cannot be read
  ImageFormat format = ImageFormat::unknown;
  Fault fault = Fault::none;  ///< why the header cannot be read
  std::string detail{};       ///< the same for a person
  bool operator==(const Probed&) const = default;
};

/// The catalog's view of a probe.
[[nodiscard]] inline Probed to_probed(const ProbedFile& file) {
  Probed probed{.bytes = file.bytes, .mtime_ns = file.mtime_ns};
  if (file.header) {
    probed.header = facts_of(file.header.value());
    probed.format = file.header.value().format;
  } else {
    probed.fault = file.header.failure().fault;
    probed.detail = file.header.failure().detail;
  }
  return probed;
}

template <class Archive>
void fields(Archive& archive, Probed& probed) {
  archive(probed.bytes, probed.mtime_ns, probed.header, probed.format, probed.fault, probed.detail);
}

}  // namespace pantile
