// `quartetc targets`: what build can compile for, and the facts behind a name.
#ifndef QUARTET_COMPILER_LISTTARGETS_H
#define QUARTET_COMPILER_LISTTARGETS_H
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace quartet {

/// Writes a line for each target, or all facts of target \p name and (of
/// a CPU) the CPUs that --mcpu takes with it; \p json: the same as JSON, a list
/// or an object.
llvm::Error listTargets(llvm::StringRef name, bool json,
                        llvm::raw_ostream &out);

} // namespace quartet
#endif
