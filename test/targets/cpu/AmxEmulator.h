// Runs the tile instructions of AMX on machines that have none: they raise
// SIGILL, and a handler does on plain memory what Intel's manual says of them.
// What runs is the code that ships, registers, addresses and all.
#ifndef QUARTET_TEST_CPU_AMXEMULATOR_H
#define QUARTET_TEST_CPU_AMXEMULATOR_H
#include <cstdint>

namespace quartet::test {

enum class Amx {
  Absent,   ///< not x86-64 Linux, no FMA, or the system refuses the registers
  Native,   ///< this machine's own
  Emulated, ///< every instruction traps
};

/// Makes AMX-TILE, AMX-INT8 and AMX-BF16 usable in this process, and says how.
/// Where they are emulated, an instruction that a CPU would refuse (sizes that
/// do not fit, no configuration) ends the program with a message.
Amx enableAmx();

/// Instructions emulated so far, of all threads; 0 on machines with AMX.
int64_t emulatedAmxInstructions();

} // namespace quartet::test
#endif
