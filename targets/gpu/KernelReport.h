// What a compiled kernel takes of its GPU, and how many blocks fit then.
#ifndef QUARTET_TARGETS_GPU_KERNELREPORT_H
#define QUARTET_TARGETS_GPU_KERNELREPORT_H
#include "targets/gpu/GpuFacts.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/raw_ostream.h"
#include <vector>

namespace quartet::gpu {

/// Sizes in bytes; stack and spills are a thread's.
struct KernelReport {
  std::string kernel;
  /// Of a thread (a lane), 32 bits each; with those of the matrix unit.
  int64_t registers = 0;
  int64_t staticShared = 0;  ///< by the compiler
  int64_t dynamicShared = 0; ///< asked for at the launch
  int64_t stackBytes = 0;    ///< spills and arrays in device memory
  int64_t spillBytes = 0;    ///< registers that did not fit
  int64_t codeBytes = 0;
  int64_t plannedBlocks = 0; ///< of a unit; 0: as the program's others
  /// What the functions that it calls spill, which spillBytes does not count.
  struct Phase {
    std::string name;
    int64_t spillBytes = 0;
  };
  std::vector<Phase> phases;
  std::string advice; ///< what the assembler says of its speed, if anything
};

/// How many blocks of the kernel a unit holds at once: the least that its
/// threads, registers and shared memory allow.
int64_t residentBlocks(const GpuFacts &facts, const KernelReport &report);

/// A line for each kernel or phase that spills registers, for each kernel of
/// which fewer blocks fit in a unit than the program counts on, and for each
/// advice.
std::vector<std::string> kernelWarnings(const GpuFacts &facts,
                                        llvm::ArrayRef<KernelReport> reports);

/// A table, one line for each kernel.
void printKernels(const GpuFacts &facts, llvm::ArrayRef<KernelReport> reports,
                  llvm::raw_ostream &out);

} // namespace quartet::gpu
#endif
