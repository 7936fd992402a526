#include "model/detail/size.hpp"

#include <gtest/gtest.h>

namespace pantile::detail {
namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();

TEST(Size, FollowsWhatAGraphComputesFromASide) {
  const Size height = side(Size::Kind::height, 64);
  const Size twice = height * number(2) + number(3);
  EXPECT_EQ(twice.up, 2);
  EXPECT_EQ(twice.offset, 3);
  EXPECT_EQ(twice.at, 131);
  EXPECT_EQ(twice - height * number(2), number(3));
  EXPECT_EQ(ratio(height, height * number(2)), (Fraction{1, 2}));
}

/// A weight that is damaged must not become a number that nothing compares with.
TEST(Size, OfWhatIsNotANumberIsNotKnown) {
  const Size height = side(Size::Kind::height, 64);
  for (const Size& each : {number(0) / number(0), number(infinite) - number(infinite), number(0) * number(infinite)}) {
    EXPECT_FALSE(each.is_number());
    EXPECT_FALSE(each.is_known());
  }
  EXPECT_FALSE((height + number(infinite)).is_side());
  EXPECT_FALSE((height + number(0) / number(0)).is_side());
}

}  // namespace
}  // namespace pantile::detail
