#include "source/zip_archive.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <zip.h>

#include <algorithm>
#include <functional>
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

namespace {

/// A member as it is unpacked from its beginning. The last of what was unpacked is kept; who goes back further makes us
/// begin again, which a header that jumps to and fro may ask for a few times only: neither memory nor time is given
/// away for a member of gigabytes that takes a megabyte in the archive.
class UnpackingReader final : public ByteReader {
 public:
  using Begin = std::function<Result<Member>()>;
  UnpackingReader(Member member, Begin begin, std::uint64_t bytes)
      : member_{std::move(member)}, begin_{std::move(begin)}, bytes_{bytes} {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_; }
  [[nodiscard]] std::size_t read_at(std::uint64_t at, std::span<std::byte> into) override {
    const std::uint64_t end = at + std::min<std::uint64_t>(into.size(), bytes_ - std::min(bytes_, at));
    if (at >= end) {
      return 0;
    }
    if (end - at > kept_bytes) {
      throw Error{"its header has a part that is too large to be unpacked for a look"};
    }
    if (at < kept_from_) {
      begin_again();
    }
    while (kept_from_ + kept_.size() < end) {
      unpack_some(end);
    }
    const auto first = kept_.begin() + static_cast<std::ptrdiff_t>(at - kept_from_);
    std::copy(first, first + static_cast<std::ptrdiff_t>(end - at), into.begin());
    return static_cast<std::size_t>(end - at);
  }

 private:
  static constexpr std::size_t kept_bytes = std::size_t{4} << 20U;
  static constexpr std::size_t piece_bytes = std::size_t{256} << 10U;
  static constexpr int most_beginnings = 8;

  void begin_again() {
    if (++beginnings_ > most_beginnings) {
      throw Error{"its header jumps to and fro in a member that must be unpacked from its beginning each time"};
    }
    Result<Member> member = begin_();
    if (!member) {
      throw Error{member.failure().detail};
    }
    member_ = std::move(member).value();
    kept_.clear();
    kept_from_ = 0;
  }

  /// Forgets half of what is kept when there is no room for more.
  void unpack_some(std::uint64_t end) {
    if (kept_.size() + piece_bytes > 2 * kept_bytes) {
      const std::size_t forgotten = kept_.size() - kept_bytes;
      kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(forgotten));
      kept_from_ += forgotten;
    }
    const std::size_t had = kept_.size();
    const std::uint64_t wanted = std::min<std::uint64_t>(end - kept_from_ - had, piece_bytes);
    kept_.resize(had + static_cast<std::size_t>(wanted));
    const Result<std::size_t> got = read_some(member_.get(), std::span{kept_}.subspan(had));
    kept_.resize(had + (got ? got.value() : 0));
    if (!got) {
      throw Error{got.failure().detail};
    }
    if (got.value() < wanted) {
      throw Error{"the member ends before the size that the archive gives for it"};
    }
  }

  Member member_;
  Begin begin_;
  std::uint64_t bytes_;
  Bytes kept_;
  std::uint64_t kept_from_ = 0;
  int beginnings_ = 0;
};

/// Deflate makes at most 1032 bytes of one; what is stored is as long as it is.
bool is_possible(const zip_stat_t& facts) {
  constexpr std::uint64_t most_of_one = 1032;
  if ((facts.valid & ZIP_STAT_COMP_SIZE) == 0 || (facts.valid & ZIP_STAT_COMP_METHOD) == 0) {
    return true;
  }
  switch (facts.comp_method) {
    case ZIP_CM_STORE: return facts.size == facts.comp_size;
    case ZIP_CM_DEFLATE: return facts.size / most_of_one <= facts.comp_size;
    default: return true;
  }
}

}  // namespace

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
  ZipMember member{.name = facts.name,
                   .bytes = facts.size,
                   .packed_bytes = (facts.valid & ZIP_STAT_COMP_SIZE) != 0 ? facts.comp_size : 0,
                   .failure = {}};
  if (!is_possible(facts)) {
    member.failure = {Fault::corrupt, fmt::format("the archive says that its {} bytes unpack to {}, which cannot be",
                                                  facts.comp_size, facts.size)};
  }
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
  State& state = *state_;
  return std::unique_ptr<ByteReader>{std::make_unique<UnpackingReader>(
      std::move(member).value(), [&state, at] { return state.open(at); }, bytes)};
}

}  // namespace pantile::detail
