// What the micro-kernels need to know about a CPU: which dot-product and matrix
// instructions it has. Derived from LLVM's CPU name and features, so that
// kernels never compare names.
#ifndef QUARTET_TARGETS_CPU_ISA_H
#define QUARTET_TARGETS_CPU_ISA_H
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace quartet::cpu {

/// How four products of bytes are summed into an int32 lane.
enum class ByteDot {
  Widen, ///< no instruction: widen and multiply
  Avx2,  ///< vpmaddubsw and vpmaddwd, 32 bytes
  Vnni,  ///< vpdpbusd, 64 bytes
  Neon,  ///< sdot, 16 bytes
};

struct Isa {
  ByteDot byteDot = ByteDot::Widen;
  /// f32 lanes of the widest register: 4, 8 or 16.
  unsigned lanes = 4;
  bool fusedMultiplyAdd = false;
  bool bf16Dot = false;    ///< vdpbf16ps
  bool f16Convert = false; ///< conversions of f16 in hardware
  bool amxInt8 = false, amxBf16 = false;

  /// The instructions of \p cpu ("znver5", "x86-64-v4", ...) of \p triple with
  /// \p features ("+a,-b") added.
  static llvm::Expected<Isa> of(llvm::StringRef triple, llvm::StringRef cpu,
                                llvm::StringRef features);
};

} // namespace quartet::cpu
#endif
