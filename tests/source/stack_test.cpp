#include "source/stack.hpp"

#include <gmock/gmock.h>
#include <zlib.h>

#include <array>
#include <cstring>
#include <ctime>
#include <functional>
#include <numeric>

#include "base/error.hpp"
#include "base/temp_folder.hpp"

namespace pantile::detail {
namespace {

using ::testing::HasSubstr;
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

  /// Replaces the chunk at the front by bytes of our choice.
  void overwrite_chunk(const Bytes& stored, std::uint32_t skipped = 0) {
    const hdf5::Id file = hdf5::own(H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), "open");
    const hdf5::Id set = hdf5::open_dataset(file.get(), "x");
    const std::array<hsize_t, 4> corner{};
    hdf5::check(H5Dwrite_chunk(set.get(), H5P_DEFAULT, skipped, corner.data(), stored.size(), stored.data()),
                "write a chunk");
  }

  void expect_all_rows() {
    Stack stack{path_, "/x"};
    const std::size_t row_values = values_.size() / stack.facts().rows;
    // There and back: chunks of several rows are kept, and are forgotten.
    for (std::uint64_t step = 0; step < 2 * stack.facts().rows; ++step) {
      const std::uint64_t at = step < stack.facts().rows ? step : 2 * stack.facts().rows - 1 - step;
      const Result<Image> row = stack.row(at);
      ASSERT_TRUE(row) << row.failure().detail;
      std::vector<std::uint16_t> seen(row_values);
      const std::byte* const bytes = row.value().view().data;
      for (std::size_t i = 0; i < row_values; ++i) {
        std::uint16_t value = 0;
        std::memcpy(&value, bytes + i * static_cast<std::size_t>(stack.facts().depth),
                    static_cast<std::size_t>(stack.facts().depth));
        seen[i] = value;
      }
      const auto begin = values_.begin() + static_cast<std::ptrdiff_t>(at * row_values);
      ASSERT_EQ(seen, std::vector(begin, begin + static_cast<std::ptrdiff_t>(row_values))) << "row " << at;
    }
  }

  [[nodiscard]] Failure first_row() const {
    const Result<Image> row = Stack{path_, "/x"}.row(0);
    return row ? Failure{} : row.failure();
  }
  [[nodiscard]] std::string refusal() const {
    try {
      const Stack stack{path_, "/x"};
      return "taken";
    } catch (const UsageError& error) {
      return error.what();
    }
  }

  TempFolder folder_;
  std::filesystem::path path_ = folder_.path() / "s.h5";
  std::vector<std::uint16_t> values_;
};

const Plan deflate = [](hid_t plan) { H5Pset_deflate(plan, 4); };
const Plan shuffle = [](hid_t plan) { H5Pset_shuffle(plan); };
const Plan fletcher = [](hid_t plan) { H5Pset_fletcher32(plan); };
const Plan nbit = [](hid_t plan) { H5Pset_nbit(plan); };
const Plan scaleoffset = [](hid_t plan) { H5Pset_scaleoffset(plan, H5Z_SO_INT, H5Z_SO_INT_MINBITS_DEFAULT); };
const Plan szip = [](hid_t plan) { H5Pset_szip(plan, H5_SZIP_NN_OPTION_MASK, 4); };
const Plan bare_edges = [](hid_t plan) { H5Pset_chunk_opts(plan, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS); };

Plan all(const std::vector<Plan>& steps) {
  return [steps](hid_t plan) {
    for (const Plan& step : steps) {
      step(plan);
    }
  };
}

TEST_F(StackTest, ReadsWhatHdf5WroteHoweverItIsPacked) {
  const std::vector<std::pair<const char*, Plan>> packings{{"nothing", all({})},
                                                           {"deflate", deflate},
                                                           {"shuffle", shuffle},
                                                           {"shuffle, deflate", all({shuffle, deflate})},
                                                           {"Fletcher-32", fletcher},
                                                           {"all three", all({shuffle, deflate, fletcher})},
                                                           {"the sum first", all({fletcher, deflate})},
                                                           {"deflate twice", all({deflate, deflate})},
                                                           {"bare edges", all({deflate, bare_edges})},
                                                           {"nbit", nbit},
                                                           {"scaleoffset", scaleoffset},
                                                           {"szip", szip},
                                                           {"szip with a sum", all({szip, fletcher})}};
  for (const auto& [name, packing] : packings) {
    for (const hid_t type : {H5T_STD_U8LE, H5T_STD_U16LE, H5T_STD_U16BE}) {
      for (const auto& [shape, chunk] : std::vector<std::pair<Shape, Shape>>{{{5, 9, 14}, {1, 9, 14}},
                                                                             {{5, 9, 14}, {3, 4, 5}},
                                                                             {{5, 9, 7, 3}, {2, 9, 7, 3}},
                                                                             {{5, 9, 7, 3}, {2, 4, 3, 3}},
                                                                             {{3, 9, 7, 4}, {2, 4, 3, 3}}}) {
        for (const bool latest : {false, true}) {
          SCOPED_TRACE(std::string{name} + ", " + std::to_string(H5Tget_size(type)) + " bytes, " +
                       std::to_string(shape.size()) + " axes, " + std::to_string(chunk[1]) + " high");
          write(type, shape, chunk, packing, latest);
          expect_all_rows();
        }
      }
    }
  }
}

Bytes deflated(std::size_t zeros) {
  const Bytes plain(zeros);
  uLongf size = compressBound(zeros);
  Bytes packed(size);
  compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(plain.data()), zeros, 9);
  packed.resize(size);
  return packed;
}

TEST_F(StackTest, RefusesAChunkThatUnpacksToMoreOrLessThanAChunk) {
  for (const Plan& packing : {deflate, all({shuffle, deflate}), all({deflate, deflate})}) {
    for (const std::size_t bytes : {std::size_t{4095}, std::size_t{4097}, std::size_t{2} << 20U}) {
      write(H5T_STD_U8LE, {1, 64, 64}, {1, 64, 64}, packing);
      overwrite_chunk(deflated(bytes));
      EXPECT_EQ(first_row().fault, Fault::corrupt) << bytes;
      EXPECT_THAT(first_row().detail, HasSubstr("a packed chunk of it is damaged")) << bytes;
      if (bytes > std::size_t{1} << 20U) {  // else it was seen only once all of it had been unpacked
        EXPECT_THAT(first_row().detail, HasSubstr("it unpacks to more than 8256 bytes"));
      }
    }
  }
  write(H5T_STD_U8LE, {1, 64, 64}, {1, 64, 64}, deflate);
  overwrite_chunk(deflated(4096));
  EXPECT_EQ(first_row().fault, Fault::none);
  overwrite_chunk(Bytes(4096), 1);
  EXPECT_EQ(first_row().fault, Fault::none) << "it was not packed";
  overwrite_chunk(Bytes(4095), 1);
  EXPECT_EQ(first_row().fault, Fault::corrupt);
  overwrite_chunk(Bytes(1 << 20), 0);
  EXPECT_THAT(first_row().detail, HasSubstr("a chunk of it has 1.00 MiB, packed"));
  Bytes cut = deflated(4096);
  cut.resize(cut.size() - 1);
  overwrite_chunk(cut);
  EXPECT_THAT(first_row().detail, HasSubstr("no good end"));
}

TEST_F(StackTest, SeesAWrongChecksum) {
  write(H5T_STD_U8LE, {1, 64, 64}, {1, 64, 64}, fletcher);
  Bytes stored(4100);
  overwrite_chunk(stored);
  EXPECT_EQ(first_row().fault, Fault::none) << "the sum of nothing is 0";
  stored[7] = std::byte{1};
  overwrite_chunk(stored);
  EXPECT_EQ(first_row().fault, Fault::corrupt);
  EXPECT_THAT(first_row().detail, HasSubstr("its checksum is wrong"));
}

TEST_F(StackTest, TakesNoMoreForSzipThanAChunk) {
  write(H5T_STD_U8LE, {1, 64, 64}, {1, 64, 64}, szip);
  Bytes stored(100);
  stored[3] = std::byte{0x7F};  // 2 GiB
  overwrite_chunk(stored);
  EXPECT_EQ(first_row().fault, Fault::corrupt);
  EXPECT_THAT(first_row().detail, HasSubstr("claims to be larger than chunks are"));
}

TEST_F(StackTest, SaysWhichPackingItCannotUndo) {
  const auto unknown = [](H5Z_filter_t filter) {
    return [filter](hid_t plan) { H5Pset_filter(plan, filter, H5Z_FLAG_OPTIONAL, 0, nullptr); };
  };
  write(H5T_STD_U8LE, {1, 64, 64}, {1, 64, 64}, unknown(32'000));
  EXPECT_THAT(refusal(),
              HasSubstr("it is packed with lzf, which the HDF5 of this machine does not have. h5py, or h5repack"));
  write(H5T_STD_U8LE, {1, 64, 64}, {1, 64, 64}, all({deflate, unknown(300)}));
  EXPECT_THAT(refusal(), HasSubstr("it is packed with filter 300, which"));
  write(H5T_STD_U8LE, {1, 64, 64}, {1, 64, 64}, all({scaleoffset, deflate}));
  EXPECT_THAT(refusal(), HasSubstr("it is packed with deflate and something else, and could unpack to any size"));
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
