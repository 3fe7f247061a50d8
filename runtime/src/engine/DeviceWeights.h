// Weights in the memory of a device. They go there once, through two pieces of
// memory that the device copies from at full speed: while one is on its way the
// other is filled. Made-up ones are made there.
#ifndef QUARTET_RUNTIME_ENGINE_DEVICEWEIGHTS_H
#define QUARTET_RUNTIME_ENGINE_DEVICEWEIGHTS_H
#include "runtime/src/device/Device.h"
#include "runtime/src/device/Team.h"
#include "runtime/src/engine/Manifest.h"
#include <functional>

namespace quartet::rt {

/// Weights that are in memory, at these addresses: copied by a team, since one
/// thread is slower than the bus.
class MappedWeights {
public:
  MappedWeights(void *const *bases, Team &team) : bases(bases), team(team) {}
  /// Writes bytes [begin, end) of a weight to \p out.
  void read(size_t weight, uint64_t begin, uint64_t end, uint8_t *out) const;

private:
  void *const *bases;
  Team &team;
};

class DeviceWeights {
public:
  /// Called with the bytes that are there so far and all bytes.
  using Progress = std::function<void(uint64_t done, uint64_t total)>;

  /// Allocates memory for all weights of \p manifest and copies them there.
  /// Staging is \p stagingBytes twice. \p device must outlive the result. Null
  /// on an error.
  static std::unique_ptr<DeviceWeights>
  upload(Device &device, const Manifest &manifest, const MappedWeights &source,
         const Progress &progress, std::string *error,
         uint64_t stagingBytes = uint64_t(64) << 20);
  /// The same with weights that are made up from \p seed by \p kernel
  /// (quartet_device.fill), which must outlive \p device.
  static std::unique_ptr<DeviceWeights>
  makeUp(Device &device, const quartet_launch &kernel, const Manifest &manifest,
         uint64_t seed, const Progress &progress, std::string *error);
  ~DeviceWeights();
  DeviceWeights(const DeviceWeights &) = delete;
  DeviceWeights &operator=(const DeviceWeights &) = delete;

  /// Addresses on the device in the manifest's order.
  const std::vector<DeviceAddress> &addresses() const { return bases; }

private:
  explicit DeviceWeights(Device &device) : device(device) {}
  bool allocate(const WeightInfo &weight, DeviceAccess access,
                std::string *error);
  bool copy(const Manifest &manifest, const MappedWeights &source,
            const Progress &progress, uint64_t stagingBytes,
            std::string *error);

  Device &device;
  std::vector<DeviceAddress> bases;
};

} // namespace quartet::rt
#endif
