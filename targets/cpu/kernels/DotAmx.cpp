// Products of 16 tokens and two panels by the tile registers of AMX. A line of
// a panel is a row of the second operand as it is: 16 rows of weights, four
// columns each. Signed activations times unsigned weights, like vpdpbusd with
// its operands exchanged, and as exact.
#include "targets/cpu/kernels/AmxTiles.h"
#include "targets/cpu/kernels/ByteDot.h"
#include "targets/cpu/kernels/DotParts.h"

using namespace quartet;
using namespace quartet::cpu;
using llvm::SmallVector;

bool cpu::usesTiles(const Isa &isa, const PackedFormat &format, int tokens) {
  return isa.amxInt8 && format.isInteger() && tokens == kTileRows;
}

/// The group's operands of 64 bytes for four columns, one after the other.
static V tileOperands(KernelBuilder &k, const PackedFormat &format,
                      const ByteDotBuilder &dots, V values, V buffer) {
  if (format.value == ValueType::INT8)
    return values; // as they are
  int64_t columns = unitColumns(format.value);
  int64_t unitBytes = valueBytes(format.value, columns);
  for (int64_t unit = 0; unit < format.group / columns; ++unit)
    for (auto [i, operand] :
         llvm::enumerate(dots.loadBytes(values + unit * unitBytes)))
      k.store(operand, buffer, (unit * columns / 4 + int64_t(i)) * 64, 64);
  return buffer;
}

int64_t cpu::tileMemory(const DotBlock &block) {
  return block.format.group * kPanelRows + block.panels * kTileBytes;
}

SmallVector<V> cpu::tileSums(KernelBuilder &k, const DotBlock &block,
                             const ByteDotBuilder &dots,
                             llvm::ArrayRef<V> values, V activations,
                             V memory) {
  Tiles tiles{k};
  int64_t group = block.format.group;
  int64_t columns = std::min(group, kTileRowBytes);
  int64_t lineBytes = valueBytes(block.format.value, group);
  V results = memory + group * kPanelRows; // behind the operands
  for (auto [p, panel] : llvm::enumerate(values)) {
    for (int64_t line = 0; line < lineBytes; line += kPanelAlign)
      prefetchAhead(k, block, panel + line);
    V weights = tileOperands(k, block.format, dots, panel, memory);
    V sum = tiles.zero();
    for (int64_t first = 0; first < group; first += columns) {
      V x =
          tiles.load(kTileRows, columns, activations + first, block.rowStride);
      V w =
          tiles.load(columns / 4, 64, weights + first * kPanelRows, k.i64(64));
      sum = tiles.multiplyBytes(columns, sum, x, w);
    }
    tiles.store(sum, results + int64_t(p) * kTileBytes, k.i64(kTileRowBytes));
  }
  SmallVector<V> sums;
  for (int64_t t = 0; t < block.tokens; ++t)
    for (int64_t p = 0; p < block.panels; ++p)
      sums.push_back(k.load(k.vec(kPanelRows, k.i32()), results,
                            (p * kTileRows + t) * 64, 64));
  return sums;
}
