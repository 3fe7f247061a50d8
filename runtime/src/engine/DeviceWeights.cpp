// Two pieces of staging memory in turn; a piece is filled again when the event
// behind its last copy has passed.
#include "runtime/src/engine/DeviceWeights.h"
#include "runtime/src/device/LoneKernel.h"
#include "runtime/src/engine/WeightFill.h"
#include <algorithm>
#include <cstring>

namespace quartet::rt {

void MappedWeights::read(size_t weight, uint64_t begin, uint64_t end,
                         uint8_t *out) const {
  struct Copy {
    const uint8_t *from;
    uint8_t *to;
    uint64_t bytes;
  } copy = {static_cast<const uint8_t *>(bases[weight]) + begin, out,
            end - begin};
  constexpr uint64_t worthATeam = uint64_t(1) << 20;
  if (copy.bytes < worthATeam) {
    memcpy(copy.to, copy.from, copy.bytes);
    return;
  }
  team.run(
      [](void *context, int64_t worker, int64_t workers) {
        auto *copy = static_cast<Copy *>(context);
        uint64_t part =
            (copy->bytes + uint64_t(workers) - 1) / uint64_t(workers);
        uint64_t from = std::min(part * uint64_t(worker), copy->bytes);
        uint64_t to = std::min(from + part, copy->bytes);
        memcpy(copy->to + from, copy->from + from, to - from);
      },
      &copy);
}

DeviceWeights::~DeviceWeights() {
  for (DeviceAddress base : bases)
    device.release(base);
}

namespace {
/// The two pieces; given back on every way out.
struct Staging {
  Device &device;
  void *pieces[2] = {nullptr, nullptr};
  bool used[2] = {false, false};
  ~Staging() {
    for (void *piece : pieces)
      if (piece)
        device.releaseStaging(piece);
  }
};
} // namespace

bool DeviceWeights::allocate(const WeightInfo &weight, DeviceAccess access,
                             std::string *error) {
  DeviceAddress base = 0;
  if (!device.allocate("weight " + weight.name, weight.bytes, access, base,
                       error))
    return false;
  bases.push_back(base);
  return true;
}

bool DeviceWeights::copy(const Manifest &manifest, const MappedWeights &source,
                         const Progress &progress, uint64_t stagingBytes,
                         std::string *error) {
  uint64_t total = 0, done = 0;
  for (const WeightInfo &weight : manifest.weights)
    total += weight.bytes;
  stagingBytes = std::max<uint64_t>(std::min(stagingBytes, total), 1);
  Staging staging{device};
  for (void *&piece : staging.pieces)
    if (!(piece = device.allocateStaging(stagingBytes, error)))
      return false;
  size_t turn = 0;
  for (size_t w = 0; w != manifest.weights.size(); ++w) {
    uint64_t bytes = manifest.weights[w].bytes;
    for (uint64_t at = 0; at < bytes; at += stagingBytes, turn ^= 1) {
      uint64_t end = std::min(at + stagingBytes, bytes);
      if (staging.used[turn] && !device.await(turn, error))
        return false;
      auto *piece = static_cast<uint8_t *>(staging.pieces[turn]);
      source.read(w, at, end, piece);
      if (!device.upload(bases[w] + at, piece, end - at, error) ||
          !device.record(turn, error))
        return false;
      staging.used[turn] = true;
      done += end - at;
      if (progress)
        progress(done, total);
    }
  }
  return device.synchronize(error);
}

std::unique_ptr<DeviceWeights>
DeviceWeights::upload(Device &device, const Manifest &manifest,
                      const MappedWeights &source, const Progress &progress,
                      std::string *error, uint64_t stagingBytes) {
  std::unique_ptr<DeviceWeights> weights(new DeviceWeights(device));
  for (const WeightInfo &weight : manifest.weights)
    if (!weights->allocate(weight, DeviceAccess::ReadOnly, error))
      return nullptr;
  if (!weights->copy(manifest, source, progress, stagingBytes, error))
    return nullptr;
  return weights;
}

std::unique_ptr<DeviceWeights>
DeviceWeights::makeUp(Device &device, const quartet_launch &kernel,
                      const Manifest &manifest, uint64_t seed,
                      const Progress &progress, std::string *error) {
  std::unique_ptr<DeviceWeights> weights(new DeviceWeights(device));
  quartet_fill fill = {};
  LoneKernel filler(device);
  if (!filler.prepare(kernel, "what fills weights", sizeof(fill), error))
    return nullptr;
  uint64_t total = 0, done = 0;
  for (const WeightInfo &weight : manifest.weights)
    total += weight.bytes;
  // One by one: waiting for each takes little of the time, and a weight that is
  // sealed is no longer watched by the emulator, which takes memory.
  for (const WeightInfo &weight : manifest.weights) {
    if (!weights->allocate(weight, DeviceAccess::ReadWrite, error))
      return nullptr;
    DeviceAddress base = weights->bases.back();
    fill = weightFill(weight, seed);
    fill.out = static_cast<char *>(asPointer(base));
    if (!filler.give(&fill, error) || !filler.run(error) ||
        !device.synchronize(error))
      return nullptr;
    device.seal(base);
    done += weight.bytes;
    if (progress)
      progress(done, total);
  }
  return weights;
}

} // namespace quartet::rt
