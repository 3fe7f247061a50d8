// How a weight is made up for measurements without a file: of the size and in
// the format that the manifest says, small enough that nothing overflows.
#ifndef QUARTET_RUNTIME_ENGINE_WEIGHTFILL_H
#define QUARTET_RUNTIME_ENGINE_WEIGHTFILL_H
#include "quartet/abi.h"
#include "runtime/src/engine/Manifest.h"

namespace quartet::rt {

/// What \p weight gets with \p seed, without its place: floats of magnitude
/// 1/64 to 1/32 with random signs, quantized matrices of about the same size.
quartet_fill weightFill(const WeightInfo &weight, uint64_t seed);

/// Writes bytes [begin, end) of the weight to \p out, the same as the kernel
/// quartet_device.fill; \p begin is a multiple of 8.
void fillWeight(const quartet_fill &fill, int64_t begin, int64_t end,
                uint8_t *out);

} // namespace quartet::rt
#endif
