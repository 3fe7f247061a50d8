// The passes that take micro-kernels and the loops around them from the func,
// scf, vector, arith and math dialects to the LLVM dialect.
#ifndef QUARTET_TARGETS_CPU_KERNELLOWERING_H
#define QUARTET_TARGETS_CPU_KERNELLOWERING_H

namespace mlir {
class DialectRegistry;
class OpPassManager;
} // namespace mlir

namespace quartet::cpu {

/// Adds the passes to \p pm, which runs on a module of functions without
/// memrefs and tensors. Afterwards it holds the LLVM dialect only.
void addKernelLoweringPasses(mlir::OpPassManager &pm);

/// The dialects that micro-kernels are written in.
void registerKernelDialects(mlir::DialectRegistry &registry);

} // namespace quartet::cpu
#endif
