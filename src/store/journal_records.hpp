#pragma once
// The payloads of the journal's records as bytes; what is around them, and makes them count, is journal.cpp's.

#include <cstdint>

#include "base/wire.hpp"
#include "store/journal.hpp"

namespace pantile {

/// Its number on disk.
[[nodiscard]] std::uint32_t type_of(const JournalRecord& record);
void encode_record(Writer& writer, const JournalRecord& record);
/// All of `reader`. Throws Error if there is no such type, or the bytes are not one of it.
[[nodiscard]] JournalRecord decode_record(std::uint32_t type, Reader& reader);

}  // namespace pantile
