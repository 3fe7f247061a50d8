// Phases of a device against those of the emulator, launch by launch: the same
// kernels on the same memory, so that the first one that is wrong is known by
// its name.
#ifndef QUARTET_RUNTIME_APP_PHASETEST_H
#define QUARTET_RUNTIME_APP_PHASETEST_H
#include "runtime/src/engine/Engine.h"
#include <string>
#include <vector>

namespace quartet::rt {

/// How two pieces of memory differ, of which nobody knows the types: words that
/// are equal, close as f32 (or pairs of bf16), or whose bytes are neighbours,
/// as rounded integers are, agree.
struct MemoryDifference {
  int64_t words = 0;  ///< that the launch wrote, in either memory
  int64_t wrong = 0;  ///< that don't agree
  double largest = 0; ///< of those that agree as floats, to those around them
  int64_t first = -1; ///< byte of the first wrong word
  void add(const MemoryDifference &other);
};

/// Compares \p bytes (a multiple of 4) at \p found and \p expected, where they
/// differ from each other or \p expected from what was there \p before.
MemoryDifference compareMemory(const uint8_t *found, const uint8_t *expected,
                               const uint8_t *before, size_t bytes);

/// Whether the buckets of \p a and \p b launch the same phases, with the same
/// sizes of what they share.
bool samePhases(const quartet_program &a, const quartet_program &b);

class PhaseTest {
public:
  /// Engines of samePhases, made with the same options.
  PhaseTest(Engine &device, Engine &reference, const quartet_program &program)
      : device(device), reference(reference), program(program) {}

  /// Steps of one and of some sequences, and one for each larger bucket. False
  /// when a step could not be run.
  bool run(std::string *error);

  std::string table; ///< a line for each phase of each step
  bool passed = true;

private:
  struct Change {
    size_t region, begin;
    std::vector<uint8_t> bytes;
  };
  struct PhaseSum {
    std::string name;
    int64_t launches = 0;
    MemoryDifference difference;
    std::string where; ///< of the first wrong word
  };
  using Images = std::vector<std::vector<uint8_t>>; ///< of all regions

  bool runStep(const std::vector<StepPiece> &pieces, std::string *error);
  bool runReference(const std::vector<StepPiece> &pieces, std::string *error);
  bool compareLaunch(int64_t launch, const quartet_bucket &bucket,
                     std::string *error);
  void report(const std::vector<StepPiece> &pieces,
              const quartet_bucket &bucket);

  Engine &device, &reference;
  const quartet_program &program;
  std::vector<DeviceRegion> regions, referenceRegions;
  Images images;                            ///< what the reference has
  std::vector<std::vector<Change>> changes; ///< by launch
  std::vector<PhaseSum> sums;
};

} // namespace quartet::rt
#endif
