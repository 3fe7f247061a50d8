// Products of 16 tokens and two panels by the tile registers of AMX. A line of
// a panel is a row of the second operand as it is: 16 rows of weights, four
// columns each. Signed activations times unsigned weights, like vpdpbusd with
// its operands exchanged, and as exact.
#include "targets/cpu/kernels/ByteDot.h"
#include "targets/cpu/kernels/DotParts.h"

using namespace quartet;
using namespace quartet::cpu;
using llvm::SmallVector;

/// Columns that one product of tiles covers.
static constexpr int64_t kTileColumns = 64;
/// Rows of a tile; also 4-byte elements in one.
static constexpr int64_t kTileRows = 16;

bool cpu::usesTiles(const Isa &isa, const PackedFormat &format, int tokens) {
  return isa.amxInt8 && isa.byteDot == ByteDot::Vnni && format.isInteger() &&
         tokens == kTileRows;
}

namespace {
/// Tile instructions on tiles of sizes that are known here.
struct Tiles {
  KernelBuilder &k;

  V size(int64_t value) { return k.constant(k.i16(), value); }
  mlir::Type type() {
    return mlir::LLVM::LLVMX86AMXType::get(k.b.getContext());
  }
  V zero() {
    return k.intrinsic("llvm.x86.tilezero.internal", type(),
                       {size(kTileRows), size(64)});
  }
  V load(int64_t rows, int64_t bytes, V from, V stride) {
    return k.intrinsic("llvm.x86.tileloadd64.internal", type(),
                       {size(rows), size(bytes), from, stride});
  }
  /// sum + signed x unsigned over \p columns columns.
  V multiply(int64_t columns, V sum, V x, V weights) {
    return k.intrinsic(
        "llvm.x86.tdpbsud.internal", type(),
        {size(kTileRows), size(64), size(columns), sum, x, weights});
  }
  void store(V tile, V to) {
    mlir::Value arguments[] = {size(kTileRows), size(64), to, k.i64(64), tile};
    mlir::LLVM::CallIntrinsicOp::create(
        k.b, k.b.getStringAttr("llvm.x86.tilestored64.internal"),
        mlir::ValueRange(arguments));
  }
};
} // namespace

/// The group's operands of 64 bytes for four columns, one after the other.
static V tileOperands(KernelBuilder &k, const PackedFormat &format,
                      const ByteDotBuilder &dots, V values, V buffer) {
  if (format.value == ValueType::INT8)
    return values; // as they are
  int64_t columns = unitColumns(format.value);
  int64_t unitBytes = valueBytes(format.value, columns);
  for (int64_t unit = 0; unit < format.group / columns; ++unit)
    for (auto [i, operand] :
         llvm::enumerate(dots.loadUnit(values + unit * unitBytes)))
      k.store(operand[0], buffer, (unit * columns / 4 + int64_t(i)) * 64, 64);
  return buffer;
}

int64_t cpu::tileMemory(const DotBlock &block) {
  return block.format.group * kPanelRows + block.panels * kTileRows * 64;
}

SmallVector<V> cpu::tileSums(KernelBuilder &k, const DotBlock &block,
                             const ByteDotBuilder &dots,
                             llvm::ArrayRef<V> values, V activations,
                             V memory) {
  Tiles tiles{k};
  int64_t group = block.format.group;
  int64_t columns = std::min(group, kTileColumns);
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
      sum = tiles.multiply(columns, sum, x, w);
    }
    tiles.store(sum, results + int64_t(p) * (kTileRows * 64));
  }
  SmallVector<V> sums;
  for (int64_t t = 0; t < block.tokens; ++t)
    for (int64_t p = 0; p < block.panels; ++p)
      sums.push_back(k.load(k.vec(kPanelRows, k.i32()), results,
                            (p * kTileRows + t) * 64, 64));
  return sums;
}
