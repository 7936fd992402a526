#include "source/item_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <string>
#include <utility>
#include <variant>

#include "base/byte_size.hpp"
#include "base/file.hpp"
#include "source/input_kind.hpp"
#include "source/stack.hpp"
#include "source/tar.hpp"
#include "source/zip_archive.hpp"

namespace pantile {
namespace {

using Tar = std::shared_ptr<FileReader>;
using Container = std::variant<Tar, detail::ZipArchive, detail::Stack>;

/// A part of an open file.
class PartReader final : public ByteReader {
 public:
  PartReader(Tar file, std::uint64_t begin, std::uint64_t bytes)
      : file_{std::move(file)}, begin_{begin}, bytes_{bytes} {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_; }
  [[nodiscard]] std::size_t read_at(std::uint64_t at, std::span<std::byte> into) override {
    at = std::min(at, bytes_);
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), bytes_ - at));
    return file_->read_at(begin_ + at, into.first(count));
  }

 private:
  Tar file_;
  std::uint64_t begin_;
  std::uint64_t bytes_;
};

Failure changed(std::uint64_t now, std::uint64_t before) {
  return {Fault::changed, fmt::format("the file has {} bytes now and had {} when the catalog was made", now, before)};
}

Failure moved(const ItemPlace& place) {
  return {Fault::changed,
          fmt::format("{} has something else in its place than when the catalog was made", place.container)};
}

Container open_container(const ItemPlace& place) {
  switch (place.kind) {
    case RootKind::tar: return std::make_shared<FileReader>(place.container);
    case RootKind::zip: return detail::ZipArchive{place.container};
    case RootKind::stack: return detail::Stack{place.container, place.name};
    case RootKind::folder: break;
  }
  expect(false, "a file of a folder lies in no container");
  return Tar{};
}

Result<std::unique_ptr<ByteReader>> open_member(Container& container, const ItemPlace& place) {
  if (place.kind == RootKind::tar) {
    const Tar& file = std::get<Tar>(container);
    if (place.at == 0) {
      return Failure{Fault::unreadable, "it is nowhere in the archive"};  // A link that leads out of it.
    }
    if (!detail::is_tar_member(*file, place.at, place.bytes)) {
      return moved(place);
    }
    return std::unique_ptr<ByteReader>{std::make_unique<PartReader>(file, place.at, place.bytes)};
  }
  return std::get<detail::ZipArchive>(container).open(place.at, place.bytes);
}

/// That the zip archive still has that member there.
bool is_zip_member(const detail::ZipArchive& archive, const ItemPlace& place) {
  if (place.at >= archive.size()) {
    return false;
  }
  const detail::ZipMember member = archive.member(place.at);
  return member.bytes == place.bytes;
}

Result<Bytes> read_all(ByteReader& reader) {
  Bytes bytes(static_cast<std::size_t>(reader.size()));
  if (const std::size_t got = reader.read_at(0, bytes); got != bytes.size()) {
    return changed(got, bytes.size());
  }
  return bytes;
}

}  // namespace

/// The open archives and stacks, the most recently used in front.
class ItemReader::Containers {
 public:
  explicit Containers(std::size_t most) : most_{most} {}

  /// Runs `action` on the open container; its Failure, or one that says why the container cannot be used.
  template <class Action>
  auto with(const ItemPlace& place, Action action) -> decltype(action(std::declval<Container&>())) {
    try {
      auto at = std::find_if(open_.begin(), open_.end(), [&](const Open& one) { return one.is(place); });
      if (at == open_.end()) {
        if (const std::uint64_t now = detail::size_and_time(place.container).bytes; now != place.container_bytes) {
          return changed(now, place.container_bytes);
        }
        open_.push_front({place.kind, place.container, place.kind == RootKind::stack ? place.name : std::string{},
                          open_container(place)});
        if (open_.size() > most_) {
          open_.pop_back();
        }
      } else {
        open_.splice(open_.begin(), open_, at);
      }
      Container& container = open_.front().container;
      if (place.kind == RootKind::zip && !is_zip_member(std::get<detail::ZipArchive>(container), place)) {
        return moved(place);
      }
      return action(container);
    } catch (const Error& error) {
      return Failure{Fault::unreadable, error.what()};
    }
  }

 private:
  struct Open {
    RootKind kind;
    std::string file;
    std::string dataset;
    Container container;
    [[nodiscard]] bool is(const ItemPlace& place) const {
      return kind == place.kind && file == place.container && (kind != RootKind::stack || dataset == place.name);
    }
  };
  std::size_t most_;
  std::list<Open> open_;
};

ItemReader::ItemReader(std::size_t most_open) : containers_{std::make_unique<Containers>(most_open)} {}
ItemReader::~ItemReader() = default;

Result<Bytes> ItemReader::read(const ItemPlace& place, std::uint64_t limit) {
  expect(place.kind != RootKind::stack, "a row has no encoded bytes");
  if (place.bytes > limit) {
    return Failure{Fault::too_large, fmt::format("the file has {}, the limit is {}", format_byte_size(place.bytes),
                                                 format_byte_size(limit))};
  }
  if (place.kind == RootKind::folder) {
    try {
      Bytes bytes = read_file(place.container, limit);
      return bytes.size() == place.bytes ? Result<Bytes>{std::move(bytes)}
                                         : Result<Bytes>{changed(bytes.size(), place.bytes)};
    } catch (const Error& error) {
      return Failure{Fault::unreadable, error.what()};
    }
  }
  return containers_->with(place, [&](Container& container) -> Result<Bytes> {
    if (place.kind == RootKind::zip) {
      return std::get<detail::ZipArchive>(container).read(place.at, place.bytes);
    }
    Result<std::unique_ptr<ByteReader>> member = open_member(container, place);
    return member ? read_all(*member.value()) : Result<Bytes>{member.failure()};
  });
}

Result<std::unique_ptr<ByteReader>> ItemReader::open(const ItemPlace& place) {
  expect(place.kind != RootKind::stack, "a row has no encoded bytes");
  if (place.kind != RootKind::folder) {
    return containers_->with(place, [&](Container& container) { return open_member(container, place); });
  }
  try {
    auto reader = std::make_unique<FileReader>(place.container);
    if (reader->size() != place.bytes) {
      return changed(reader->size(), place.bytes);
    }
    return std::unique_ptr<ByteReader>{std::move(reader)};
  } catch (const Error& error) {
    return Failure{Fault::unreadable, error.what()};
  }
}

Result<Image> ItemReader::row(const ItemPlace& place) {
  expect(place.kind == RootKind::stack, "only a stack has rows");
  return containers_->with(place, [&](Container& container) -> Result<Image> {
    auto& stack = std::get<detail::Stack>(container);
    if (place.at >= stack.facts().rows) {
      return moved(place);
    }
    return stack.row(place.at);
  });
}

Result<std::uint64_t> ItemReader::beside_row(const ItemPlace& place) {
  expect(place.kind == RootKind::stack, "only a stack has rows");
  return containers_->with(place, [](Container& container) -> Result<std::uint64_t> {
    return std::get<detail::Stack>(container).facts().beside_bytes;
  });
}

ProbedFile ItemReader::probe(const ItemPlace& place) {
  if (place.kind == RootKind::folder) {
    return probe_file(place.container);
  }
  ProbedFile probed{.bytes = place.bytes, .header = Failure{Fault::unreadable, "it was not looked at"}};
  try {
    probed.mtime_ns = detail::size_and_time(place.container).mtime_ns;
  } catch (const Error& error) {
    probed.header = Failure{Fault::unreadable, error.what()};
    return probed;
  }
  Result<std::unique_ptr<ByteReader>> member = open(place);
  probed.header = member ? pantile::probe(*member.value()) : Result<ImageHeader>{member.failure()};
  if (place.kind == RootKind::zip && !probed.header && probed.header.failure().fault == Fault::unreadable) {
    // Is it the disk, or are the packed bytes wrong? Only one of them may be tried again elsewhere.
    if (const Result<Bytes> all = read(place, header_limit_bytes); !all) {
      probed.header = all.failure();
    }
  }
  return probed;
}

}  // namespace pantile
