// How the lanes of a warp meet to do something together.
#ifndef QUARTET_RUNTIME_EMULATOR_MEET_H
#define QUARTET_RUNTIME_EMULATOR_MEET_H
#include "runtime/src/emulator/Machine.h"

namespace quartet::emu {

/// What lanes do together; in the low byte of a meeting's kind, whose other
/// bits are what they must agree on.
enum class Together : uint32_t {
  WarpBarrier = 1,
  ShuffleXor,
  ShuffleIndex,
  Ballot,
  Matrix,
  LoadMatrix,
  GroupMatrix
};
inline uint32_t meetingKind(Together what, uint32_t detail = 0) {
  return uint32_t(what) | detail << 8;
}

/// All lanes of \p thread's warp.
inline uint64_t wholeWarp(const Thread &thread) { return thread.warp->lanes; }
inline uint32_t laneCount(const Thread &thread) {
  return uint32_t(__builtin_popcountll(thread.warp->lanes));
}

/// \p thread, whose operands are set, comes to the meeting of the lanes \p
/// mask. True for the last one, who does the work for all and then calls
/// release; false for the others, when that has happened. Reports divergence.
bool meet(Thread &thread, uint64_t mask, uint32_t kind, const char *site);
/// Lets the lanes \p mask go on; the caller is one of them.
void release(Thread &thread, uint64_t mask);

/// Lane \p lane of the warp of \p thread.
inline Thread &laneOf(Thread &thread, uint32_t lane) {
  return thread.block->threads[thread.warp->first + lane];
}

} // namespace quartet::emu
#endif
