// Which device runs a program, and who opens it.
#include "runtime/src/device/Device.h"
#include "runtime/src/device/DeviceKinds.h"
#include "runtime/src/device/MemoryUse.h"
#include <atomic>
#include <cstdlib>
#include <cstring>

namespace quartet::rt {

static std::atomic<bool> faulty{false};
bool kernelsAreFaulty() { return faulty.load(); }
void setKernelsFaulty() { faulty.store(true); }

const char *deviceKindName(int64_t kind) {
  switch (kind) {
  case QUARTET_DEVICE_CUDA:
    return "NVIDIA";
  case QUARTET_DEVICE_HIP:
    return "AMD";
  case QUARTET_DEVICE_EMULATOR:
    return "emulated";
  }
  return "unknown";
}

std::string versionText(int64_t version, int64_t major, int64_t minor) {
  return std::to_string(version / major) + "." +
         std::to_string(version % major / minor);
}

std::string notEnoughMemory(const DeviceInfo &info, const std::string &name,
                            uint64_t bytes, uint64_t free) {
  return info.name + " has not enough memory for " + name + ": " +
         std::to_string(bytes) + " bytes are needed, " + std::to_string(free) +
         " are free; other programs may use it, and a smaller context "
         "(--context N) needs less";
}

static bool listEmulated(std::vector<DeviceInfo> &devices, std::string *error) {
  if (!quartet_emulator_device) {
    *error = "this executable is linked without the emulator; compile the "
             "model again";
    return false;
  }
  DeviceInfo info;
  info.kind = QUARTET_DEVICE_EMULATOR;
  info.name = "the emulator";
  info.units = 1;
  info.bytes = physicalBytes();
  info.driver = "this CPU";
  devices.push_back(info);
  return true;
}

bool listDevices(int64_t kind, std::vector<DeviceInfo> &devices,
                 std::string *error) {
  devices.clear();
  switch (kind) {
  case QUARTET_DEVICE_CUDA:
    return listCuda(devices, error);
  case QUARTET_DEVICE_HIP:
    return listHip(devices, error);
  case QUARTET_DEVICE_EMULATOR:
    return listEmulated(devices, error);
  }
  *error = "device kind " + std::to_string(kind) +
           ", expected 1 to 3; this executable is damaged";
  return false;
}

/// The number of "sm_90a", 90; -1 when it is no such name. \p suffix: 'a', 'f'
/// or 0.
static int64_t computeCapability(const std::string &arch, char &suffix) {
  if (arch.compare(0, 3, "sm_") != 0)
    return -1;
  char *end = nullptr;
  int64_t number = strtol(arch.c_str() + 3, &end, 10);
  suffix = *end;
  return number;
}

/// An arch without the features behind it: "gfx942" of "gfx942:sramecc+".
static std::string baseArch(const std::string &arch) {
  return arch.substr(0, arch.find(':'));
}

bool runsOn(const quartet_device &program, const quartet_image &image,
            const std::string &arch) {
  if (program.kind == QUARTET_DEVICE_HIP)
    return image.kind == QUARTET_IMAGE_HSACO &&
           baseArch(program.arch) == baseArch(arch);
  char suffix = 0, ignored = 0;
  int64_t wanted = computeCapability(program.arch, suffix);
  int64_t found = computeCapability(arch, ignored);
  if (wanted < 0 || found < 0)
    return false;
  if (image.kind == QUARTET_IMAGE_CUBIN || suffix == 'a')
    return wanted == found;
  if (image.kind != QUARTET_IMAGE_PTX)
    return false;
  // 'f': the newer chips of the same generation.
  return found >= wanted && (suffix != 'f' || found / 10 == wanted / 10);
}

bool runsOn(const quartet_device &program, const DeviceInfo &info) {
  if (program.kind == QUARTET_DEVICE_EMULATOR)
    return true;
  for (int64_t i = 0; i != program.num_images; ++i)
    if (runsOn(program, program.images[i], info.arch))
      return true;
  return false;
}

bool findDevice(const quartet_device &program, const DeviceWish &wish,
                DeviceInfo &found, std::string *error) {
  std::vector<DeviceInfo> devices;
  if (!listDevices(program.kind, devices, error))
    return false;
  if (wish.index >= int64_t(devices.size())) {
    *error = "there is no " + std::string(deviceKindName(program.kind)) +
             " device " + std::to_string(wish.index) + ", expected 0 to " +
             std::to_string(devices.size() - 1) +
             " (info --devices lists them)";
    return false;
  }
  std::string others;
  for (const DeviceInfo &info : devices) {
    if (wish.index >= 0 && wish.index != info.index)
      continue;
    if (runsOn(program, info)) {
      found = info;
      return true;
    }
    others += (others.empty() ? "" : ", ") + std::string("device ") +
              std::to_string(info.index) + " is " + info.name + " (" +
              info.arch + ")";
  }
  *error = "it is for " + std::string(program.arch) + ", but " + others +
           "; compile the model for that one (quartetc targets lists the "
           "chips)";
  return false;
}

std::unique_ptr<Device> openDevice(const quartet_device &program,
                                   const DeviceInfo &info,
                                   const DeviceWish &wish, std::string *error) {
  std::unique_ptr<Device> device;
  if (program.kind == QUARTET_DEVICE_CUDA)
    device = openCuda(program, info, wish, error);
  else if (program.kind == QUARTET_DEVICE_HIP)
    device = openHip(program, info, wish, error);
  else if (quartet_emulator_device)
    device.reset(quartet_emulator_device(&program, wish.seed));
  if (device && wish.blocks)
    device->setWorkers(wish.blocks);
  return device;
}

} // namespace quartet::rt
