// How every command of quartetc ends.
#ifndef QUARTET_COMPILER_TOOLS_REPORT_H
#define QUARTET_COMPILER_TOOLS_REPORT_H
#include "llvm/Support/Error.h"

namespace quartet {

/// Prints \p error, or that standard output could not be written, to standard
/// error. \returns the exit code: 0, or 1.
int report(llvm::Error error);

} // namespace quartet
#endif
