// Random weights in memory for measurements without a weight file: of the
// sizes and in the formats of the manifest, small enough that nothing
// overflows.
#ifndef QUARTET_RUNTIME_ENGINE_SYNTHETICWEIGHTS_H
#define QUARTET_RUNTIME_ENGINE_SYNTHETICWEIGHTS_H
#include "runtime/src/device/Memory.h"
#include "runtime/src/device/Team.h"
#include "runtime/src/engine/Manifest.h"
#include <memory>
#include <string>
#include <vector>

namespace quartet::rt {

/// Weights are filled in parts that begin at multiples of this many bytes, each
/// a pure function of the weight, the seed and its place.
uint64_t syntheticPartBytes(const WeightInfo &weight);
/// Writes bytes [begin, end) of \p weight to \p out, on \p team; \p begin is a
/// multiple of syntheticPartBytes, \p end another one or the weight's end.
void fillSynthetic(const WeightInfo &weight, uint64_t seed, uint64_t begin,
                   uint64_t end, uint8_t *out, Team &team);

class SyntheticWeights {
public:
  /// Fills memory for all weights of \p manifest on \p team: floats of
  /// magnitude 1/64 to 1/32 with random signs, quantized matrices of about the
  /// same size. Pure function of the manifest and \p seed. Null when there is
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
