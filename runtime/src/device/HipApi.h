// The part of AMD's HIP interface that the runtime uses, declared here so that
// neither headers nor libraries of AMD are needed to build it. Checked against
// the real header, where it is installed, by
// test/runtime/device/HipApiTest.cpp. Results and enums are ints.
#ifndef QUARTET_RUNTIME_DEVICE_HIPAPI_H
#define QUARTET_RUNTIME_DEVICE_HIPAPI_H
#include "runtime/src/device/DriverApi.h"
#include <cstddef>
#include <cstdint>

namespace quartet::rt::hip {
using namespace driver;

using Pointer = void *; ///< into the device's memory

enum CaptureMode : int { CaptureThreadLocal = 1 };

/// hipDeviceProp_tR0600, of which we read these fields.
struct Properties {
  char name[256];
  char before[32];
  size_t bytes; ///< at 288
  char between[92];
  int units; ///< at 388
  char middle[768];
  char arch[256];        ///< at 1160: "gfx942:sramecc+:xnack-"
  char behind[56 + 512]; ///< and room for what newer versions append
};
constexpr size_t propertiesSize = 1472; ///< of the fields that there are

// X(member, symbol, parameters): functions that return a Result.
#define QUARTET_HIP_FUNCTIONS(X)                                               \
  X(init, hipInit, (unsigned))                                                 \
  X(runtimeVersion, hipRuntimeGetVersion, (int *))                             \
  X(deviceCount, hipGetDeviceCount, (int *))                                   \
  X(properties, hipGetDevicePropertiesR0600, (Properties *, int))              \
  X(setDevice, hipSetDevice, (int))                                            \
  X(memoryInfo, hipMemGetInfo, (size_t *, size_t *))                           \
  X(allocate, hipMalloc, (Pointer *, size_t))                                  \
  X(release, hipFree, (Pointer))                                               \
  X(allocateHost, hipHostMalloc, (void **, size_t, unsigned))                  \
  X(releaseHost, hipHostFree, (void *))                                        \
  X(upload, hipMemcpyHtoDAsync, (Pointer, const void *, size_t, Stream))       \
  X(download, hipMemcpyDtoHAsync, (void *, Pointer, size_t, Stream))           \
  X(copy, hipMemcpyDtoDAsync, (Pointer, Pointer, size_t, Stream))              \
  X(fill, hipMemsetAsync, (Pointer, int, size_t, Stream))                      \
  X(createStream, hipStreamCreateWithFlags, (Stream *, unsigned))              \
  X(destroyStream, hipStreamDestroy, (Stream))                                 \
  X(synchronize, hipStreamSynchronize, (Stream))                               \
  X(createEvent, hipEventCreateWithFlags, (Event *, unsigned))                 \
  X(destroyEvent, hipEventDestroy, (Event))                                    \
  X(record, hipEventRecord, (Event, Stream))                                   \
  X(await, hipEventSynchronize, (Event))                                       \
  X(elapsed, hipEventElapsedTime, (float *, Event, Event))                     \
  X(loadModule, hipModuleLoadData, (Module *, const void *))                   \
  X(unloadModule, hipModuleUnload, (Module))                                   \
  X(getFunction, hipModuleGetFunction, (Function *, Module, const char *))     \
  X(occupancy, hipModuleOccupancyMaxActiveBlocksPerMultiprocessor,             \
    (int *, Function, int, size_t))                                            \
  X(launch, hipModuleLaunchKernel,                                             \
    (Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,     \
     unsigned, Stream, void **, void **))                                      \
  X(launchCooperative, hipModuleLaunchCooperativeKernel,                       \
    (Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,     \
     unsigned, Stream, void **))                                               \
  X(beginCapture, hipStreamBeginCapture, (Stream, int))                        \
  X(endCapture, hipStreamEndCapture, (Stream, Graph *))                        \
  X(destroyGraph, hipGraphDestroy, (Graph))                                    \
  X(instantiate, hipGraphInstantiateWithFlags,                                 \
    (GraphExec *, Graph, unsigned long long))                                  \
  X(destroyExec, hipGraphExecDestroy, (GraphExec))                             \
  X(launchGraph, hipGraphLaunch, (GraphExec, Stream))

/// The library's functions.
struct Api {
  const char *(*errorName)(int) = nullptr;   ///< hipGetErrorName
  const char *(*errorString)(int) = nullptr; ///< hipGetErrorString
#define QUARTET_MEMBER(member, symbol, parameters)                             \
  int(*member) parameters = nullptr;
  QUARTET_HIP_FUNCTIONS(QUARTET_MEMBER)
#undef QUARTET_MEMBER
};

} // namespace quartet::rt::hip
#endif
