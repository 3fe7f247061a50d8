// Pieces of all weights, which workers take in turn.
#include "runtime/src/engine/SyntheticWeights.h"
#include "runtime/src/device/MemoryUse.h"
#include "runtime/src/engine/WeightFill.h"
#include <algorithm>
#include <atomic>

namespace quartet::rt {

namespace {
/// A part of one weight that one worker fills at once.
struct Piece {
  size_t weight;
  int64_t begin, end; ///< bytes of the weight
};
constexpr int64_t pieceBytes = int64_t(4) << 20;

struct Filling {
  std::vector<quartet_fill> fills; ///< of all weights
  std::vector<Piece> pieces;
  std::atomic<size_t> next{0};
};

void fillPieces(void *context, int64_t, int64_t) {
  auto *filling = static_cast<Filling *>(context);
  while (true) {
    size_t index = filling->next.fetch_add(1);
    if (index >= filling->pieces.size())
      return;
    const Piece &piece = filling->pieces[index];
    const quartet_fill &fill = filling->fills[piece.weight];
    fillWeight(fill, piece.begin, piece.end,
               reinterpret_cast<uint8_t *>(fill.out) + piece.begin);
  }
}
} // namespace

std::unique_ptr<SyntheticWeights>
SyntheticWeights::create(const Manifest &manifest, uint64_t seed, Team &team,
                         std::string *error) {
  std::unique_ptr<SyntheticWeights> weights(new SyntheticWeights);
  uint64_t physical = physicalBytes();
  if (manifest.weightsBytes > physical ||
      !weights->memory.allocate(manifest.weightsBytes)) {
    *error = "the weights have " + std::to_string(manifest.weightsBytes) +
             " bytes, this machine has " + std::to_string(physical) +
             " bytes of memory";
    return nullptr;
  }
  Filling filling;
  for (const WeightInfo &weight : manifest.weights) {
    quartet_fill fill = weightFill(weight, seed);
    fill.out = reinterpret_cast<char *>(weights->memory.data() + weight.offset);
    weights->bases.push_back(fill.out);
    for (int64_t at = 0; at < fill.bytes; at += pieceBytes)
      filling.pieces.push_back(
          {filling.fills.size(), at, std::min(at + pieceBytes, fill.bytes)});
    filling.fills.push_back(fill);
  }
  team.run(fillPieces, &filling);
  return weights;
}

} // namespace quartet::rt
