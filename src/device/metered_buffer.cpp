#include "device/metered_buffer.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <new>
#include <utility>

#include "device/process_memory.hpp"

namespace pantile {

namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t padding = 64;
constexpr std::size_t mapped_from = std::size_t{64} << 10U;

constexpr bool is_mapped(std::size_t bytes) { return bytes >= mapped_from; }

std::size_t charged(std::size_t bytes) {
  return is_mapped(bytes) ? whole_pages(bytes + padding) : (bytes + padding + alignment - 1) / alignment * alignment;
}

void* take(std::size_t bytes) {
  if (!is_mapped(bytes)) {
    return std::aligned_alloc(alignment, charged(bytes));
  }
  void* data = ::mmap(nullptr, charged(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return data == MAP_FAILED ? nullptr : data;
}

}  // namespace

MeteredBuffer::MeteredBuffer(Meter& meter, std::size_t bytes) : meter_{&meter}, bytes_{bytes} {
  if (bytes > SIZE_MAX / 2) {
    throw std::bad_alloc{};
  }
  meter.charge(charged(bytes));
  data_ = static_cast<std::byte*>(take(bytes));
  if (data_ == nullptr) {
    meter.release(charged(bytes));
    throw std::bad_alloc{};
  }
}

MeteredBuffer::~MeteredBuffer() {
  if (data_ == nullptr) {
    return;
  }
  if (is_mapped(bytes_)) {
    ::munmap(data_, charged(bytes_));
  } else {
    std::free(data_);
  }
  meter_->release(charged(bytes_));
}

void MeteredBuffer::swap(MeteredBuffer& other) noexcept {
  std::swap(meter_, other.meter_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
}

}  // namespace pantile
