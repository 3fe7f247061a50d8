// Convolution with the last rows of each channel carried in registers: tokens
// are the inner loop, so that every row is read once.
#include "targets/cpu/kernels/Conv.h"
#include "targets/cpu/kernels/Lanes.h"

using namespace quartet::cpu;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace {
struct Conv {
  KernelBuilder &k;
  int64_t taps;
  mlir::Type stateType;
  V x, xStride, window, windowStride, weight, tokens, out, outStride;

  /// The value that the window keeps for \p value.
  V rounded(V value) {
    mlir::Type kept = k.withElement(value.type(), stateType);
    return k.convert(k.convert(value, kept), value.type());
  }

  /// Tap j of \p vectors x \p lanes channels, [vector][tap], from channel-major
  /// memory.
  SmallVector<SmallVector<V>> weights(V channel, int64_t vectors,
                                      int64_t lanes) {
    SmallVector<SmallVector<V>> result(vectors);
    V from = weight + channel * (4 * taps);
    for (int64_t v = 0; v < vectors; ++v) {
      // `taps` vectors hold the lanes' taps one channel after the other.
      SmallVector<V> raw;
      for (int64_t j = 0; j < taps; ++j)
        raw.push_back(
            k.load(k.vec(lanes, k.f32()), from, 4 * lanes * (v * taps + j)));
      for (int64_t j = 0; j < taps; ++j) {
        V tap = raw[0];
        // Lane i is element i * taps + j of the joined vectors.
        for (int64_t r = 0; r < taps; ++r) {
          SmallVector<int64_t> mask;
          for (int64_t i = 0; i < lanes; ++i) {
            int64_t element = i * taps + j - r * lanes;
            bool here = element >= 0 && element < lanes;
            mask.push_back(here ? lanes + element : i);
          }
          tap = k.shuffle(tap, raw[r], mask);
        }
        result[v].push_back(tap);
      }
    }
    return result;
  }

  /// All tokens of \p vectors x \p lanes channels from \p channel on.
  void channels(V channel, int64_t vectors, int64_t lanes) {
    int64_t kept = taps - 1, keptWidth = byteWidth(stateType);
    mlir::Type f32s = k.vec(lanes, k.f32()), states = k.vec(lanes, stateType);
    SmallVector<SmallVector<V>> w = weights(channel, vectors, lanes);
    V in = x + channel * 4, to = out + channel * 4;
    V memory = window + channel * keptWidth;
    SmallVector<V> rows; // [row][vector], the oldest first
    for (int64_t r = 0; r < kept; ++r)
      for (int64_t v = 0; v < vectors; ++v) {
        V row = memory + windowStride * r;
        rows.push_back(
            k.convert(k.load(states, row, v * lanes * keptWidth), f32s));
      }
    rows = k.fold(k.i64(0), tokens, 1, rows, [&](V t, ArrayRef<V> carried) {
      SmallVector<V> all(carried.begin(), carried.end());
      V from = in + t * xStride, y = to + t * outStride;
      for (int64_t v = 0; v < vectors; ++v)
        all.push_back(rounded(k.load(f32s, from, v * lanes * 4)));
      for (int64_t v = 0; v < vectors; ++v) {
        V sum = all[v] * w[v][0];
        for (int64_t j = 1; j < taps; ++j)
          sum = k.fma(all[j * vectors + v], w[v][j], sum);
        k.store(k.silu(sum), y, v * lanes * 4);
      }
      return SmallVector<V>(all.begin() + vectors, all.end());
    });
    for (int64_t r = 0; r < kept; ++r)
      for (int64_t v = 0; v < vectors; ++v) {
        V row = memory + windowStride * r;
        k.store(k.convert(rows[r * vectors + v], states), row,
                v * lanes * keptWidth);
      }
  }
};
} // namespace

mlir::func::FuncOp quartet::cpu::convKernel(KernelBuilder &k, int64_t taps,
                                            mlir::Type stateType) {
  std::string name =
      "conv_t" + std::to_string(taps) + "_" + typeName(stateType);
  return k.function(name, "pipipiipi", [&](ArrayRef<V> a) {
    Conv conv{k,    taps, stateType, a[0], a[1], a[2],
              a[3], a[4], a[6],      a[7], a[8]};
    V channels = a[5];
    V full = channels / kLanes * kLanes;
    k.loop(k.i64(0), full, kLanes,
           [&](V channel) { conv.channels(channel, 1, kLanes); });
    k.loop(full, channels, 1, [&](V channel) { conv.channels(channel, 1, 1); });
  });
}
