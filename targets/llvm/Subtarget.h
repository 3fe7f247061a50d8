// LLVM's description of one CPU: which features it has.
#ifndef QUARTET_TARGETS_LLVM_SUBTARGET_H
#define QUARTET_TARGETS_LLVM_SUBTARGET_H
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/Support/Error.h"
#include <memory>

namespace quartet {

/// The CPU \p cpu ("znver5", "x86-64-v4", ...) of \p triple with \p features
/// ("+a,-b") added and taken away. A triple without a code generator is an
/// error.
llvm::Expected<std::unique_ptr<llvm::MCSubtargetInfo>>
subtargetOf(llvm::StringRef triple, llvm::StringRef cpu,
            llvm::StringRef features);

} // namespace quartet
#endif
