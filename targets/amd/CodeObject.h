// What an AMD code object says about its kernels.
#ifndef QUARTET_TARGETS_AMD_CODEOBJECT_H
#define QUARTET_TARGETS_AMD_CODEOBJECT_H
#include "targets/gpu/KernelReport.h"
#include "llvm/Support/Error.h"

namespace quartet::gpu {

/// The kernels of \p hsaco by the metadata note, and the sizes of their code by
/// the symbol table; without the dynamic shared memory.
llvm::Expected<std::vector<KernelReport>> readCodeObject(llvm::StringRef hsaco);

} // namespace quartet::gpu
#endif
