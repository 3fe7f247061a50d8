// What Device.cpp calls of each kind of device.
#ifndef QUARTET_RUNTIME_DEVICE_DEVICEKINDS_H
#define QUARTET_RUNTIME_DEVICE_DEVICEKINDS_H
#include "runtime/src/device/Device.h"

namespace quartet::rt {

bool listCuda(std::vector<DeviceInfo> &devices, std::string *error);
std::unique_ptr<Device> openCuda(const quartet_device &program,
                                 const DeviceInfo &info, const DeviceWish &wish,
                                 std::string *error);
bool listHip(std::vector<DeviceInfo> &devices, std::string *error);
std::unique_ptr<Device> openHip(const quartet_device &program,
                                const DeviceInfo &info, const DeviceWish &wish,
                                std::string *error);

/// "12.4" of 12040, as CUDA counts, or of 60443483, as HIP does; \p major and
/// \p minor are what one of each adds.
std::string versionText(int64_t version, int64_t major, int64_t minor);

/// What to say when \p name needs \p bytes and only \p free are there.
std::string notEnoughMemory(const DeviceInfo &info, const std::string &name,
                            uint64_t bytes, uint64_t free);

} // namespace quartet::rt

/// Makes an emulated device. Weak: only executables with emulated kernels have
/// it, since only they are linked with the emulator.
extern "C" quartet::rt::Device *
quartet_emulator_device(const quartet_device *program, uint64_t seed)
    __attribute__((weak));
#endif
