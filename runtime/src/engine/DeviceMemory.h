// How much memory of a device a model needs, and what to change when there is
// less.
#ifndef QUARTET_RUNTIME_ENGINE_DEVICEMEMORY_H
#define QUARTET_RUNTIME_ENGINE_DEVICEMEMORY_H
#include "runtime/src/engine/Engine.h"

namespace quartet::rt {

/// Bytes.
struct DeviceNeed {
  uint64_t weights = 0, slots = 0, pages = 0, steps = 0, logits = 0;
  uint64_t total() const { return weights + slots + pages + steps + logits; }
};

/// What Engine::create and DeviceWeights will allocate for \p options (context
/// and pages 0: as EngineOptions says) with \p workers workers; steps ask for
/// the logits of \p options.sequences rows.
DeviceNeed deviceNeed(const Manifest &manifest, const quartet_program &program,
                      const EngineOptions &options, int64_t workers);

/// Says how much is missing when \p free bytes are there, and which context or
/// quantization would fit; empty when it fits.
std::string whyNotMemory(const DeviceInfo &info, uint64_t free,
                         const Manifest &manifest,
                         const quartet_program &program,
                         const EngineOptions &options, int64_t workers);

/// 12345678901 as "12.3 GB".
std::string gigabytes(uint64_t bytes);

} // namespace quartet::rt
#endif
