// The part of NVIDIA's driver interface that the runtime uses, declared here so
// that neither headers nor libraries of NVIDIA are needed to build it. Checked
// against the real header by test/runtime/device/CudaApiTest.cpp. Results and
// enums are ints.
#ifndef QUARTET_RUNTIME_DEVICE_CUDAAPI_H
#define QUARTET_RUNTIME_DEVICE_CUDAAPI_H
#include "runtime/src/device/DriverApi.h"
#include <cstddef>
#include <cstdint>

namespace quartet::rt::cuda {
using namespace driver;

using Context = struct OpaqueContext *;
using GraphNode = struct OpaqueGraphNode *;
using Pointer = unsigned long long; ///< into the device's memory

enum DeviceAttribute : int {
  Multiprocessors = 16,
  SharedPerMultiprocessor = 81,
  MajorCapability = 75,
  MinorCapability = 76,
  CooperativeLaunch = 95,
};

enum FunctionAttribute : int { MaxDynamicShared = 8, SharedCarveout = 9 };

/// CUjit_option
enum JitOption : int { ErrorLog = 5, ErrorLogBytes = 6 };

enum LaunchAttributeId : int { Cooperative = 2, ProgrammaticSerialization = 6 };

/// CUlaunchAttribute; value is a union of up to 64 bytes.
struct LaunchAttribute {
  int id;
  int padding;
  union {
    char bytes[64];
    int number;
  } value;
};

/// CUlaunchConfig
struct LaunchConfig {
  unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes;
  Stream stream;
  LaunchAttribute *attributes;
  unsigned attributeCount;
};

/// CUDA_KERNEL_NODE_PARAMS_v2
struct KernelNode {
  Function function;
  unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes;
  void **parameters;
  void **extra;
  void *kernel;
  Context context;
};

/// CUgraphEdgeData; all zero: an ordinary edge.
struct EdgeData {
  unsigned char fromPort, toPort, type, reserved[5];
};
enum : unsigned char { ProgrammaticPort = 1, ProgrammaticEdge = 1 };

// X(member, symbol, parameters): functions that return a Result.
#define QUARTET_CUDA_FUNCTIONS(X)                                              \
  X(init, cuInit, (unsigned))                                                  \
  X(driverVersion, cuDriverGetVersion, (int *))                                \
  X(errorName, cuGetErrorName, (int, const char **))                           \
  X(errorString, cuGetErrorString, (int, const char **))                       \
  X(deviceCount, cuDeviceGetCount, (int *))                                    \
  X(deviceGet, cuDeviceGet, (int *, int))                                      \
  X(deviceName, cuDeviceGetName, (char *, int, int))                           \
  X(deviceBytes, cuDeviceTotalMem_v2, (size_t *, int))                         \
  X(deviceAttribute, cuDeviceGetAttribute, (int *, int, int))                  \
  X(retainContext, cuDevicePrimaryCtxRetain, (Context *, int))                 \
  X(releaseContext, cuDevicePrimaryCtxRelease_v2, (int))                       \
  X(setContext, cuCtxSetCurrent, (Context))                                    \
  X(memoryInfo, cuMemGetInfo_v2, (size_t *, size_t *))                         \
  X(allocate, cuMemAlloc_v2, (Pointer *, size_t))                              \
  X(release, cuMemFree_v2, (Pointer))                                          \
  X(allocateHost, cuMemAllocHost_v2, (void **, size_t))                        \
  X(releaseHost, cuMemFreeHost, (void *))                                      \
  X(upload, cuMemcpyHtoDAsync_v2, (Pointer, const void *, size_t, Stream))     \
  X(download, cuMemcpyDtoHAsync_v2, (void *, Pointer, size_t, Stream))         \
  X(copy, cuMemcpyDtoDAsync_v2, (Pointer, Pointer, size_t, Stream))            \
  X(fill, cuMemsetD8Async, (Pointer, unsigned char, size_t, Stream))           \
  X(createStream, cuStreamCreate, (Stream *, unsigned))                        \
  X(destroyStream, cuStreamDestroy_v2, (Stream))                               \
  X(synchronize, cuStreamSynchronize, (Stream))                                \
  X(createEvent, cuEventCreate, (Event *, unsigned))                           \
  X(destroyEvent, cuEventDestroy_v2, (Event))                                  \
  X(record, cuEventRecord, (Event, Stream))                                    \
  X(await, cuEventSynchronize, (Event))                                        \
  X(elapsed, cuEventElapsedTime, (float *, Event, Event))                      \
  X(loadModule, cuModuleLoadDataEx,                                            \
    (Module *, const void *, unsigned, const int *, void **))                  \
  X(unloadModule, cuModuleUnload, (Module))                                    \
  X(getFunction, cuModuleGetFunction, (Function *, Module, const char *))      \
  X(setAttribute, cuFuncSetAttribute, (Function, int, int))                    \
  X(occupancy, cuOccupancyMaxActiveBlocksPerMultiprocessor,                    \
    (int *, Function, int, size_t))                                            \
  X(launch, cuLaunchKernelEx,                                                  \
    (const LaunchConfig *, Function, void **, void **))                        \
  X(createGraph, cuGraphCreate, (Graph *, unsigned))                           \
  X(destroyGraph, cuGraphDestroy, (Graph))                                     \
  X(addKernel, cuGraphAddKernelNode_v2,                                        \
    (GraphNode *, Graph, const GraphNode *, size_t, const KernelNode *))       \
  X(setNodeAttribute, cuGraphKernelNodeSetAttribute,                           \
    (GraphNode, int, const void *))                                            \
  X(instantiate, cuGraphInstantiateWithFlags,                                  \
    (GraphExec *, Graph, unsigned long long))                                  \
  X(destroyExec, cuGraphExecDestroy, (GraphExec))                              \
  X(launchGraph, cuGraphLaunch, (GraphExec, Stream))

// The same for functions that older drivers lack: null there.
#define QUARTET_CUDA_OPTIONAL_FUNCTIONS(X)                                     \
  X(addEdges, cuGraphAddDependencies_v2,                                       \
    (Graph, const GraphNode *, const GraphNode *, const EdgeData *, size_t))

/// The driver's functions.
struct Api {
#define QUARTET_MEMBER(member, symbol, parameters)                             \
  int(*member) parameters = nullptr;
  QUARTET_CUDA_FUNCTIONS(QUARTET_MEMBER)
  QUARTET_CUDA_OPTIONAL_FUNCTIONS(QUARTET_MEMBER)
#undef QUARTET_MEMBER
};

} // namespace quartet::rt::cuda
#endif
