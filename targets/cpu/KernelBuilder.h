// The builder of the CPU's micro-kernels: knows which instructions there are.
#ifndef QUARTET_TARGETS_CPU_KERNELBUILDER_H
#define QUARTET_TARGETS_CPU_KERNELBUILDER_H
#include "targets/codegen/CodeBuilder.h"
#include "targets/cpu/Isa.h"

namespace quartet::cpu {

using quartet::V;

class KernelBuilder : public CodeBuilder {
public:
  KernelBuilder(mlir::ModuleOp module, mlir::Location loc, const Isa &isa)
      : CodeBuilder(module, loc), machine(isa) {}

  const Isa &machine;
};

} // namespace quartet::cpu
#endif
