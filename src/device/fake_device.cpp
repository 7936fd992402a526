#include "device/fake_device.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <new>

#include "base/error.hpp"

namespace pantile {
namespace {

constexpr std::size_t alignment = 256;
constexpr off_t book_byte = 0;

constexpr off_t byte_of(int place) { return 1 + place; }

std::size_t rounded(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

struct flock lock_of(off_t byte, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return lock;
}

bool try_lock(int file, off_t byte) {
  struct flock lock = lock_of(byte, F_WRLCK);
  return ::fcntl(file, F_OFD_SETLK, &lock) == 0;
}

/// By another process, or another FakeDevice of ours.
bool is_locked(int file, off_t byte) {
  struct flock lock = lock_of(byte, F_WRLCK);
  return ::fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace

/// Nobody else changes the book while this lives.
class FakeDevice::Locked {
 public:
  Locked(int file, std::mutex& mutex) : guard_{mutex}, file_{file} {
    struct flock lock = lock_of(book_byte, F_WRLCK);
    while (::fcntl(file_, F_OFD_SETLKW, &lock) != 0 && errno == EINTR) {
    }
  }
  ~Locked() {
    struct flock lock = lock_of(book_byte, F_UNLCK);
    ::fcntl(file_, F_OFD_SETLK, &lock);
  }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  std::scoped_lock<std::mutex> guard_;
  int file_;
};

void FakeDevice::CloseFile::free(Raw file) noexcept { ::close(file); }

FakeDevice::FakeDevice(const std::filesystem::path& file, std::uint64_t total_bytes)
    : file_{::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)} {
  if (!file_) {
    throw system_error(fmt::format("cannot open {} (the book of a fake device)", file.string()));
  }
  const Locked locked{file_.get(), mutex_};
  struct stat facts {};
  if (::fstat(file_.get(), &facts) != 0 || (facts.st_size != 0 && facts.st_size != sizeof(Book)) ||
      ::ftruncate(file_.get(), sizeof(Book)) != 0) {
    throw Error{fmt::format("{} is not the book of a fake device (it has {} bytes). Name another file.", file.string(),
                            facts.st_size)};
  }
  void* const mapped = ::mmap(nullptr, sizeof(Book), PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
  if (mapped == MAP_FAILED) {
    throw system_error(fmt::format("cannot map {} (the book of a fake device)", file.string()));
  }
  book_ = static_cast<Book*>(mapped);
  if (facts.st_size == 0) {
    book_->total = total_bytes;
  }
  for (place_ = 0; place_ < places && !try_lock(file_.get(), byte_of(place_)); ++place_) {
  }
  if (place_ == places) {
    ::munmap(mapped, sizeof(Book));
    throw Error{fmt::format("all {} places of the fake device {} are taken", places, file.string())};
  }
  book_->taken[static_cast<std::size_t>(place_)] = 0;
}

FakeDevice::~FakeDevice() { ::munmap(book_, sizeof(Book)); }

std::uint64_t FakeDevice::taken_by_all() const {
  std::uint64_t sum = 0;
  for (int place = 0; place < places; ++place) {
    // Who is dead holds no lock, and has nothing.
    const std::uint64_t taken = book_->taken[static_cast<std::size_t>(place)];
    sum += taken != 0 && (place == place_ || is_locked(file_.get(), byte_of(place))) ? taken : 0;
  }
  return sum;
}

std::uint64_t FakeDevice::total_bytes() const { return book_->total; }

std::uint64_t FakeDevice::free_bytes() const {
  const Locked locked{file_.get(), mutex_};
  const std::uint64_t taken = taken_by_all();
  return book_->total > taken ? book_->total - taken : 0;
}

std::uint64_t FakeDevice::taken_bytes() const noexcept {
  const std::scoped_lock lock{mutex_};
  return book_->taken[static_cast<std::size_t>(place_)];
}

void* FakeDevice::try_allocate(std::size_t bytes) noexcept {
  if (bytes > SIZE_MAX / 2) {
    return nullptr;
  }
  const Locked locked{file_.get(), mutex_};
  const std::uint64_t taken = taken_by_all();
  if (taken > book_->total || rounded(bytes) > book_->total - taken) {
    return nullptr;
  }
  void* const block = ::operator new (rounded(bytes), std::align_val_t{alignment}, std::nothrow);
  book_->taken[static_cast<std::size_t>(place_)] += block != nullptr ? rounded(bytes) : 0;
  return block;
}

void FakeDevice::deallocate(void* block, std::size_t bytes) noexcept {
  const Locked locked{file_.get(), mutex_};
  std::uint64_t& taken = book_->taken[static_cast<std::size_t>(place_)];
  expect(taken >= rounded(bytes), "only what a device gave is given back");
  taken -= rounded(bytes);
  ::operator delete (block, std::align_val_t{alignment});
}

}  // namespace pantile
