// What the driver interfaces of NVIDIA and AMD have in common, since the latter
// follows the former: handles and the results that we tell apart.
#ifndef QUARTET_RUNTIME_DEVICE_DRIVERAPI_H
#define QUARTET_RUNTIME_DEVICE_DRIVERAPI_H

namespace quartet::rt::driver {

using Module = struct OpaqueModule *;
using Function = struct OpaqueFunction *;
using Stream = struct OpaqueStream *;
using Event = struct OpaqueEvent *;
using Graph = struct OpaqueGraph *;
using GraphExec = struct OpaqueGraphExec *;

enum Result : int {
  Success = 0,
  OutOfMemory = 2,
  NoDevice = 100,
};

} // namespace quartet::rt::driver
#endif
