// What info says about devices: those of this machine, and what a program wants
// of one.
#ifndef QUARTET_RUNTIME_APP_DEVICESINFO_H
#define QUARTET_RUNTIME_APP_DEVICESINFO_H
#include "runtime/src/app/Session.h"
#include "runtime/src/engine/Json.h"

namespace quartet::rt {

/// "for NVIDIA sm_90a".
std::string deviceText(const quartet_device &device);
nlohmann::ordered_json deviceJson(const quartet_device &device);
/// ", 243 launches", or nothing for a bucket of the CPU.
std::string launchesText(const quartet_bucket &bucket);
/// "20.1 GB: weights 18.0 GB, ..." for \p context tokens of one sequence.
std::string needText(const Session &session, const quartet_program &program,
                     const DeviceInfo &device, int64_t context);

/// Prints all devices of this machine and what runs on each; \returns the exit
/// code.
int printDevices(const Session &session);

} // namespace quartet::rt
#endif
