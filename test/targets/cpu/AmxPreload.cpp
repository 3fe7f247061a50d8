// A library for LD_PRELOAD: the program that it comes into can execute AMX code
// on a machine without AMX.
#include "test/targets/cpu/AmxEmulator.h"
#include <cstdio>
#include <cstdlib>

using namespace quartet::test;

__attribute__((constructor)) static void begin() { enableAmx(); }

/// The count goes to the error output when AMX_EMULATOR_COUNT is set.
__attribute__((destructor)) static void end() {
  if (std::getenv("AMX_EMULATOR_COUNT"))
    std::fprintf(stderr, "AMX emulator: %lld instructions\n",
                 static_cast<long long>(emulatedAmxInstructions()));
}
