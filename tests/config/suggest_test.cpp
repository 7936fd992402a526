#include "config/suggest.hpp"

#include <gmock/gmock.h>

namespace pantile {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Suggest, NamesWhatIsNearAndNothingElse) {
  const std::vector<std::string> names{"run", "verify", "inspect", "export", "status", "version"};
  EXPECT_EQ(suggestion("rnu", names), "run");
  EXPECT_EQ(suggestion("verfiy", names), "verify");
  EXPECT_EQ(suggestion("banana", names), std::nullopt);
  EXPECT_EQ(suggestion("", names), std::nullopt);
  EXPECT_THAT(similar_names("outputx", {"output", "outputs"}), ElementsAre("output", "outputs"));
  EXPECT_THAT(similar_names("xy", {"id", "a"}), IsEmpty());
  EXPECT_EQ(did_you_mean({"a", "b"}), "did you mean 'a' or 'b'?");
  EXPECT_EQ(did_you_mean({}), "");
}

}  // namespace
}  // namespace pantile
