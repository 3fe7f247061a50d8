// LLVM's optimiser as Quartet uses it, in builds and in tests.
#ifndef QUARTET_TARGETS_LLVM_OPTIMIZE_H
#define QUARTET_TARGETS_LLVM_OPTIMIZE_H
#include "llvm/Passes/OptimizationLevel.h"

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace quartet {

/// Runs the default pipeline of \p level on \p module for \p machine.
void optimize(llvm::Module &module, llvm::TargetMachine &machine,
              llvm::OptimizationLevel level = llvm::OptimizationLevel::O3);

} // namespace quartet
#endif
