// Rounds are added until a run takes long enough to be timed.
#include "runtime/src/device/MatrixPeak.h"
#include "runtime/src/device/LoneKernel.h"
#include <algorithm>
#include <vector>

namespace quartet::rt {

static bool measure(Device &device, const quartet_launch &kernel, double &rate,
                    std::string *error) {
  constexpr double longEnough = 2e-3; // seconds
  constexpr int64_t mostRounds = int64_t(1) << 20;
  constexpr int times = 5;
  rate = 0;
  std::vector<int64_t> done(size_t(device.workers()) * 2);
  uint64_t bytes = done.size() * sizeof(int64_t);
  LoneKernel peakKernel(device);
  OwnedMemory results(device);
  if (!peakKernel.prepare(kernel, "a peak's size", sizeof(quartet_peak),
                          error) ||
      !device.allocate("a peak's result", bytes, DeviceAccess::ReadWrite,
                       results.address, error) ||
      !device.fillZero(results.address, bytes, error))
    return false;
  quartet_peak peak = {256, static_cast<int64_t *>(asPointer(results.address))};
  for (int i = 0; i != times;) {
    double seconds = 0;
    if (!peakKernel.give(&peak, error) || !device.record(0, error) ||
        !peakKernel.run(error) || !device.record(1, error) ||
        !device.download(done.data(), results.address, bytes, error) ||
        !device.synchronize(error) || !device.seconds(0, 1, seconds, error))
      return false;
    if (seconds < longEnough && peak.rounds < mostRounds) {
      peak.rounds *= 4;
      continue;
    }
    double operations = 0;
    for (size_t worker = 0; worker < done.size(); worker += 2)
      operations += double(done[worker]);
    if (seconds > 0)
      rate = std::max(rate, operations / seconds);
    ++i;
  }
  return true;
}

bool measureMatrixPeaks(Device &device, const quartet_device &program,
                        MatrixPeaks &peaks, std::string *error) {
  peaks = {};
  if (!program.peaks || device.info().kind == QUARTET_DEVICE_EMULATOR)
    return true;
  return measure(device, program.peaks[0], peaks.int8, error) &&
         measure(device, program.peaks[1], peaks.bf16, error);
}

} // namespace quartet::rt
