#include <stdexcept>

#include "cuda/pixels_kernels.cuh"

namespace pantile::cuda_test {
namespace {

template <class Value, class Function>
__global__ void apply(Function function, Value* out, std::size_t count) {
  const std::size_t at = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at < count) {
    out[at] = function(at);
  }
}

void check(cudaError_t status, const char* doing) {
  if (status != cudaSuccess) {
    throw std::runtime_error(std::string(doing) + ": " + cudaGetErrorString(status));
  }
}

}  // namespace

std::string no_device_because() {
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  return status == cudaSuccess && devices > 0 ? "" : cudaGetErrorString(status);
}

template <class Value, class Function>
std::vector<Value> on_device(Function function, std::size_t count) {
  Value* values = nullptr;
  check(cudaMalloc(&values, count * sizeof(Value)), "allocating the results");
  const unsigned threads = 256;
  apply<<<static_cast<unsigned>((count + threads - 1) / threads), threads>>>(function, values, count);
  check(cudaGetLastError(), "launching the kernel");
  std::vector<Value> results(count);
  check(cudaMemcpy(results.data(), values, count * sizeof(Value), cudaMemcpyDeviceToHost), "fetching the results");
  check(cudaFree(values), "freeing the results");
  return results;
}

template std::vector<float> on_device(Normalised8, std::size_t);
template std::vector<float> on_device(Normalised16, std::size_t);
template std::vector<std::uint32_t> on_device(Luma, std::size_t);
template std::vector<std::uint32_t> on_device(OverWhite, std::size_t);
template std::vector<int> on_device(BorderIndex, std::size_t);
template std::vector<std::uint8_t> on_device(ToU8, std::size_t);

}  // namespace pantile::cuda_test
