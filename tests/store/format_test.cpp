#include "store/format.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace pantile {
namespace {

TEST(ShardName, ReadsBackWhatItWrites) {
  const ShardName name{.epoch = Epoch{3}, .rank = RankId{17}, .counter = ShardId{42}};
  EXPECT_EQ(to_string(name), "e0003-r0017-000042.h5");
  EXPECT_EQ(parse_shard_name("e0003-r0017-000042.h5"), name);
  const ShardName large{.epoch = Epoch{123456}, .rank = RankId{4096}, .counter = ShardId{7654321}};
  EXPECT_EQ(parse_shard_name(to_string(large)), large);
}

TEST(ShardName, KnowsOnlyOurSpelling) {
  for (const char* text :
       {"", "e0003-r0017-000042", "e3-r17-42.h5", "e0003-r0017-000042.h5.partial", "index.h5", "e0003-r0017-000042.h5 ",
        "e00003-r0017-000042.h5", "e0003-r-017-000042.h5", "e9999999999-r0001-000001.h5"}) {
    EXPECT_FALSE(parse_shard_name(text)) << text;
  }
}

TEST(Outputs, ReadBackFromTheirJson) {
  const std::vector<OutputInfo> outputs{
      {"page", DType::u8}, {"depth", DType::f16}, {"mask", DType::u16}, {"x", DType::f32}};
  EXPECT_EQ(parse_outputs(to_json(outputs)), outputs);
  EXPECT_THROW(static_cast<void>(parse_outputs("[{\"name\": \"a\", \"dtype\": \"int4\"}]")), Error);
  EXPECT_THROW(static_cast<void>(parse_outputs("[{\"name\": 3}]")), Error);
  EXPECT_THROW(static_cast<void>(parse_outputs("{")), Error);
}

}  // namespace
}  // namespace pantile
