// How fast a device moves its own memory: the bound of generation token by
// token there, measured in the same run.
#ifndef QUARTET_RUNTIME_DEVICE_COPYBANDWIDTH_H
#define QUARTET_RUNTIME_DEVICE_COPYBANDWIDTH_H
#include "runtime/src/device/Device.h"

namespace quartet::rt {

/// Bytes per second, read and written ones, of a copy of up to 1 GiB on
/// \p device by its own clock: the best of several. Uses events 0 and 1.
bool measureCopyBandwidth(Device &device, double &bytesPerSecond,
                          std::string *error);

} // namespace quartet::rt
#endif
