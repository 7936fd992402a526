#include "source/zip_archive.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <zip.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.hpp"
#include "base/handle.hpp"

namespace pantile::detail {
namespace {

struct DiscardArchive {
  using Raw = zip_t*;
  static Raw null() noexcept { return nullptr; }
  static void free(Raw archive) noexcept { ::zip_discard(archive); }
};
struct CloseMember {
  using Raw = zip_file_t*;
  static Raw null() noexcept { return nullptr; }
  static void free(Raw member) noexcept { static_cast<void>(::zip_fclose(member)); }
};
using Member = Handle<CloseMember>;

/// A file that cannot be read may be readable elsewhere, or later; bytes that make no sense stay as they are.
Failure failure_of(const zip_error_t* error, std::string_view doing) {
  const int code = ::zip_error_code_zip(error);
  std::string text = fmt::format("cannot {}: {}", doing, ::zip_error_strerror(const_cast<zip_error_t*>(error)));
  switch (code) {
    case ZIP_ER_READ:
    case ZIP_ER_SEEK:
    case ZIP_ER_OPEN: return {Fault::unreadable, std::move(text)};
    case ZIP_ER_COMPNOTSUPP:
    case ZIP_ER_ENCRNOTSUPP:
    case ZIP_ER_NOPASSWD:
    case ZIP_ER_OPNOTSUPP: return {Fault::unsupported, std::move(text)};
    case ZIP_ER_EOF: return {Fault::truncated, std::move(text)};
    case ZIP_ER_MEMORY: throw std::bad_alloc{};
    default: return {Fault::corrupt, std::move(text)};
  }
}

/// Reads up to `into.size()` bytes, fewer only at the end of the member.
Result<std::size_t> read_some(zip_file_t* member, std::span<std::byte> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const zip_int64_t some = ::zip_fread(member, into.data() + done, into.size() - done);
    if (some < 0) {
      return failure_of(::zip_file_get_error(member), "unpack it");
    }
    if (some == 0) {
      break;
    }
    done += static_cast<std::size_t>(some);
  }
  return done;
}

/// A member as it is unpacked from its beginning; what was unpacked is kept, so that any of it can be read again.
class UnpackingReader final : public ByteReader {
 public:
  UnpackingReader(Member member, std::uint64_t bytes) : member_{std::move(member)}, bytes_{bytes} {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_; }
  [[nodiscard]] std::size_t read_at(std::uint64_t at, std::span<std::byte> into) override {
    const std::uint64_t end = std::min<std::uint64_t>(bytes_, at + into.size());
    if (at >= end) {
      return 0;
    }
    unpack_to(end);
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(end, unpacked_.size()) - at);
    std::copy_n(unpacked_.begin() + static_cast<std::ptrdiff_t>(at), count, into.begin());
    return count;
  }

 private:
  void unpack_to(std::uint64_t end) {
    const std::size_t had = unpacked_.size();
    if (end <= had) {
      return;
    }
    unpacked_.resize(static_cast<std::size_t>(end));
    const Result<std::size_t> got = read_some(member_.get(), std::span{unpacked_}.subspan(had));
    if (!got) {
      unpacked_.resize(had);
      throw Error{got.failure().detail};
    }
    unpacked_.resize(had + got.value());
    if (unpacked_.size() < end) {
      throw Error{"the member ends before the size that the archive gives for it"};
    }
  }

  Member member_;
  std::uint64_t bytes_;
  Bytes unpacked_;
};

}  // namespace

struct ZipArchive::State {
  std::string path;
  Handle<DiscardArchive> archive;

  Result<Member> open(std::uint64_t at) {
    Member member{::zip_fopen_index(archive.get(), at, 0)};
    if (!member) {
      return failure_of(::zip_get_error(archive.get()), "unpack it");
    }
    return member;
  }
};

ZipArchive::ZipArchive(const std::filesystem::path& path) : state_{std::make_unique<State>()} {
  state_->path = path.string();
  int code = 0;
  state_->archive = Handle<DiscardArchive>{::zip_open(path.c_str(), ZIP_RDONLY, &code)};
  if (state_->archive) {
    return;
  }
  const int system = errno;
  zip_error_t error;
  ::zip_error_init_with_code(&error, code);
  const std::string why = ::zip_error_strerror(&error);
  ::zip_error_fini(&error);
  if (code == ZIP_ER_NOENT || code == ZIP_ER_OPEN || code == ZIP_ER_READ || code == ZIP_ER_SEEK) {
    errno = system;
    throw system_error("cannot open " + path.string());
  }
  throw UsageError{
      fmt::format("input {}: it is no zip archive, or is damaged or cut short: {} (its directory is at its end). Copy "
                  "or pack it again.",
                  path.string(), why)};
}

ZipArchive::~ZipArchive() = default;
ZipArchive::ZipArchive(ZipArchive&&) noexcept = default;
ZipArchive& ZipArchive::operator=(ZipArchive&&) noexcept = default;

std::uint64_t ZipArchive::size() const {
  return static_cast<std::uint64_t>(std::max<zip_int64_t>(0, ::zip_get_num_entries(state_->archive.get(), 0)));
}

ZipMember ZipArchive::member(std::uint64_t at) const {
  zip_stat_t facts;
  if (::zip_stat_index(state_->archive.get(), at, 0, &facts) != 0 || (facts.valid & ZIP_STAT_NAME) == 0) {
    throw UsageError{
        fmt::format("input {}: the entry {} of its directory makes no sense. Pack it again.", state_->path, at)};
  }
  ZipMember member{.name = facts.name, .bytes = facts.size, .failure = {}};
  if ((facts.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && facts.encryption_method != ZIP_EM_NONE) {
    member.failure = {Fault::unsupported, "it is encrypted. Pack the archive again without a password"};
  }
  zip_uint8_t system = 0;
  zip_uint32_t attributes = 0;
  constexpr unsigned mode_shift = 16;
  if (::zip_file_get_external_attributes(state_->archive.get(), at, 0, &system, &attributes) == 0 &&
      system == ZIP_OPSYS_UNIX && S_ISLNK(attributes >> mode_shift)) {
    member.failure = {Fault::unsupported, "it is a link. Pack the archive again with the file itself"};
  }
  return member;
}

Result<Bytes> ZipArchive::read(std::uint64_t at, std::uint64_t bytes) {
  Result<Member> member = state_->open(at);
  if (!member) {
    return member.failure();
  }
  // One byte more than there should be: only at the end does libzip check the checksum.
  Bytes all(static_cast<std::size_t>(bytes) + 1);
  const Result<std::size_t> got = read_some(member.value().get(), all);
  if (!got) {
    return got.failure();
  }
  if (got.value() != bytes) {
    return Failure{Fault::corrupt, fmt::format("it unpacks to {} {} bytes, and the archive says {}",
                                               got.value() > bytes ? "more than" : "only",
                                               std::min<std::uint64_t>(got.value(), bytes), bytes)};
  }
  all.resize(got.value());
  return all;
}

Result<std::unique_ptr<ByteReader>> ZipArchive::open(std::uint64_t at, std::uint64_t bytes) {
  Result<Member> member = state_->open(at);
  if (!member) {
    return member.failure();
  }
  return std::unique_ptr<ByteReader>{std::make_unique<UnpackingReader>(std::move(member).value(), bytes)};
}

}  // namespace pantile::detail
