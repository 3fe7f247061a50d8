// A step whose kernels also write when each block ran each phase.
#ifndef QUARTET_RUNTIME_ENGINE_STAMPEDSTEP_H
#define QUARTET_RUNTIME_ENGINE_STAMPEDSTEP_H
#include "runtime/src/device/LoneKernel.h"

namespace quartet::rt {

/// When the blocks of a device ran the phases of a step, by its clock.
struct StepTimes {
  /// Seconds since the first block began.
  struct Work {
    double begin = 0;
    double ready = 0; ///< what it waited for was there
    double end = 0;   ///< its last warp was done
  };
  std::vector<quartet_span> spans; ///< in order
  int64_t workers = 0;
  std::vector<Work> work; ///< [spans, workers]

  const Work &at(size_t span, int64_t worker) const {
    return work[span * size_t(workers) + size_t(worker)];
  }
  /// When all blocks were done with each span and those before it.
  std::vector<double> ends() const;
};

class StampedStep {
public:
  /// \p device must outlive it, and \p program, which has \p bucket, both.
  StampedStep(Device &device, const quartet_device &program,
              const quartet_bucket &bucket);

  /// Gets memory and makes the step, whose kernels read \p args.
  bool prepare(DeviceAddress args, std::string *error);
  /// Queued: forgets earlier stamps.
  bool clear(std::string *error) {
    return device.fillZero(memory.address, words.size() * sizeof(int64_t),
                           error);
  }
  /// Queued: runs it.
  bool run(std::string *error) { return device.run(step, error); }
  /// Queued: gets the stamps.
  bool download(std::string *error) {
    return device.download(words.data(), memory.address,
                           words.size() * sizeof(int64_t), error);
  }
  /// What the stamps say that have arrived. False when some are missing.
  bool read(StepTimes &times, std::string *error) const;

private:
  Device &device;
  const quartet_device &program;
  const quartet_bucket &bucket;
  std::vector<quartet_span> spans;
  size_t stampsOfBlock = 0;
  OwnedMemory memory;
  std::vector<int64_t> words; ///< [spans, workers, stampsOfBlock]
  int64_t step = -1;
};

} // namespace quartet::rt
#endif
