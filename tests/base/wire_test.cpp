#include "base/message.hpp"

#include <gtest/gtest.h>

namespace pantile {
namespace {

struct Inner {
  std::string text;
  std::vector<Extent> extents;
  bool operator==(const Inner&) const = default;
};
template <class Archive>
void fields(Archive& archive, Inner& inner) {
  archive(inner.text, inner.extents);
}
struct Outer {
  ItemId item{};
  double number = 0;
  std::vector<Inner> inners;
  bool operator==(const Outer&) const = default;
};
template <class Archive>
void fields(Archive& archive, Outer& outer) {
  archive(outer.item, outer.number, outer.inners);
}
using Message = std::variant<Inner, Outer>;

const Outer sample{ItemId{7}, 0.5, {{"größe", {{1, 2}, {3, 4}}}, {"", {}}}};

TEST(Fields, ComeBackAsTheyWereWritten) { EXPECT_EQ(decode<Outer>(encode(sample)), sample); }

TEST(Fields, RefuseATornRecordAtEveryLength) {
  const Bytes bytes = encode(sample);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THROW(static_cast<void>(decode<Outer>(std::span{bytes}.first(length))), WireError) << length;
  }
}

TEST(Fields, RefuseBytesBehindTheEnd) {
  Bytes bytes = encode(sample);
  bytes.push_back(std::byte{0});
  EXPECT_THROW(static_cast<void>(decode<Outer>(bytes)), WireError);
}

TEST(Fields, RefuseACountThatNoBytesStandBehind) {
  Writer writer;
  writer.put("").put(std::uint32_t{0xffffffff});
  EXPECT_THROW(static_cast<void>(decode<Inner>(writer.bytes())), WireError);
}

// Found by fuzzing: a bool of any other byte is undefined behaviour.
TEST(Fields, RefuseAByteThatIsNeitherYesNorNo) {
  const Bytes bytes{std::byte{1}, std::byte{0}, std::byte{2}};
  Reader reader{bytes};
  EXPECT_TRUE(reader.get<bool>());
  EXPECT_FALSE(reader.get<bool>());
  EXPECT_THROW(static_cast<void>(reader.get<bool>()), WireError);
}

TEST(Message, KeepsItsType) {
  const auto back = decode_message<Message>(encode_message(Message{sample}));
  ASSERT_TRUE(std::holds_alternative<Outer>(back));
  EXPECT_EQ(std::get<Outer>(back), sample);
}

TEST(Message, OfAnUnknownTypeIsRefused) {
  Bytes bytes = encode_message(Message{sample});
  bytes[0] = std::byte{2};
  EXPECT_THROW(static_cast<void>(decode_message<Message>(bytes)), WireError);
  EXPECT_THROW(static_cast<void>(decode_message<Message>({})), WireError);
}

}  // namespace
}  // namespace pantile
