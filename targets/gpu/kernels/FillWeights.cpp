// Blocks take panels in turn, threads pairs of words: a word depends on its
// number alone.
#include "targets/gpu/kernels/FillWeights.h"
#include "runtime/include/quartet/abi.h"
#include <cstddef>

using namespace quartet;
using namespace quartet::gpu;

/// Bytes that a thread writes at once: the longest store there is.
static constexpr int64_t kPair = 16;

/// A step of splitmix64.
static V mix(V value) {
  value = value + int64_t(0x9e3779b97f4a7c15);
  value = (value ^ value >> 30) * int64_t(0xbf58476d1ce4e5b9);
  value = (value ^ value >> 27) * int64_t(0x94d049bb133111eb);
  return value ^ value >> 31;
}

namespace {
/// The fields of a quartet_fill.
struct Fill {
  Fill(DeviceBuilder &k, V fill) {
    auto number = [&](size_t offset) {
      return k.load(k.i64(), fill, int64_t(offset));
    };
    out =
        k.load(k.ptr(kGlobalSpace), fill, int64_t(offsetof(quartet_fill, out)));
    bytes = number(offsetof(quartet_fill, bytes));
    panelBytes = number(offsetof(quartet_fill, panel_bytes));
    scaleBytes = number(offsetof(quartet_fill, scale_bytes));
    zerosOffset = number(offsetof(quartet_fill, zeros_offset));
    valuesOffset = number(offsetof(quartet_fill, values_offset));
    scales = number(offsetof(quartet_fill, scales));
    zeros = number(offsetof(quartet_fill, zeros));
    random = number(offsetof(quartet_fill, random));
    fixed = number(offsetof(quartet_fill, fixed));
    key = number(offsetof(quartet_fill, key));
  }
  V out, bytes, panelBytes, scaleBytes, zerosOffset, valuesOffset;
  V scales, zeros, random, fixed, key;
};
} // namespace

/// Stores the first \p bytes bytes of two words.
static void storeBytes(DeviceBuilder &k, V low, V high, V out, V bytes) {
  k.fold(k.i64(0), bytes, 1, {low, high}, [&](V i, llvm::ArrayRef<V> rest) {
    k.store(k.truncate(rest[0], k.i8()), out, i);
    return llvm::SmallVector<V>{rest[0] >> 8 | rest[1] << 56, rest[1] >> 8};
  });
}

static void fillPanels(DeviceBuilder &k, const Fill &f) {
  auto panel = [&](V begin, V bytes) {
    k.forThreads((bytes + (kPair - 1)) / kPair, [&](V i) {
      V place = i * kPair, at = begin + place;
      V header = k.select(place < f.zerosOffset, k.i64(0), f.zeros);
      header = k.select(place < f.scaleBytes, f.scales, header);
      auto word = [&](int64_t number) {
        V value = (mix(f.key + (at >> 3) + number) & f.random) | f.fixed;
        return k.select(place < f.valuesOffset, header, value);
      };
      V low = word(0), high = word(1), out = f.out + at, room = bytes - place;
      k.ifThen(
          room >= kPair,
          [&] {
            V pair = k.insert(low, k.zero(k.vec(2, k.i64())), 0);
            k.store(k.insert(high, pair, 1), out, 0, kPair);
          },
          [&] { storeBytes(k, low, high, out, room); });
    });
  };
  k.whileLoop(
      {k.worker() * f.panelBytes},
      [&](llvm::ArrayRef<V> at) { return at[0] < f.bytes; },
      [&](llvm::ArrayRef<V> at) {
        panel(at[0], k.min(f.panelBytes, f.bytes - at[0]));
        return llvm::SmallVector<V>{at[0] + k.workers() * f.panelBytes};
      });
}

ProgramLaunch quartet::gpu::addFillWeights(DeviceBuilder &k) {
  ProgramLaunch launch;
  launch.kernel = "quartet_fill_weights";
  k.setSite("fill_weights");
  k.kernel(launch.kernel, [&](V fill, V) { fillPanels(k, Fill(k, fill)); });
  launch.sharedBytes = k.sharedBytes();
  return launch;
}
