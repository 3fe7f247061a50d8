// What code that gpu-to-emulator made calls, for a JIT: the emulator's own
// symbols are hidden, so that no search of the process finds them.
#ifndef QUARTET_TEST_TARGETS_GPU_EMULATORSYMBOLS_H
#define QUARTET_TEST_TARGETS_GPU_EMULATORSYMBOLS_H
#include "llvm/ExecutionEngine/Orc/LLJIT.h"

namespace quartet::test {

/// The functions of quartet/emulator.h by the names that \p jit's code has.
llvm::orc::SymbolMap emulatorSymbols(llvm::orc::LLJIT &jit);

} // namespace quartet::test
#endif
