// Bytes 33-126, 161-172 and 174-255 stand for themselves; the other 68, in
// ascending order, have U+0100, U+0101, ...
#include "compiler/import/ByteLevel.h"
#include <array>

using namespace llvm;

namespace quartet {
namespace {

bool standsForItself(unsigned byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) ||
         byte >= 174;
}

constexpr unsigned standInCount = 0x100 + 68;

struct Table {
  std::array<uint16_t, 256> codeOf;         // code point of a byte
  std::array<int16_t, standInCount> byteOf; // byte of a code point, or -1
  Table() {
    byteOf.fill(-1);
    uint16_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      codeOf[byte] =
          standsForItself(byte) ? static_cast<uint16_t>(byte) : next++;
      byteOf[codeOf[byte]] = static_cast<int16_t>(byte);
    }
  }
};

const Table &table() {
  static const Table built;
  return built;
}

} // namespace

std::optional<std::string> bytesOfStandIns(StringRef text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    auto lead = static_cast<uint8_t>(text[i]);
    unsigned code = lead;
    if (lead >= 0x80) {
      // All stand-ins are below U+0800: two bytes.
      if ((lead & 0xe0) != 0xc0 || i + 1 == text.size())
        return std::nullopt;
      code = (lead & 0x1fu) << 6 | (static_cast<uint8_t>(text[++i]) & 0x3fu);
    }
    if (code >= standInCount || table().byteOf[code] < 0)
      return std::nullopt;
    bytes += static_cast<char>(table().byteOf[code]);
  }
  return bytes;
}

std::string standIn(uint8_t byte) {
  unsigned code = table().codeOf[byte];
  if (code < 0x80)
    return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xc0 | code >> 6),
          static_cast<char>(0x80 | (code & 0x3f))};
}

} // namespace quartet
