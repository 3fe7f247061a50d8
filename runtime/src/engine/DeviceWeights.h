// Weights in the memory of a device. They go there once, through two pieces of
// memory that the device copies from at full speed: while one is on its way the
// other is filled.
#ifndef QUARTET_RUNTIME_ENGINE_DEVICEWEIGHTS_H
#define QUARTET_RUNTIME_ENGINE_DEVICEWEIGHTS_H
#include "runtime/src/device/Device.h"
#include "runtime/src/device/Team.h"
#include "runtime/src/engine/SyntheticWeights.h"
#include <functional>

namespace quartet::rt {

/// Where the bytes come from: a file, or a generator.
class WeightSource {
public:
  virtual ~WeightSource() = default;
  /// read() is only called for ranges that begin at a multiple of this many
  /// bytes of weight number \p weight and are as long, but for its end.
  virtual uint64_t granule(size_t weight) const = 0;
  /// Writes bytes [begin, end) of a weight to \p out.
  virtual void read(size_t weight, uint64_t begin, uint64_t end,
                    uint8_t *out) const = 0;
};

/// Weights that are in memory, at these addresses: copied by a team, since one
/// thread is slower than the bus.
class MappedWeights : public WeightSource {
public:
  MappedWeights(void *const *bases, Team &team) : bases(bases), team(team) {}
  uint64_t granule(size_t) const override { return 1; }
  void read(size_t weight, uint64_t begin, uint64_t end,
            uint8_t *out) const override;

private:
  void *const *bases;
  Team &team;
};

/// Weights that are made up piece by piece, as SyntheticWeights has them.
class SyntheticSource : public WeightSource {
public:
  SyntheticSource(const Manifest &manifest, uint64_t seed, Team &team)
      : manifest(manifest), seed(seed), team(team) {}
  uint64_t granule(size_t weight) const override {
    return syntheticPartBytes(manifest.weights[weight]);
  }
  void read(size_t weight, uint64_t begin, uint64_t end,
            uint8_t *out) const override {
    fillSynthetic(manifest.weights[weight], seed, begin, end, out, team);
  }

private:
  const Manifest &manifest;
  uint64_t seed;
  Team &team;
};

class DeviceWeights {
public:
  /// Called with the bytes that are there so far and all bytes.
  using Progress = std::function<void(uint64_t done, uint64_t total)>;

  /// Allocates memory for all weights of \p manifest and fills it. Staging is
  /// \p stagingBytes twice, or more where a granule is larger. \p device must
  /// outlive the result. Null on an error.
  static std::unique_ptr<DeviceWeights>
  upload(Device &device, const Manifest &manifest, const WeightSource &source,
         const Progress &progress, std::string *error,
         uint64_t stagingBytes = uint64_t(64) << 20);
  ~DeviceWeights();
  DeviceWeights(const DeviceWeights &) = delete;
  DeviceWeights &operator=(const DeviceWeights &) = delete;

  /// Addresses on the device in the manifest's order.
  const std::vector<DeviceAddress> &addresses() const { return bases; }

private:
  explicit DeviceWeights(Device &device) : device(device) {}
  bool fill(const Manifest &manifest, const WeightSource &source,
            const Progress &progress, uint64_t stagingBytes,
            std::string *error);

  Device &device;
  std::vector<DeviceAddress> bases;
};

} // namespace quartet::rt
#endif
