// Links object files with the prebuilt runtime into a standalone executable,
// with lld inside this process: no compiler or linker is needed on the machine.
#ifndef QUARTET_COMPILER_LINK_H
#define QUARTET_COMPILER_LINK_H
#include "targets/Target.h"

namespace quartet {

/// The folder with the runtime and the C library's start-up files for
/// \p facts: lib/quartet/<arch>-linux-gnu beside the compiler's bin folder. An
/// error names the folder and says which target builds it.
llvm::Expected<std::string> findRuntimeKit(const Capabilities &facts);

/// Links \p objects (contents of object files) into \p output, through a
/// temporary name in the same folder. docs/linking.md explains the command
/// line.
llvm::Error linkExecutable(const Capabilities &facts, llvm::StringRef kit,
                           const std::vector<std::string> &objects,
                           llvm::StringRef output);

} // namespace quartet
#endif
