// How fast this machine reads memory: the bound of generation token by token,
// measured with the same threads in the same run.
#ifndef QUARTET_RUNTIME_DEVICE_BANDWIDTH_H
#define QUARTET_RUNTIME_DEVICE_BANDWIDTH_H
#include "runtime/src/device/Team.h"
#include <cstdint>

namespace quartet::rt {

/// Bytes per second with which \p team reads [data, data + bytes) once from
/// start to end, each worker its part: the best of \p rounds. \p bytes should
/// be far larger than the caches.
double measureReadBandwidth(Team &team, const void *data, uint64_t bytes,
                            int rounds);

} // namespace quartet::rt
#endif
