#include "config/scalars.hpp"

#include <gtest/gtest.h>

namespace pantile {
namespace {

using namespace std::chrono_literals;

TEST(Scalars, NumbersAreStrict) {
  EXPECT_EQ(parse_whole_number("0"), 0);
  EXPECT_EQ(parse_whole_number("-12"), -12);
  for (const char* text : {"", "010", "-01", "+1", "1.0", "1e3", "0x1", " 1", "1 ", "99999999999999999999"}) {
    EXPECT_FALSE(parse_whole_number(text)) << text;
  }
  EXPECT_EQ(parse_number("1e-3"), 1e-3);
  for (const char* text : {"", ".", "nan", "inf", "-inf", "00.5", "0x1p3", "1,5", "1e999"}) {
    EXPECT_FALSE(parse_number(text)) << text;
  }
}

TEST(Scalars, RatiosKeepBothParts) {
  EXPECT_EQ(parse_ratio("1/255"), (Ratio{1, 255}));
  EXPECT_EQ(parse_ratio("1 / 127.5"), (Ratio{1, 127.5}));
  EXPECT_EQ(parse_ratio("-0.5"), (Ratio{-0.5, 1}));
  for (const char* text : {"1/0", "/2", "1/", "1/2/3", "a", "010/2"}) {
    EXPECT_FALSE(parse_ratio(text)) << text;
  }
  EXPECT_EQ((Ratio{1, 255}.value()), 1.0 / 255.0);
  EXPECT_EQ((Ratio{1, 127.5}.inverse()), (Ratio{127.5, 1})) << "exactly, where 1 / (1 / 127.5) need not be";
}

TEST(Scalars, RatiosReadBackExactly) {
  for (const Ratio ratio :
       {Ratio{1, 255}, Ratio{0.1, 1}, Ratio{1.0 / 3, 7}, Ratio{-1e-300, 1}, Ratio{255, 1}, Ratio{1e22, 1}}) {
    EXPECT_EQ(parse_ratio(to_string(ratio)), ratio) << to_string(ratio);
  }
}

TEST(Scalars, SizesAndTimesNameTheirUnit) {
  EXPECT_EQ(parse_size("1.5GiB"), std::uint64_t{1536} << 20U);
  EXPECT_FALSE(parse_size("010MiB"));
  EXPECT_FALSE(parse_size("-1MiB"));
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("1.5h"), 90min);
  EXPECT_FALSE(parse_duration("60"));
  EXPECT_FALSE(parse_duration("1 day"));
  EXPECT_EQ(parse_percent("33.3%"), 33.3);
  EXPECT_FALSE(parse_percent("80"));
  for (const std::uint64_t bytes : {0ULL, 1ULL, 1024ULL, 1536ULL, 268435456ULL, 123456789ULL, 1ULL << 40U}) {
    EXPECT_EQ(parse_size(size_text(bytes)), bytes);
  }
  for (const auto time : {1ms, 999ms, 60000ms, 90500ms}) {
    EXPECT_EQ(parse_duration(duration_text(time)), time);
  }
}

TEST(Scalars, PixelsAreCountedInPowersOfTen) {
  EXPECT_EQ(parse_pixels("268MP"), 268'000'000U);
  EXPECT_EQ(parse_pixels("0.5 GP"), 500'000'000U);
  EXPECT_EQ(parse_pixels("640"), 640U);
  for (const char* text : {"", "MP", "-1MP", "01MP", "1mp", "1MiP", "1KP", "1e3", "1px"}) {
    EXPECT_FALSE(parse_pixels(text)) << text;
  }
  for (const std::uint64_t pixels : {0ULL, 1ULL, 999ULL, 1000ULL, 1500ULL, 268'000'000ULL, 4'000'000'000ULL}) {
    EXPECT_EQ(parse_pixels(pixels_text(pixels)), pixels);
  }
}

}  // namespace
}  // namespace pantile
