// lld, in this process.
#ifndef QUARTET_TARGETS_LLVM_LINKER_H
#define QUARTET_TARGETS_LLVM_LINKER_H
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace quartet {

/// Runs ld.lld with \p arguments. An error has what it said.
llvm::Error runLinker(llvm::ArrayRef<std::string> arguments);

} // namespace quartet
#endif
