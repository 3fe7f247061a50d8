// The pass that turns a tile.program into functions for one kind of CPU.
#ifndef QUARTET_TARGETS_CPU_TILETOCPU_H
#define QUARTET_TARGETS_CPU_TILETOCPU_H
#include "targets/cpu/Isa.h"
#include <memory>
#include <string>

namespace mlir {
class Pass;
}

namespace quartet::cpu {

/// What the pass compiles for; the same texts as in Capabilities.
struct CpuOptions {
  std::string target; ///< name in the program table, "x86-64-v4"
  std::string triple, cpu, features;
};

/// tile-to-cpu: lowers every tile.step to a function of worker threads, with
/// the micro-kernels that it calls, and adds the program table of the runtime's
/// ABI. Afterwards the module holds func, scf, arith, math, vector and llvm.
std::unique_ptr<mlir::Pass> createTileToCpu(CpuOptions options);

/// Makes -tile-to-cpu known to quartet-opt.
void registerTileToCpu();

} // namespace quartet::cpu
#endif
