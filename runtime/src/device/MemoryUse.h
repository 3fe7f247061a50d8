// How much memory this process has in use, as the system counts it.
#ifndef QUARTET_RUNTIME_DEVICE_MEMORYUSE_H
#define QUARTET_RUNTIME_DEVICE_MEMORYUSE_H
#include <cstdint>

namespace quartet::rt {

/// Most bytes of this process that were in memory at once; 0 when unknown.
uint64_t peakResidentBytes();
/// Bytes in memory now of the mappings that [data, data + bytes) touches.
uint64_t residentBytes(const void *data, uint64_t bytes);
/// Bytes of memory that this machine has.
uint64_t physicalBytes();
/// Bytes that could be allocated without swapping; 0 when unknown.
uint64_t availableBytes();

} // namespace quartet::rt
#endif
