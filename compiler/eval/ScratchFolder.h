// A folder for large files that must not outlive the work, however it ends.
#ifndef QUARTET_COMPILER_EVAL_SCRATCHFOLDER_H
#define QUARTET_COMPILER_EVAL_SCRATCHFOLDER_H
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace quartet {

/// Makes a new folder in \p parent (empty: the system's folder for temporary
/// files) and runs \p work with its path in a process of its own; removes the
/// folder when that process ends: by itself, by Ctrl-C or by a crash.
/// \returns what \p work returned. Must be called before there are threads.
/// When a signal ends the work, it ends this process, too, after the cleanup.
llvm::Expected<int>
withScratchFolder(llvm::StringRef parent,
                  llvm::function_ref<int(llvm::StringRef folder)> work);

} // namespace quartet
#endif
