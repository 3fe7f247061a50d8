// What bench measured, and how it reads as text and as JSON.
#ifndef QUARTET_RUNTIME_APP_BENCHREPORT_H
#define QUARTET_RUNTIME_APP_BENCHREPORT_H
#include "runtime/src/device/MatrixPeak.h"
#include "runtime/src/engine/StepCost.h"
#include <string>
#include <vector>

namespace quartet::rt {

/// Of several repetitions.
struct Spread {
  double median = 0, least = 0, most = 0;
};

/// \p values: at least one.
Spread spreadOf(std::vector<double> values);

struct PrefillResult {
  int64_t tokens = 0;
  Spread seconds, deviceSeconds; ///< the latter by the device's clock
  std::optional<StepCost> cost;  ///< of the whole prompt
};

struct DecodeResult {
  int64_t batch = 0, context = 0;
  Spread secondsPerStep, deviceSecondsPerStep;
  std::optional<StepCost> cost; ///< of one step
};

struct BenchReport {
  std::string model, quantization, cpu, program, features;
  DeviceInfo device;        ///< kind 0: the CPU
  int64_t threads = 0;      ///< workers; of a device, its blocks
  uint64_t deviceBytes = 0; ///< of its memory that are in use
  bool pinned = false;
  bool synthetic = false; ///< weights were made up
  uint64_t seed = 0;
  double fillSeconds = 0; ///< making them up; in no other figure
  /// From the program's start until it can run a step, and until it had the
  /// first token after a prompt of 16.
  double loadSeconds = 0, firstTokenSeconds = 0;
  Spread shortPromptSeconds; ///< the same prompt again, without loading
  std::vector<PrefillResult> prefill;
  std::vector<DecodeResult> decode;
  uint64_t weightsBytes = 0;
  /// Most memory that was resident, and the part of it that is weights.
  uint64_t peakBytes = 0, residentWeightsBytes = 0;
  double readBandwidth = 0;    ///< bytes per second; of a device, of copies
  MatrixPeaks peaks;           ///< of a device
  uint64_t bandwidthBytes = 0; ///< of the memory it was measured with
};

/// What printf would print, cut to 255 characters.
__attribute__((format(printf, 1, 2))) std::string print(const char *format,
                                                        ...);

std::string benchText(const BenchReport &report);
std::string benchJson(const BenchReport &report);

} // namespace quartet::rt
#endif
