// Runs a step's schedule with a few workers in a random order, and watches
// every element of memory. Knows nothing of the passes' analysis: it follows
// the descriptions of the ops, element by element.
#ifndef QUARTET_TEST_PASSES_TILE_SCHEDULESIMULATOR_H
#define QUARTET_TEST_PASSES_TILE_SCHEDULESIMULATOR_H
#include "dialects/Tile/TileOps.h"
#include <string>

namespace quartet::tile {

/// Runs \p step once with 3 workers, choices drawn from \p seed. Returns what
/// went wrong: a worker that waits for ever, two workers at one element
/// without order, a read of what was never written or what another buffer
/// overwrote, a row of weights read not exactly once. Empty: nothing.
std::string simulate(StepOp step, unsigned seed);

/// Most bytes of local values that a worker holds at once.
int64_t simulateLocalBytes(StepOp step);

} // namespace quartet::tile
#endif
