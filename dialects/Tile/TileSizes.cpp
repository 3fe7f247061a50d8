// Bytes of what the tile dialect declares.
#include "dialects/Tile/TileSizes.h"

using namespace mlir;
using namespace quartet::tile;

int64_t quartet::tile::bytesOf(RowsType type) {
  return type.getTokens() * stagedRowBytes(type.getGroup(), type.getColumns());
}

int64_t quartet::tile::bytesOf(AccType type) {
  return alignTo64(4 * type.getTokens() * type.getRows());
}

int64_t quartet::tile::groupsBytes(RouteOp route) {
  int64_t experts = route.getExperts();
  int64_t all = experts + route.getShared();
  int64_t pairs = route.getTokens() * (route.getTopK() + route.getShared());
  // Blocks of up to 64 pairs of one expert, and each expert's first pair.
  int64_t blocks = all + pairs / 64;
  int64_t bytes = kTileAlign + alignTo64(4 * blocks) +
                  alignTo64(4 * (blocks + 1)) + alignTo64(4 * (all + 1));
  // Tokens and weights, sorted, and where each token's pairs are.
  bytes += 3 * alignTo64(4 * pairs);
  if (route.getWeights())
    return bytes;
  // The choice, and the probabilities of one token.
  return bytes + 2 * alignTo64(4 * pairs) + alignTo64(4 * experts);
}

bool quartet::tile::isDynamic(BufferOp buffer) {
  auto type = dyn_cast<MemRefType>(buffer.getType());
  return type && !type.hasStaticShape();
}

int64_t quartet::tile::bytesOf(BufferOp buffer) {
  if (auto rows = dyn_cast<RowsType>(buffer.getType()))
    return bytesOf(rows);
  auto type = cast<MemRefType>(buffer.getType());
  int64_t bytes = (type.getElementTypeBitWidth() + 7) / 8;
  for (int64_t size : type.getShape())
    bytes *= ShapedType::isDynamic(size) ? 1 : size;
  return alignTo64(bytes);
}

int64_t quartet::tile::columnsOf(BufferOp buffer) {
  if (auto rows = dyn_cast<RowsType>(buffer.getType()))
    return rows.getColumns();
  int64_t columns = 1;
  auto type = cast<MemRefType>(buffer.getType());
  for (int64_t size : type.getShape().drop_front())
    columns *= ShapedType::isDynamic(size) ? 1 : size;
  return columns;
}

int64_t quartet::tile::piecePages(StepOp step) {
  for (auto buffer : step.getOps<BufferOp>())
    if (auto pages = buffer.getPiecePages())
      return *pages;
  return 1;
}

int64_t quartet::tile::dynamicBase(StepOp step) {
  int64_t pieces = 0;
  for (auto buffer : step.getOps<BufferOp>())
    if (isDynamic(buffer))
      pieces = std::max<int64_t>(pieces, buffer.getOffset().value_or(0) +
                                             bytesOf(buffer));
  return int64_t(step.getScratchBytes().value_or(0)) - pieces;
}
