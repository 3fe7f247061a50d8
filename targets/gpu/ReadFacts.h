// A GPU's part of a chip's description.
#ifndef QUARTET_TARGETS_GPU_READFACTS_H
#define QUARTET_TARGETS_GPU_READFACTS_H
#include "targets/ChipFields.h"

namespace quartet::gpu {

/// The descriptions' words for the values of CopyEngine.
inline constexpr llvm::StringRef kCopyEngines[] = {"none", "cp_async", "bulk"};

/// Fills \p chip.gpu, the matrix units and the capabilities from \p fields,
/// whose name and about have been read.
void readFacts(ChipFields &fields, Vendor vendor, Chip &chip);

} // namespace quartet::gpu
#endif
