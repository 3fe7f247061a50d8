// Reads the header of a GGUF file as hostile input: every length, type, shape
// and offset is checked before a byte of data is touched.
// Source of the format: https://github.com/ggml-org/ggml (docs/gguf.md).
#ifndef QUARTET_COMPILER_IMPORT_GGUF_GGUFREADER_H
#define QUARTET_COMPILER_IMPORT_GGUF_GGUFREADER_H
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace quartet {

/// One metadata value, or an array of them. Strings point into the file.
struct GgufValue {
  enum class Kind { Integer, Number, Bool, String };
  Kind kind = Kind::Integer; ///< of the value, or of each element
  bool isArray = false;
  /// Integers and booleans; unsigned values beyond INT64_MAX are INT64_MAX.
  std::vector<int64_t> integers;
  std::vector<double> numbers;
  std::vector<llvm::StringRef> strings;

  bool is(Kind wanted) const { return !isArray && kind == wanted; }
  bool isArrayOf(Kind wanted) const { return isArray && kind == wanted; }
};

/// One tensor of a file.
struct GgufTensor {
  std::string name;
  uint32_t type = 0;          ///< see GgufBlocks.h
  std::vector<int64_t> shape; ///< slowest dimension first, unlike in the file
  uint64_t offset = 0;        ///< from the start of the file
  uint64_t bytes = 0;
  unsigned file = 0; ///< index in GgufModel's files

  int64_t rowLength() const { return shape.back(); }
  int64_t elements() const;
};

struct GgufHeader {
  uint32_t version = 0;
  uint64_t dataStart = 0; ///< bytes from the start of the file
  std::map<std::string, GgufValue, std::less<>> metadata;
  std::vector<GgufTensor> tensors; ///< in the order of the file
};

/// Checks: magic, version 2 or 3, counts and lengths against the file's size,
/// value types, no arrays of arrays, keys and tensors once each, alignment (a
/// power of two), at most 4 dimensions of at least 1, sizes without overflow,
/// whole blocks per row, a type that GgufBlocks decodes, offsets aligned and in
/// range, no overlap and no gap. \p fileName is for messages only; \p bytes
/// must outlive the header.
llvm::Expected<GgufHeader> parseGguf(llvm::ArrayRef<uint8_t> bytes,
                                     llvm::StringRef fileName);

} // namespace quartet
#endif
