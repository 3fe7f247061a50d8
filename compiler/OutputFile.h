// Files that the driver writes: checked before the work, complete when they
// appear.
#ifndef QUARTET_COMPILER_OUTPUTFILE_H
#define QUARTET_COMPILER_OUTPUTFILE_H
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace quartet {

/// Fails when \p name cannot become a file: it is a folder, its folder is
/// missing or read-only, or it would replace one of \p inputs, from which the
/// build reads.
llvm::Error checkOutput(llvm::StringRef name,
                        llvm::ArrayRef<std::string> inputs);

/// Writes \p bytes under a temporary name and renames it; "-" is standard
/// output.
llvm::Error writeOutput(llvm::StringRef name, llvm::StringRef bytes);

} // namespace quartet
#endif
