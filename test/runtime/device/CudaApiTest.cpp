// What CudaApi.h declares is what NVIDIA's header declares. Compiled only where
// that header is installed; there is nothing to run.
#include "runtime/src/device/CudaApi.h"
#include "ApiTesting.h"
#include <cstddef>
#include <cuda.h>

namespace cu = quartet::rt::cuda;
using quartet::rt::test::Calls;

#define CHECK_CALL(member, symbol, parameters)                                 \
  static_assert(Calls<decltype(cu::Api::member), decltype(&::symbol)>::alike,  \
                "CudaApi.h declares " #symbol " differently");
QUARTET_CUDA_FUNCTIONS(CHECK_CALL)
QUARTET_CUDA_OPTIONAL_FUNCTIONS(CHECK_CALL)

#define CHECK_FIELD(ours, field, real, other)                                  \
  static_assert(offsetof(cu::ours, field) == offsetof(real, other),            \
                #ours "." #field " is elsewhere");
static_assert(sizeof(cu::LaunchAttribute) == sizeof(CUlaunchAttribute));
CHECK_FIELD(LaunchAttribute, id, CUlaunchAttribute, id)
CHECK_FIELD(LaunchAttribute, value, CUlaunchAttribute, value)
static_assert(sizeof(cu::LaunchConfig) == sizeof(CUlaunchConfig));
CHECK_FIELD(LaunchConfig, blockX, CUlaunchConfig, blockDimX)
CHECK_FIELD(LaunchConfig, sharedBytes, CUlaunchConfig, sharedMemBytes)
CHECK_FIELD(LaunchConfig, stream, CUlaunchConfig, hStream)
CHECK_FIELD(LaunchConfig, attributes, CUlaunchConfig, attrs)
CHECK_FIELD(LaunchConfig, attributeCount, CUlaunchConfig, numAttrs)
static_assert(sizeof(cu::KernelNode) == sizeof(CUDA_KERNEL_NODE_PARAMS));
CHECK_FIELD(KernelNode, gridX, CUDA_KERNEL_NODE_PARAMS, gridDimX)
CHECK_FIELD(KernelNode, sharedBytes, CUDA_KERNEL_NODE_PARAMS, sharedMemBytes)
CHECK_FIELD(KernelNode, parameters, CUDA_KERNEL_NODE_PARAMS, kernelParams)
CHECK_FIELD(KernelNode, extra, CUDA_KERNEL_NODE_PARAMS, extra)
CHECK_FIELD(KernelNode, kernel, CUDA_KERNEL_NODE_PARAMS, kern)
CHECK_FIELD(KernelNode, context, CUDA_KERNEL_NODE_PARAMS, ctx)
static_assert(sizeof(cu::EdgeData) == sizeof(CUgraphEdgeData));
CHECK_FIELD(EdgeData, fromPort, CUgraphEdgeData, from_port)
CHECK_FIELD(EdgeData, type, CUgraphEdgeData, type)

static_assert(int(cu::Success) == CUDA_SUCCESS);
static_assert(int(cu::OutOfMemory) == CUDA_ERROR_OUT_OF_MEMORY);
static_assert(int(cu::NoDevice) == CUDA_ERROR_NO_DEVICE);
static_assert(int(cu::Multiprocessors) ==
              CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
static_assert(int(cu::MajorCapability) ==
              CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
static_assert(int(cu::MinorCapability) ==
              CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
static_assert(int(cu::MaxDynamicShared) ==
              CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
static_assert(int(cu::SharedPerMultiprocessor) ==
              CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
static_assert(int(cu::SharedCarveout) ==
              CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT);
static_assert(int(cu::ErrorLog) == CU_JIT_ERROR_LOG_BUFFER);
static_assert(int(cu::ErrorLogBytes) == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
static_assert(int(cu::Cooperative) == CU_LAUNCH_ATTRIBUTE_COOPERATIVE);
static_assert(int(cu::Cooperative) == CU_KERNEL_NODE_ATTRIBUTE_COOPERATIVE);
static_assert(int(cu::ProgrammaticPort) ==
              CU_GRAPH_KERNEL_NODE_PORT_PROGRAMMATIC);
static_assert(int(cu::ProgrammaticEdge) ==
              CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC);
