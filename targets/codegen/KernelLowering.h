// The passes that take micro-kernels and the loops around them, of CPUs and
// GPUs alike, from the func, scf, vector, arith and math dialects to the LLVM
// dialect.
#ifndef QUARTET_TARGETS_CODEGEN_KERNELLOWERING_H
#define QUARTET_TARGETS_CODEGEN_KERNELLOWERING_H

namespace mlir {
class DialectRegistry;
class OpPassManager;
} // namespace mlir

namespace quartet {

/// Adds the passes to \p pm, which runs on a module of functions without
/// memrefs and tensors. Afterwards it holds the LLVM dialect, and ops of the
/// gpu dialect as they were; the indices that those give are casts from index
/// then, which the vendor's pass takes away. \p expandArith: bf16 and the
/// greater of two become operations that every CPU has; GPUs have instructions
/// for them.
void addKernelLoweringPasses(mlir::OpPassManager &pm, bool expandArith);

/// The dialects that micro-kernels are written in.
void registerKernelDialects(mlir::DialectRegistry &registry);

} // namespace quartet
#endif
