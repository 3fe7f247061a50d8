// A line of a bf16 panel is 16 rows times two columns, as tdpbf16ps wants its
// second operand. Two tiles of tokens times two panels use all eight registers:
// four sums, two of weights, two of activations; each tile that is loaded
// meets two others.
#include "targets/cpu/kernels/DotTiles.h"
#include "targets/cpu/kernels/AmxTiles.h"
#include "targets/cpu/kernels/Lanes.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Columns that one product of tiles covers.
static constexpr int64_t kStepColumns = kTileRowBytes / 2;
/// bf16 that stand for one f32. One would round activations to 8 bits, which
/// moves the logits of the golden models by 8e-3 on average; two keep 16 bits,
/// 1e-5, at half the peak, which is still eight times that of f32.
static constexpr int64_t kParts = 2;
/// Tiles of tokens, and panels, of the largest block.
static constexpr int64_t kMostTiles = 2, kMostPanels = 2;

bool cpu::multipliesSplitRows(const Isa &isa, const PackedFormat &format) {
  return isa.amxBf16 && format.value == ValueType::BF16;
}

int64_t cpu::splitRowsBytes(int64_t columns, int64_t tokens) {
  return ceilDiv(columns, kStepColumns) * ceilDiv(tokens, kTileRows) *
         (kParts * kTileBytes);
}

/// Bytes of 16 split rows.
static V tileRowBytes(V columns) {
  return (columns + (kStepColumns - 1)) / kStepColumns * (kParts * kTileBytes);
}

/// The bf16 nearest to each of \p values, 16 x f32.
static V toBf16(KernelBuilder &k, V values) {
  Type halves = k.vec(kLanes, k.bf16());
  if (k.machine.bf16Dot)
    return k.intrinsic("llvm.x86.avx512bf16.cvtneps2bf16.512", halves,
                       {values});
  return k.convert(values, halves);
}

func::FuncOp cpu::splitRowsKernel(KernelBuilder &k) {
  return k.function("split_rows", "piiip", [&](ArrayRef<V> a) {
    V columns = a[2], tokens = a[3], bytes = tileRowBytes(columns);
    Type floats = k.vec(kLanes, k.f32());
    k.loop(tokens, [&](V t) {
      V from = a[0] + t * a[1];
      V to = a[4] + t / kTileRows * bytes + t % kTileRows * kTileRowBytes;
      k.loop(k.i64(0), columns, kLanes, [&](V c) {
        V left = k.load(floats, from, c * 4, 64);
        V place = to + c / kStepColumns * (kParts * kTileBytes) +
                  c % kStepColumns * 2;
        for (int64_t part = 0; part < kParts; ++part) {
          V half = toBf16(k, left);
          k.store(half, place, part * kTileBytes, 32);
          left = left - k.convert(half, floats);
        }
      });
      k.ifThen(columns % kStepColumns > k.i64(0), [&] {
        for (int64_t part = 0; part < kParts; ++part)
          k.store(k.zero(k.vec(kLanes, k.i16())),
                  to + (bytes - (kParts - part) * kTileBytes),
                  kTileRowBytes / 2, 32);
      });
    });
  });
}

/// void split_bf16_t<tokens>_p<panels>(ptr panel, i64 panelBytes, ptr rows,
///             i64 columns, i64 tokens, ptr out, i64 outStride, ptr ahead)
/// At most \p tiles times 16 tokens and \p panels panels. Asks memory for as
/// many panels from ahead on.
static func::FuncOp blockKernel(KernelBuilder &k, int64_t tiles,
                                int64_t panels) {
  std::string name = "split_bf16_t" + std::to_string(tiles * kTileRows) + "_p" +
                     std::to_string(panels);
  return k.function(name, "pipiipip", [&](ArrayRef<V> a) {
    V panel = a[0], panelBytes = a[1], rows = a[2], columns = a[3],
      tokens = a[4], out = a[5], outStride = a[6], ahead = a[7];
    Tiles amx{k};
    V steps = (columns + (kStepColumns - 1)) / kStepColumns;
    V whole = columns / kStepColumns, rowBytes = tileRowBytes(columns);
    // Half a tile of weights is filled up: what lies behind it may be the next
    // panel's infinities, or no memory at all.
    V last = k.stack(panels * kTileBytes);
    k.ifThen(whole < steps, [&] {
      k.clear(last, k.i64(panels * kTileBytes));
      for (int64_t p = 0; p < panels; ++p)
        k.copy(last + p * kTileBytes,
               panel + panelBytes * p + whole * kTileBytes,
               k.i64(kTileBytes / 2));
    });
    SmallVector<V> sums;
    for (int64_t i = 0; i < tiles * panels; ++i)
      sums.push_back(amx.zero());
    sums = k.fold(k.i64(0), steps, 1, sums, [&](V s, ArrayRef<V> before) {
      SmallVector<V> next(before), weights;
      V place = s * kTileBytes;
      for (int64_t p = 0; p < panels; ++p) {
        V line = panel + panelBytes * p + place;
        weights.push_back(
            amx.load(k.select(s < whole, line, last + p * kTileBytes)));
        for (int64_t i = 0; i < kTileBytes; i += kPanelAlign)
          k.prefetch(ahead + panelBytes * p + place + i);
      }
      for (int64_t part = 0; part < kParts; ++part)
        for (int64_t t = 0; t < tiles; ++t) {
          V x = amx.load(rows + rowBytes * t + place * kParts +
                         part * kTileBytes);
          for (int64_t p = 0; p < panels; ++p)
            next[t * panels + p] =
                amx.multiplyFloats(next[t * panels + p], x, weights[p]);
        }
      return next;
    });
    V aside = k.stack(kTileBytes);
    for (int64_t i = 0; i < tiles * panels; ++i) {
      int64_t first = i / panels * kTileRows;
      V to = out + outStride * first + i % panels * kTileRowBytes;
      k.ifThen(
          tokens >= first + kTileRows,
          [&] { amx.store(sums[i], to, outStride); },
          [&] {
            amx.store(sums[i], aside, k.i64(kTileRowBytes));
            k.loop(tokens - first, [&](V t) {
              k.copy(to + t * outStride, aside + t * kTileRowBytes,
                     k.i64(kTileRowBytes));
            });
          });
    }
  });
}

func::FuncOp cpu::splitMatmulKernel(KernelBuilder &k) {
  return k.function("matmul_split_bf16", "pipiipip", [&](ArrayRef<V> a) {
    V panels = a[0], panelCount = a[1], rows = a[2], columns = a[3],
      tokens = a[4], out = a[5], outStride = a[6], next = a[7];
    V panelBytes = columns * (kPanelRows * 2);
    V rowBytes = tileRowBytes(columns);
    /// \p count panels from number \p p on times all tokens.
    auto overTokens = [&](V p, int64_t count) {
      V panel = panels + p * panelBytes, here = out + p * kTileRowBytes;
      V after = panels + (p + count) * panelBytes;
      V ahead = k.select(p + count < panelCount, after, next);
      k.loop(k.i64(0), tokens, kMostTiles * kTileRows, [&](V t) {
        V rest = tokens - t;
        // What has been asked for once is in the cache.
        SmallVector<V> arguments = {panel,
                                    panelBytes,
                                    rows + t / kTileRows * rowBytes,
                                    columns,
                                    rest,
                                    here + t * outStride,
                                    outStride,
                                    k.select(t == 0, ahead, panel)};
        k.ifThen(
            rest > k.i64(kTileRows),
            [&] { k.call(blockKernel(k, kMostTiles, count), arguments); },
            [&] { k.call(blockKernel(k, 1, count), arguments); });
      });
    };
    V inPairs = panelCount / kMostPanels * kMostPanels;
    k.loop(k.i64(0), inPairs, kMostPanels,
           [&](V p) { overTokens(p, kMostPanels); });
    k.loop(inPairs, panelCount, 1, [&](V p) { overTokens(p, 1); });
  });
}
