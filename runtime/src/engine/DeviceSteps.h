// Steps of a program on a device: its activations, its results, and the block
// of arguments that goes there in one copy per step.
#ifndef QUARTET_RUNTIME_ENGINE_DEVICESTEPS_H
#define QUARTET_RUNTIME_ENGINE_DEVICESTEPS_H
#include "runtime/src/engine/StampedStep.h"
#include <functional>
#include <map>

namespace quartet::rt {

/// What the caller needs back from a step beyond the tokens that it drew.
struct StepWish {
  bool logits = true;
  bool hidden = true; ///< with multi-token prediction
  /// Not null: kernels read the clock, and this gets when blocks ran phases.
  StepTimes *times = nullptr;
  /// Not empty: launches run one by one, and this is called with the number of
  /// each when the device has done it; where it returns false, the step fails.
  std::function<bool(int64_t launch, std::string *error)> afterLaunch;
};

/// A piece of a device's memory.
struct DeviceRegion {
  std::string name;
  DeviceAddress address = 0;
  uint64_t bytes = 0;
};

/// Sizes that all steps have in common.
struct StepSizes {
  int64_t slots = 1, tableWidth = 1;
  int64_t vocab = 1, hidden = 1;
  bool mtp = false;
};

/// Bytes of device memory that the steps of \p program need beside weights and
/// states, without the logits; INT64_MAX where they can't be counted.
int64_t deviceStepBytes(const quartet_program &program, const StepSizes &sizes,
                        int64_t workers);

class DeviceSteps {
public:
  /// \p weights and \p states are addresses on \p device, in the manifest's
  /// order. \p device and \p program must outlive the result; null on an error.
  static std::unique_ptr<DeviceSteps>
  create(Device &device, const quartet_program &program, const StepSizes &sizes,
         const std::vector<DeviceAddress> &weights,
         const std::vector<DeviceAddress> &states, std::string *error);
  ~DeviceSteps();
  DeviceSteps(const DeviceSteps &) = delete;
  DeviceSteps &operator=(const DeviceSteps &) = delete;

  /// Runs a step. \p args has the host's pointers: inputs are read from there,
  /// `sampled` and, where wanted, `logits` and `hidden_out` are written there;
  /// it has no weights, states, scratch, local and sync.
  bool run(const quartet_bucket &bucket, const quartet_step_args &args,
           const StepWish &wish, std::string *error);

  /// Adds what phases hand on and give back, with room for the logits of \p
  /// rows rows: what all blocks share, not what each has for itself.
  bool addRegions(int64_t rows, std::vector<DeviceRegion> &regions,
                  std::string *error);

  /// Seconds that the device was busy with the last step.
  bool lastSeconds(double &seconds, std::string *error);

private:
  DeviceSteps(Device &device, const quartet_program &program,
              const StepSizes &sizes)
      : device(device), program(program), sizes(sizes) {}
  bool allocate(const std::vector<DeviceAddress> &weights,
                const std::vector<DeviceAddress> &states, std::string *error);
  bool take(const char *name, uint64_t bytes, DeviceAccess access,
            DeviceAddress &address, std::string *error);
  bool growLogits(int64_t rows, std::string *error);
  bool prepare(std::string *error);
  bool uploadArgs(const quartet_step_args &args, std::string *error);
  bool uploadTable(const int32_t *table, std::string *error);
  bool launch(const quartet_bucket &bucket, const StepWish &wish,
              std::string *error);
  /// The step of \p bucket that leaves stamps; null on an error.
  StampedStep *stampedStep(const quartet_bucket &bucket, std::string *error);
  bool download(const quartet_step_args &args, const StepWish &wish,
                std::string *error);

  Device &device;
  const quartet_program &program;
  StepSizes sizes;
  std::map<const quartet_bucket *, int64_t> prepared;
  std::map<const quartet_bucket *, std::unique_ptr<StampedStep>> stamped;
  std::vector<DeviceAddress> owned;
  DeviceAddress block = 0, table = 0, weightList = 0, stateList = 0;
  DeviceAddress scratch = 0, local = 0, sync = 0, sampled = 0;
  DeviceAddress hiddenIn = 0, hiddenOut = 0;
  DeviceAddress logits = 0; ///< [logitRows, vocab], grows
  int64_t logitRows = 0;
  int64_t mostTokens = 0; ///< of a step
  uint64_t blockBytes = 0, syncBytes = 0, scratchBytes = 0;
  uint8_t *staged = nullptr;        ///< the block on the host
  int32_t *stagedTable = nullptr;   ///< what the device has as page table
  int32_t *stagedSampled = nullptr; ///< [mostTokens]
  bool tableThere = false;
};

} // namespace quartet::rt
#endif
