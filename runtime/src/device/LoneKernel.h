// A kernel that is no part of a step, with arguments of its own: it fills
// weights, or is measured.
#ifndef QUARTET_RUNTIME_DEVICE_LONEKERNEL_H
#define QUARTET_RUNTIME_DEVICE_LONEKERNEL_H
#include "runtime/src/device/Device.h"

namespace quartet::rt {

/// Memory of a device that is given back at the end. The device must outlive
/// it.
struct OwnedMemory {
  explicit OwnedMemory(Device &device) : device(device) {}
  OwnedMemory(const OwnedMemory &) = delete;
  OwnedMemory &operator=(const OwnedMemory &) = delete;
  ~OwnedMemory() { device.release(address); }

  Device &device;
  DeviceAddress address = 0;
};

class LoneKernel {
public:
  explicit LoneKernel(Device &device) : device(device), args(device) {}

  /// \p kernel reads \p bytes bytes of arguments, \p name in messages, and must
  /// outlive the device.
  bool prepare(const quartet_launch &kernel, const std::string &name,
               uint64_t bytes, std::string *error);
  /// Queued: all workers run it once with what was given last.
  bool run(std::string *error) { return device.run(step, error); }
  /// Queued: \p arguments, of the size that prepare was told.
  bool give(const void *arguments, std::string *error) {
    return device.upload(args.address, arguments, argumentBytes, error);
  }

private:
  Device &device;
  OwnedMemory args;
  uint64_t argumentBytes = 0;
  int64_t step = -1;
};

} // namespace quartet::rt
#endif
