#include "report/table.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace pantile {
namespace {

Table sample() {
  Table table{{"id", "path", "bytes", "ok", "rate"}};
  table.add({std::uint64_t{7}, std::string{"ページ, \"1\".png"}, std::int64_t{-12}, true, 0.5});
  table.add({std::uint64_t{12}, std::string{"b\n.png"}, std::monostate{}, false, 100.0});
  return table;
}

TEST(Table, IsAlignedForPeople) {
  EXPECT_EQ(sample().text(TableFormat::table),
            "id  path             bytes  ok     rate\n"
            " 7  ページ, \"1\".png    -12  true    0.5\n"
            "12  b?.png                  false   100\n");
}

TEST(Table, IsCsvForSheets) {
  EXPECT_EQ(sample().text(TableFormat::csv),
            "id,path,bytes,ok,rate\n7,\"ページ, \"\"1\"\".png\",-12,true,0.5\n12,\"b\n.png\",,false,100\n");
}

TEST(Table, IsJsonForScripts) {
  const auto json = nlohmann::json::parse(sample().text(TableFormat::json));
  EXPECT_EQ(json.at(0).at("path"), "ページ, \"1\".png");
  EXPECT_EQ(json.at(0).at("bytes"), -12);
  EXPECT_EQ(json.at(1).at("ok"), false);
  EXPECT_TRUE(json.at(1).at("bytes").is_null());
}

TEST(Table, MayBeEmpty) {
  const Table table{{"a", "b"}};
  EXPECT_EQ(table.text(TableFormat::table), "a  b\n");
  EXPECT_EQ(table.text(TableFormat::csv), "a,b\n");
  EXPECT_EQ(table.text(TableFormat::json), "[]\n");
}

TEST(Table, FormatsHaveNames) {
  EXPECT_EQ(parse_table_format("json"), TableFormat::json);
  EXPECT_EQ(parse_table_format("yaml"), std::nullopt);
}

}  // namespace
}  // namespace pantile
