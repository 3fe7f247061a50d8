// Two buffers and the device's events.
#include "runtime/src/device/CopyBandwidth.h"
#include <algorithm>

namespace quartet::rt {

bool measureCopyBandwidth(Device &device, double &bytesPerSecond,
                          std::string *error) {
  constexpr uint64_t most = uint64_t(1) << 30, least = uint64_t(1) << 12;
  constexpr int rounds = 7;
  bytesPerSecond = 0;
  // A quarter of what is free, for the two of them and for others.
  uint64_t bytes = std::min(most, device.freeBytes() / 4);
  if (device.info().kind == QUARTET_DEVICE_EMULATOR)
    bytes = std::min(bytes, uint64_t(1) << 24);
  if (bytes < least)
    return true;
  DeviceAddress buffers[2] = {0, 0};
  bool good = true;
  for (DeviceAddress &buffer : buffers)
    good = good && device.allocate("a copy", bytes, DeviceAccess::ReadWrite,
                                   buffer, error);
  good = good && device.fillZero(buffers[0], bytes, error);
  for (int round = 0; good && round != rounds; ++round) {
    double seconds = 0;
    good = device.record(0, error) &&
           device.copy(buffers[1], buffers[0], bytes, error) &&
           device.record(1, error) && device.seconds(0, 1, seconds, error);
    if (good && seconds > 0)
      bytesPerSecond = std::max(bytesPerSecond, 2 * double(bytes) / seconds);
  }
  for (DeviceAddress buffer : buffers)
    device.release(buffer);
  return good;
}

} // namespace quartet::rt
