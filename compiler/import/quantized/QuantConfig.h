// What a checkpoint's config.json says about how its matrices are quantized.
// The tensors say the rest, and what both say must agree.
#ifndef QUARTET_COMPILER_IMPORT_QUANTIZED_QUANTCONFIG_H
#define QUARTET_COMPILER_IMPORT_QUANTIZED_QUANTCONFIG_H
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace quartet {

enum class QuantMethod {
  None,
  Fp8,               ///< fp8 with a scale per block, row or tensor
  Gptq,              ///< qweight packed along the input
  Awq,               ///< qweight packed along the output, GEMM layout
  CompressedTensors, ///< weight_packed, or plain int8 and fp8
  ModelOpt,          ///< NVFP4 and fp8 with a scale per tensor
};

struct QuantConfig {
  QuantMethod method = QuantMethod::None;
  std::string name; ///< "gptq", for messages
  std::string file; ///< where it was read

  /// A way in which integer codes are packed.
  struct Integers {
    int64_t bits = 4;
    int64_t group = 0; ///< inputs per scale; 0: all of a row
    bool operator==(const Integers &other) const {
      return bits == other.bits && group == other.group;
    }
  };
  /// The ways that may occur; any when empty.
  std::vector<Integers> integers;
  /// Rows and columns per scale of fp8; {0, 0} when not said.
  int64_t blockRows = 0, blockColumns = 0;
  /// GPTQ: zero points are stored less one.
  bool zerosLessOne = true;
  /// Modules listed by their whole name as not quantized.
  std::set<std::string, std::less<>> plainModules;
  std::string plainField; ///< of the list, for messages
};

/// Reads DIR/config.json and, when it says nothing, DIR/hf_quant_config.json.
/// Errors name the file, the field, what was found and what was expected.
llvm::Expected<QuantConfig> readQuantConfig(llvm::StringRef directory);

/// The same from the text of one file, for tests and fuzzing.
llvm::Expected<QuantConfig> parseQuantConfig(llvm::StringRef text,
                                             llvm::StringRef fileName);

} // namespace quartet
#endif
