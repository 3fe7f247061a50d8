// The element types of GGUF tensors: sizes of their blocks, and decoding to
// f32.
#ifndef QUARTET_COMPILER_IMPORT_GGUF_GGUFBLOCKS_H
#define QUARTET_COMPILER_IMPORT_GGUF_GGUFBLOCKS_H
#include "models/Config.h"

namespace quartet {

/// A type that can be decoded. A row of a tensor is a whole number of blocks.
struct GgufType {
  uint32_t id;
  const char *name;
  int64_t blockElements, blockBytes;
  /// The same values as one of our types; absent for quantized types.
  std::optional<Dtype> plain;
  /// Writes blockElements values for each of \p blocks blocks at \p in, which
  /// needs no alignment.
  void (*decode)(const uint8_t *in, float *out, int64_t blocks);
};

/// \returns null for a type that is unknown or not decoded.
const GgufType *ggufType(uint32_t id);

/// "Q4_K", also for types that are known but not decoded; "42" for others.
std::string ggufTypeName(uint32_t id);

/// "F32, F16, ...": all that ggufType() knows, for messages.
std::string decodedGgufTypes();

} // namespace quartet
#endif
