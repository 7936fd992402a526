// libpantile_imgcodecs.so: all of Pantile that knows OpenCV. Linked into the program it would cost every start 85 to
// 130 ms, since Debian's library brings a hundred others along (GDAL, GDCM, …); see imgcodecs.cpp, which opens it.

#include <algorithm>
#include <cstring>
#include <iostream>
#include <new>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <streambuf>
#include <string>

#include "codec/imgcodecs_abi.hpp"

namespace {

using pantile::detail::PantileImgcodecsJob;

/// Where the words of a decoder on this thread go; null: to stderr, as ever.
thread_local std::string* listener = nullptr;

/// OpenCV writes why it failed to std::cerr. This stands before it, and passes on all but what a decoder says.
class Filter : public std::streambuf {
 public:
  Filter() : behind_{std::cerr.rdbuf(this)} {}
  ~Filter() override { std::cerr.rdbuf(behind_); }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

 protected:
  int_type overflow(int_type letter) override {
    const auto one = traits_type::to_char_type(letter);
    return xsputn(&one, 1) == 1 ? letter : traits_type::eof();
  }
  std::streamsize xsputn(const char* text, std::streamsize count) override {
    if (listener == nullptr) {
      return behind_->sputn(text, count);
    }
    if (listener->size() < 1000) {
      listener->append(text, static_cast<std::size_t>(count));
    }
    return count;
  }
  int sync() override { return listener == nullptr ? behind_->pubsync() : 0; }

 private:
  std::streambuf* behind_;
};

/// The red and blue of OpenCV's order, exchanged.
template <class Sample>
void to_rgb(cv::Mat& picture) {
  const int channels = picture.channels();
  for (int y = 0; y < picture.rows; ++y) {
    auto* pixel = picture.ptr<Sample>(y);
    for (int x = 0; x < picture.cols; ++x, pixel += channels) {
      std::swap(pixel[0], pixel[2]);
    }
  }
}

bool decode(PantileImgcodecsJob& job) {
  const int depth = job.sample_bytes == 2 ? CV_16U : CV_8U;
  const int type = CV_MAKETYPE(depth, job.channels);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): cv::Mat has no other way to borrow; it is only read
  const cv::Mat encoded{1, static_cast<int>(job.encoded_bytes), CV_8U, const_cast<unsigned char*>(job.encoded)};
  const int flags = (job.channels == 4   ? cv::IMREAD_UNCHANGED
                     : job.channels == 3 ? cv::IMREAD_COLOR | cv::IMREAD_ANYDEPTH
                                         : cv::IMREAD_GRAYSCALE | cv::IMREAD_ANYDEPTH);
  cv::Mat picture{job.height, job.width, type, job.into};  // Decoded in place, if it is what the header said.
  cv::imdecode(encoded, flags | (job.channels == 4 ? 0 : cv::IMREAD_IGNORE_ORIENTATION), &picture);
  if (picture.data != job.into || picture.rows != job.height || picture.cols != job.width || picture.type() != type) {
    return false;
  }
  if (job.channels >= 3) {
    job.sample_bytes == 2 ? to_rgb<unsigned short>(picture) : to_rgb<unsigned char>(picture);
  }
  return true;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int pantile_imgcodecs_decode(PantileImgcodecsJob* job) {
  using namespace pantile::detail;
  static const Filter filter;
  std::string said;
  int outcome = pantile_imgcodecs_failed;
  listener = &said;
  try {
    outcome = decode(*job) ? pantile_imgcodecs_done : pantile_imgcodecs_failed;
  } catch (const cv::Exception& error) {
    said += error.err;
    outcome = error.code == cv::Error::StsNoMem ? pantile_imgcodecs_out_of_memory : pantile_imgcodecs_failed;
  } catch (const std::bad_alloc&) {
    outcome = pantile_imgcodecs_out_of_memory;
  } catch (...) {
    outcome = pantile_imgcodecs_failed;
  }
  listener = nullptr;
  std::replace(said.begin(), said.end(), '\n', ' ');
  std::strncpy(job->text, said.c_str(), sizeof job->text - 1);
  return outcome;
}
