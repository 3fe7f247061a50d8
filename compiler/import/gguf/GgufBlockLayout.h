// How the blocks of quantized GGUF types lie in the file. Internal to gguf/:
// GgufBlocks.cpp decodes them to f32, GgufOwn.cpp to integers and scales.
#ifndef QUARTET_COMPILER_IMPORT_GGUF_GGUFBLOCKLAYOUT_H
#define QUARTET_COMPILER_IMPORT_GGUF_GGUFBLOCKLAYOUT_H
#include "compiler/import/Convert.h"

namespace quartet::gguf {

// Bytes only, so that nothing is padded.

struct BlockQ4_0 {
  uint8_t d[2], codes[16];
};
struct BlockQ4_1 {
  uint8_t d[2], m[2], codes[16];
};
struct BlockQ5_0 {
  uint8_t d[2], high[4], codes[16];
};
struct BlockQ5_1 {
  uint8_t d[2], m[2], high[4], codes[16];
};
struct BlockQ8_0 {
  uint8_t d[2];
  int8_t codes[32];
};
struct BlockQ4_K {
  uint8_t d[2], dmin[2], scales[12], codes[128];
};
struct BlockQ5_K {
  uint8_t d[2], dmin[2], scales[12], high[32], codes[128];
};
struct BlockQ6_K {
  uint8_t low[128], high[64];
  int8_t scales[16];
  uint8_t d[2];
};
struct BlockIQ4_NL {
  uint8_t d[2], codes[16];
};
struct BlockIQ4_XS {
  uint8_t d[2], scalesHigh[2], scalesLow[4], codes[128];
};
struct BlockMXFP4 {
  uint8_t exponent, codes[16];
};
static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 &&
              sizeof(BlockQ5_0) == 22 && sizeof(BlockQ5_1) == 24 &&
              sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_K) == 144 &&
              sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210 &&
              sizeof(BlockIQ4_NL) == 18 && sizeof(BlockIQ4_XS) == 136 &&
              sizeof(BlockMXFP4) == 17);

inline uint16_t word(const uint8_t *bytes) {
  return uint16_t(bytes[0] | bytes[1] << 8);
}
inline float half(const uint8_t *bytes) { return halfToFloat(word(bytes)); }
inline uint32_t word32(const uint8_t *bytes) {
  return uint32_t(word(bytes)) | uint32_t(word(bytes + 2)) << 16;
}

/// Six-bit scale and minimum \p j of 8, packed in 12 bytes.
inline void scaleAndMin(const uint8_t *s, int j, int &scale, int &minimum) {
  if (j < 4) {
    scale = s[j] & 63;
    minimum = s[j + 4] & 63;
    return;
  }
  scale = (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
  minimum = (s[j + 4] >> 4) | (s[j] >> 6) << 4;
}

} // namespace quartet::gguf
#endif
