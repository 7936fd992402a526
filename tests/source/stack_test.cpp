#include "source/stack.hpp"

#include <gmock/gmock.h>

#include <ctime>
#include <functional>
#include <numeric>

#include "base/temp_folder.hpp"

namespace pantile::detail {
namespace {

using testing::TempFolder;

using Shape = std::vector<hsize_t>;
using Plan = std::function<void(hid_t)>;

class StackTest : public ::testing::Test {
 protected:
  /// A dataset /x of counted values, as HDF5 writes it.
  void write(hid_t type, const Shape& shape, const Shape& chunk, const Plan& packing, bool latest = false) {
    hdf5::initialise();
    const hdf5::Id access = hdf5::own(H5Pcreate(H5P_FILE_ACCESS), "make a property list");
    if (latest) {
      hdf5::check(H5Pset_libver_bounds(access.get(), H5F_LIBVER_V110, H5F_LIBVER_V110), "set the format");
    }
    const hdf5::Id file =
        hdf5::own(H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), "create " + path_.string());
    const hdf5::Id plan = hdf5::own(H5Pcreate(H5P_DATASET_CREATE), "make a property list");
    if (!chunk.empty()) {
      hdf5::check(H5Pset_chunk(plan.get(), static_cast<int>(chunk.size()), chunk.data()), "set chunks");
    }
    packing(plan.get());
    const hdf5::Id set = hdf5::own(
        H5Dcreate2(file.get(), "x", type, hdf5::make_space(shape).get(), H5P_DEFAULT, plan.get(), H5P_DEFAULT),
        "create x");
    values_.resize(std::accumulate(shape.begin(), shape.end(), hsize_t{1}, std::multiplies<>{}));
    for (std::size_t i = 0; i < values_.size(); ++i) {
      values_[i] = static_cast<std::uint16_t>(H5Tget_size(type) == 1 ? i * 7 % 251 : i * 277 % 65'521);
    }
    hdf5::check(H5Dwrite(set.get(), H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, values_.data()), "write x");
  }

  TempFolder folder_;
  std::filesystem::path path_ = folder_.path() / "s.h5";
  std::vector<std::uint16_t> values_;
};

Plan all(const std::vector<Plan>& steps) {
  return [steps](hid_t plan) {
    for (const Plan& step : steps) {
      step(plan);
    }
  };
}

TEST_F(StackTest, FindsAChunkInTimeThatDoesNotGrowWithTheirNumber) {
  constexpr std::uint64_t looks = 600;
  const auto time_of = [this](hsize_t rows) {
    write(H5T_STD_U8LE, {rows, 1, 1}, {1, 1, 1}, all({}));
    Stack stack{path_, "/x"};
    const std::clock_t before = std::clock();
    for (std::uint64_t look = 0; look < looks; ++look) {
      EXPECT_TRUE(stack.row(look * 7'919 % rows));
    }
    return std::clock() - before;
  };
  const std::clock_t of_few = time_of(looks);
  const std::clock_t of_many = time_of(100 * looks);
  EXPECT_LT(of_many, 20 * of_few) << "a walk over all of them takes 100 times as long";
}

}  // namespace
}  // namespace pantile::detail
