// What tests need to open a device through one of the fake drivers.
#ifndef QUARTET_TEST_RUNTIME_FAKEMAKERS_H
#define QUARTET_TEST_RUNTIME_FAKEMAKERS_H
#include "FakeGpu.h"
#include "runtime/src/device/Device.h"
#include "runtime/src/engine/WeightFill.h"
#include <cstdlib>
#include <dlfcn.h>
#include <gtest/gtest.h>

namespace quartet::rt::test {

struct Maker {
  int64_t kind;
  const char *name, *driver, *variable, *arch, *otherArch;
  int64_t image;
};
inline const Maker nvidia = {
    QUARTET_DEVICE_CUDA,    "NVIDIA", QUARTET_FAKE_CUDA,
    "QUARTET_CUDA_LIBRARY", "sm_90a", "8.0",
    QUARTET_IMAGE_CUBIN};
inline const Maker amd = {QUARTET_DEVICE_HIP,    "AMD",    QUARTET_FAKE_HIP,
                          "QUARTET_HIP_LIBRARY", "gfx942", "gfx1100",
                          QUARTET_IMAGE_HSACO};

/// quartet_device.fill of the fake devices; images that are asked for it have a
/// kernel of this name.
inline void fakeFill(const quartet_step_args *args, int64_t, int64_t *) {
  const auto &fill = *reinterpret_cast<const quartet_fill *>(args);
  fillWeight(fill, 0, fill.bytes, reinterpret_cast<uint8_t *>(fill.out));
}
inline const quartet_launch fakeFillLaunch = {"fill", nullptr, 0,       0,
                                              0,      0,       nullptr, 0};
/// quartet_device.peaks: 2000 operations a round with int8, 1000 with bf16.
inline void fakePeak(const quartet_step_args *args, int64_t layer, int64_t *) {
  const auto &peak = *reinterpret_cast<const quartet_peak *>(args);
  peak.done[0] = peak.rounds * (layer ? 1000 : 2000);
}
inline const quartet_launch fakePeakLaunches[] = {
    {"peak", nullptr, 0, 0, 0, 0, nullptr, 0},
    {"peak", nullptr, 1, 0, 0, 0, nullptr, 0}};

/// What kernels of the fake devices, with 8 blocks of 8 warps, leave as stamps
/// of \p spans spans if anybody wants them. All blocks begin at \p begin us,
/// are ready 2 us later, and warp w of block b is done b + w us behind that;
/// the next span is 20 us later.
inline void fakeStamps(int64_t *stamps, int64_t begin, int64_t spans = 1) {
  for (int64_t span = 0; stamps && span != spans; ++span)
    for (int64_t block = 0; block != 8; ++block) {
      *stamps++ = begin + 20 * span;
      *stamps++ = begin + 20 * span + 2;
      for (int64_t warp = 0; warp != 8; ++warp)
        *stamps++ = begin + 20 * span + 2 + block + warp;
    }
}

/// Variables of the environment that are as before at the end.
class Environment {
public:
  ~Environment() {
    for (const std::string &name : changed)
      unsetenv(name.c_str());
  }
  void set(const std::string &name, const std::string &value) {
    setenv(name.c_str(), value.c_str(), 1);
    changed.push_back(name);
  }

private:
  std::vector<std::string> changed;
};

/// The fake driver of one maker, and a program for it.
class FakeDriver {
public:
  FakeDriver(const Maker &maker, const FakeImage &kernels) : maker(maker) {
    environment.set(maker.variable, maker.driver);
    void *library = dlopen(maker.driver, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      ADD_FAILURE() << dlerror();
      return;
    }
    readLog = reinterpret_cast<FakeLog>(dlsym(library, fakeLogName));
    resetLog = reinterpret_cast<FakeReset>(dlsym(library, fakeResetName));
    image = {maker.image, &kernels, sizeof(kernels)};
    program = {maker.kind, maker.arch,      256,    32, 2, 1000000, &image,
               1,          &fakeFillLaunch, nullptr};
    resetLog();
  }
  FakeDriver(const FakeDriver &) = delete;
  FakeDriver &operator=(const FakeDriver &) = delete;

  /// Finds and opens the device; null, and why in \p error, when it can't.
  std::unique_ptr<Device> open(std::string *error,
                               const DeviceWish &wish = DeviceWish()) {
    DeviceInfo info;
    if (!findDevice(program, wish, info, error))
      return nullptr;
    return openDevice(program, info, wish, error);
  }
  std::string log() const { return readLog(); }
  void forget() const { resetLog(); }

  const Maker &maker;
  Environment environment;
  quartet_image image = {};
  quartet_device program = {};

private:
  FakeLog readLog = nullptr;
  FakeReset resetLog = nullptr;
};

} // namespace quartet::rt::test
#endif
