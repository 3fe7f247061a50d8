// Rounds are added until a run takes long enough to be timed.
#include "runtime/src/device/MatrixPeak.h"
#include <algorithm>
#include <vector>

namespace quartet::rt {

namespace {
struct Memory {
  Device &device;
  DeviceAddress address = 0;
  ~Memory() { device.release(address); }
};
} // namespace

static bool measure(Device &device, const quartet_launch &kernel, double &rate,
                    std::string *error) {
  constexpr double longEnough = 2e-3; // seconds
  constexpr int64_t mostRounds = int64_t(1) << 20;
  constexpr int times = 5;
  rate = 0;
  std::vector<int64_t> done(size_t(device.workers()) * 2);
  uint64_t bytes = done.size() * sizeof(int64_t);
  Memory args{device}, results{device};
  if (!device.allocate("a peak's size", sizeof(quartet_peak),
                       DeviceAccess::ReadOnly, args.address, error) ||
      !device.allocate("a peak's result", bytes, DeviceAccess::ReadWrite,
                       results.address, error) ||
      !device.fillZero(results.address, bytes, error))
    return false;
  DeviceStep what;
  what.launches = &kernel;
  what.count = 1;
  what.workers = device.workers();
  what.args = args.address;
  int64_t step = device.prepare(what, error);
  if (step < 0)
    return false;
  quartet_peak peak = {256, static_cast<int64_t *>(asPointer(results.address))};
  for (int i = 0; i != times;) {
    double seconds = 0;
    if (!device.upload(args.address, &peak, sizeof(peak), error) ||
        !device.record(0, error) || !device.run(step, error) ||
        !device.record(1, error) ||
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
