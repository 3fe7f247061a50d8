// What code for a CPU needs of the machine that runs it, in the words that the
// runtime understands (runtime/src/device/CpuFeatures.h).
#ifndef QUARTET_TARGETS_CPU_FEATURES_H
#define QUARTET_TARGETS_CPU_FEATURES_H
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace quartet::cpu {

/// The features of a CPU beyond the least of its triple that LLVM uses in
/// plain code, by their names in /proc/cpuinfo (x86) or HWCAP (Arm), separated
/// by commas: "avx2,fma,...". Those that follow from others of the list are
/// left out; so are those that only intrinsics reach, such as AMX.
llvm::Expected<std::string> plainFeatures(llvm::StringRef triple,
                                          llvm::StringRef cpu,
                                          llvm::StringRef features);

/// The same, and what the micro-kernels of the step program ask for.
llvm::Expected<std::string> kernelFeatures(llvm::StringRef triple,
                                           llvm::StringRef cpu,
                                           llvm::StringRef features);

/// Orders CPUs of one triple by what code for them can do: if \p a has all
/// features of \p b and more, it is greater.
struct Rank {
  unsigned matrix = 0, lanes = 0, byteDot = 0, features = 0;
  bool operator>(const Rank &other) const;
};
llvm::Expected<Rank> rankOf(llvm::StringRef triple, llvm::StringRef cpu,
                            llvm::StringRef features);

} // namespace quartet::cpu
#endif
