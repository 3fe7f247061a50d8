// All inputs of a thread are in flight at once, and channels that are no full
// turn of the block are shared out by tokens, too.
#include "targets/gpu/kernels/ConvChunk.h"
#include "targets/gpu/kernels/Conv.h"
#include "targets/gpu/kernels/FastMath.h"
#include "targets/gpu/kernels/MixerRows.h"
#include "llvm/Support/MathExtras.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Tokens whose inputs are in flight at once where a chunk is cut.
static constexpr int64_t kTogether = 4;

ConvChunk::ConvChunk(DeviceBuilder &k, const DeltaShape &shape,
                     const DeltaArgs &args)
    : k(k), shape(shape), args(args) {}

V ConvChunk::vectorChannel(V c) {
  return gpu::vectorChannel(k, shape, args, c);
}

V ConvChunk::valueChannel(V row) { return gpu::valueChannel(shape, args, row); }

/// The row \p index, which is negative: of the window.
V ConvChunk::held(V channel, V index) {
  V row = index + (shape.taps - 1);
  return k.convert(
      k.load(shape.windowType, windowOf(shape, args, channel, row)), k.f32());
}

/// The row \p index of the step.
V ConvChunk::input(V channel, V index) {
  return k.load(k.f32(), args.input, channel * 4 + index * args.inputStride);
}

SmallVector<V> ConvChunk::inputs(V channel, V first, int64_t length,
                                 bool whole) {
  int64_t kept = shape.taps - 1;
  V last = args.tokens - 1, before = first - kept;
  auto place = [&](int64_t j) {
    V index = before + j;
    return whole ? index : k.min(index, last);
  };
  SmallVector<V> rows = k.ifElse(
      before >= 0,
      [&] {
        SmallVector<V> rows;
        for (int64_t j = 0; j < kept; ++j)
          rows.push_back(input(channel, place(j)));
        return rows;
      },
      [&] {
        SmallVector<V> rows;
        for (int64_t j = 0; j < kept; ++j) {
          V index = place(j);
          rows.push_back(k.ifElse(
              index < 0, [&] { return SmallVector<V>{held(channel, index)}; },
              [&] { return SmallVector<V>{input(channel, index)}; })[0]);
        }
        return rows;
      });
  for (int64_t t = 0; t < length; ++t)
    rows.push_back(input(channel, place(kept + t)));
  return rows;
}

SmallVector<V> ConvChunk::taps(V channel) {
  return loadTaps(k, shape, args, channel);
}

SmallVector<V> ConvChunk::outputs(ArrayRef<V> weights, ArrayRef<V> inputs) {
  int64_t kept = shape.taps - 1;
  SmallVector<V> rows, result;
  for (V value : inputs) // here: until then they may be on their way
    rows.push_back(asInWindow(k, shape, value));
  for (int64_t t = 0; t + kept < int64_t(rows.size()); ++t) {
    V sum = rows[size_t(t)] * weights[0];
    for (int64_t j = 1; j <= kept; ++j)
      sum = k.fma(rows[size_t(t + j)], weights[size_t(j)], sum);
    result.push_back(fastSilu(k, sum));
  }
  return result;
}

void ConvChunk::vectors(V thread, V first, V count, V rows, int64_t keyAt,
                        int64_t rowBytes) {
  int64_t threads = k.machine.threads, width = 2 * shape.keyDim;
  int64_t rest = width % threads, full = width - rest;
  // Tokens [begin, begin + length) of channel c.
  auto walk = [&](V c, V begin, int64_t length, bool whole) {
    V channel = vectorChannel(c);
    V to =
        rows + begin * rowBytes +
        k.select(c < shape.keyDim, c * 4, c * 4 + (keyAt - shape.keyDim * 4));
    SmallVector<V> all =
        outputs(taps(channel), inputs(channel, first + begin, length, whole));
    for (int64_t t = 0; t < length; ++t) {
      auto store = [&] { k.store(all[size_t(t)], to, t * rowBytes); };
      whole ? store() : k.ifThen(begin + t < count, store);
    }
  };
  // Chunks are cut at the ends of prompts alone: short code for them.
  auto walkAll = [&](V c, V begin, int64_t length, bool whole) {
    if (whole)
      return walk(c, begin, length, true);
    int64_t some = std::min(kTogether, length);
    k.loop(begin, k.min(begin + length, count), some,
           [&](V token) { walk(c, token, some, false); });
  };
  auto runAll = [&](bool whole) {
    for (int64_t c = 0; c < full; c += threads)
      walkAll(thread + c, k.i64(0), kDeltaChunk, whole);
    if (!rest)
      return;
    int64_t across = int64_t(llvm::PowerOf2Ceil(uint64_t(rest)));
    int64_t length = ceilDiv(kDeltaChunk, threads / across);
    V c = thread & (across - 1), begin = thread / across * length;
    k.ifThen((c < rest) & (begin < count),
             [&] { walkAll(c + full, begin, length, whole); });
  };
  k.ifThen(
      count == kDeltaChunk, [&] { runAll(true); }, [&] { runAll(false); });
}

void ConvChunk::writeWindow(V channel) {
  int64_t kept = shape.taps - 1;
  SmallVector<V> rows =
      inputs(channel, args.tokens, /*length=*/0, /*whole=*/true);
  for (int64_t row = 0; row < kept; ++row)
    k.store(k.convert(rows[size_t(row)], shape.windowType),
            windowOf(shape, args, channel, k.i64(row)));
}
