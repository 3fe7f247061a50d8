// Links object files with the prebuilt runtime into a standalone executable,
// with lld inside this process: no compiler or linker is needed on the machine.
#ifndef QUARTET_COMPILER_LINK_H
#define QUARTET_COMPILER_LINK_H
#include "targets/Target.h"

namespace quartet {

/// The folder with the runtime and the C library's start-up files for
/// \p facts: lib/quartet/<arch>-linux-gnu beside the compiler's bin folder,
/// which must have the emulator if \p emulator. An error names the folder and
/// says which target builds it.
llvm::Expected<std::string> findRuntimeKit(const Capabilities &facts,
                                           bool emulator);

struct LinkInput {
  const Capabilities &facts;        ///< of the machine that it starts on
  std::string kit;                  ///< findRuntimeKit's
  std::vector<std::string> objects; ///< contents of object files
  bool emulator = false;            ///< whether they call quartet/emulator.h
};

/// Links \p input into \p output, through a temporary name in the same folder.
/// docs/linking.md explains the command line.
llvm::Error linkExecutable(const LinkInput &input, llvm::StringRef output);

} // namespace quartet
#endif
