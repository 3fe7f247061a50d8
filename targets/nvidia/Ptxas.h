// NVIDIA's assembler, a program of its own: PTX in, machine code for one chip
// out.
#ifndef QUARTET_TARGETS_NVIDIA_PTXAS_H
#define QUARTET_TARGETS_NVIDIA_PTXAS_H
#include "targets/gpu/KernelReport.h"
#include "llvm/Support/Error.h"

namespace quartet::gpu {

/// The program's path: \p wanted where that is not empty, else what stands in
/// $PATH or in /usr/local/cuda/bin; empty when there is none, or "none" is
/// wanted. A wanted one that cannot be run is an error.
llvm::Expected<std::string> findPtxas(llvm::StringRef wanted);

struct Assembled {
  std::string cubin;
  std::vector<KernelReport> kernels; ///< without the dynamic shared memory
};

/// Assembles \p ptx for \p chip ("sm_90a"). An error has what the program
/// said, and names the kernel that it spoke of.
llvm::Expected<Assembled> runPtxas(const std::string &program,
                                   llvm::StringRef ptx, llvm::StringRef chip);

/// What `ptxas -v` says about each kernel: all but the size of the code.
std::vector<KernelReport> parsePtxasReport(llvm::StringRef text);

/// The kernel of \p ptx that line \p number (from 1) is in; empty: none.
llvm::StringRef kernelOfLine(llvm::StringRef ptx, size_t number);

} // namespace quartet::gpu
#endif
