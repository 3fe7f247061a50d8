// What HipApi.h declares is what AMD's header declares. Compiled only where
// that header is installed; there is nothing to run.
#ifndef __HIP_PLATFORM_AMD__
#define __HIP_PLATFORM_AMD__
#endif
#define __HIP_DISABLE_CPP_FUNCTIONS__ // overloads, whose address is ambiguous
#include "runtime/src/device/HipApi.h"
#include "ApiTesting.h"
#include <cstddef>
#include <hip/hip_runtime_api.h>

namespace ours = quartet::rt::hip;
using quartet::rt::test::Calls;

#pragma clang diagnostic ignored "-Wdeprecated-declarations"
// The header gives the newer functions their numbered names by macros.
static_assert(Calls<const char *(*)(int), decltype(&::hipGetErrorName)>::alike);
static_assert(
    Calls<const char *(*)(int), decltype(&::hipGetErrorString)>::alike);
#define CHECK_CALL(member, symbol, parameters)                                 \
  static_assert(                                                               \
      Calls<decltype(ours::Api::member), decltype(&::symbol)>::alike,          \
      "HipApi.h declares " #symbol " differently");
QUARTET_HIP_FUNCTIONS(CHECK_CALL)

static_assert(ours::propertiesSize == sizeof(hipDeviceProp_t));
static_assert(sizeof(ours::Properties) >= sizeof(hipDeviceProp_t));
#define CHECK_FIELD(field, other)                                              \
  static_assert(offsetof(ours::Properties, field) ==                           \
                    offsetof(hipDeviceProp_t, other),                          \
                #field " is elsewhere");
CHECK_FIELD(name, name)
CHECK_FIELD(bytes, totalGlobalMem)
CHECK_FIELD(units, multiProcessorCount)
CHECK_FIELD(arch, gcnArchName)
static_assert(int(ours::Success) == hipSuccess);
static_assert(int(ours::OutOfMemory) == hipErrorOutOfMemory);
static_assert(int(ours::NoDevice) == hipErrorNoDevice);
static_assert(int(ours::CaptureThreadLocal) == hipStreamCaptureModeThreadLocal);
