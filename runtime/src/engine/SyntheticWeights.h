// Random weights in memory, for measurements without a weight file.
#ifndef QUARTET_RUNTIME_ENGINE_SYNTHETICWEIGHTS_H
#define QUARTET_RUNTIME_ENGINE_SYNTHETICWEIGHTS_H
#include "runtime/src/device/Memory.h"
#include "runtime/src/device/Team.h"
#include "runtime/src/engine/Manifest.h"
#include <memory>
#include <string>
#include <vector>

namespace quartet::rt {

class SyntheticWeights {
public:
  /// Fills memory for all weights of \p manifest on \p team, as WeightFill.h
  /// has them. Pure function of the manifest and \p seed. Null when there is
  /// not enough memory.
  static std::unique_ptr<SyntheticWeights> create(const Manifest &manifest,
                                                  uint64_t seed, Team &team,
                                                  std::string *error);

  /// Base pointers in the manifest's order: quartet_step_args.weights.
  void *const *pointers() const { return bases.data(); }
  const uint8_t *data() const { return memory.data(); }
  uint64_t bytes() const { return memory.size(); }

private:
  SyntheticWeights() = default;
  Memory memory;
  std::vector<void *> bases;
};

} // namespace quartet::rt
#endif
