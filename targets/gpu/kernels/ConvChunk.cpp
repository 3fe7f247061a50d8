// The convolution of a chunk of tokens: all inputs of a thread are in flight at
// once, and channels that are no full turn of the block are shared out by
// tokens, too.
#include "targets/gpu/kernels/Conv.h"
#include "targets/gpu/kernels/FastMath.h"
#include "targets/gpu/kernels/MixerRows.h"
#include "llvm/Support/MathExtras.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::SmallVector;

/// Tokens whose inputs are in flight at once where a chunk is cut.
static constexpr int64_t kTogether = 4;

V Conv::rowBefore(V c, V channel, V index) {
  int64_t kept = shape.taps - 1;
  V before = index < 0;
  V row = k.select(before, index + kept, k.i64(0));
  V held = k.load(k.f32(), window, (c * kept + row) * 4);
  V input = k.load(k.f32(), args.input,
                   channel * 4 +
                       k.select(before, k.i64(0), index) * args.inputStride);
  return k.select(before, held, rounded(input));
}

/// Tokens [begin, begin + length) of the chunk from \p first on, of channel
/// \p c. \p whole: all of them are there, else those below \p count.
void Conv::walk(V c, V begin, int64_t length, V first, V count, bool whole,
                V rows, const DeltaRow &row) {
  int64_t kept = shape.taps - 1;
  V channel = channelOf(c);
  V from = args.input + (first + begin) * args.inputStride + channel * 4;
  V to = rows + begin * row.bytes + column(c, row);
  SmallVector<V> weights = loadTaps(channel), all;
  for (int64_t t = 0; t < length; ++t) {
    V place = k.i64(t);
    if (!whole) // those behind the last one read it again
      place = k.min(place, count - 1 - begin);
    all.push_back(k.load(k.f32(), from, place * args.inputStride));
  }
  for (V &value : all)
    value = rounded(value);
  for (int64_t j = kept - 1; j >= 0; --j)
    all.insert(all.begin(), rowBefore(c, channel, first + begin - kept + j));
  for (int64_t t = 0; t < length; ++t) {
    V sum = all[size_t(t)] * weights[0];
    for (int64_t j = 1; j <= kept; ++j)
      sum = k.fma(all[size_t(t + j)], weights[size_t(j)], sum);
    auto store = [&] { k.store(fastSilu(k, sum), to, t * row.bytes); };
    whole ? store() : k.ifThen(begin + t < count, store);
  }
}

void Conv::runChunk(V first, V count, int64_t chunk, V rows,
                    const DeltaRow &row) {
  int64_t threads = k.machine.threads, width = shape.width();
  int64_t rest = width % threads, full = width - rest;
  // Chunks are cut at the ends of prompts alone: short code for them.
  auto walkAll = [&](V c, V begin, int64_t length, bool whole) {
    if (whole)
      return walk(c, begin, length, first, count, true, rows, row);
    int64_t some = std::min(kTogether, length);
    k.loop(begin, k.min(begin + length, count), some, [&](V token) {
      walk(c, token, some, first, count, false, rows, row);
    });
  };
  auto runAll = [&](bool whole) {
    for (int64_t c = 0; c < full; c += threads)
      walkAll(k.thread() + c, k.i64(0), chunk, whole);
    if (!rest)
      return;
    int64_t across = int64_t(llvm::PowerOf2Ceil(uint64_t(rest)));
    int64_t length = ceilDiv(chunk, threads / across);
    V c = k.thread() & (across - 1), begin = k.thread() / across * length;
    k.ifThen((c < rest) & (begin < count),
             [&] { walkAll(c + full, begin, length, whole); });
  };
  k.ifThen(
      count == chunk, [&] { runAll(true); }, [&] { runAll(false); });
}

void Conv::endChunks(V tokens) {
  writeWindow([&](V c, V channel, int64_t row) {
    return rowBefore(c, channel, tokens - (shape.taps - 1) + row);
  });
}
