// A thread per channel walks over the tokens with the last rows in registers;
// inputs of some tokens are asked for together.
#include "targets/gpu/kernels/Conv.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "targets/gpu/kernels/MixerRows.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Tokens whose inputs are in flight at once.
static constexpr int64_t kTogether = 4;

Conv::Conv(DeviceBuilder &k, const DeltaShape &shape, const DeltaArgs &args)
    : k(k), shape(shape), args(args),
      window(k.shared(shape.width() * (shape.taps - 1) * 4)) {}

V quartet::gpu::vectorChannel(DeviceBuilder &k, const DeltaShape &shape,
                              const DeltaArgs &args, V c) {
  int64_t keyDim = shape.keyDim;
  V query = args.head * keyDim;
  V key = query + (shape.keyHeads * keyDim - keyDim);
  return k.select(c < keyDim, query, key) + c;
}

V quartet::gpu::valueChannel(const DeltaShape &shape, const DeltaArgs &args,
                             V row) {
  V first = args.head * (shape.perKey() * shape.valueDim) + shape.firstValue();
  if (shape.parts > 1)
    first = first + args.part * shape.rows();
  return first + row;
}

V quartet::gpu::windowOf(const DeltaShape &shape, const DeltaArgs &args,
                         V channel, V row) {
  int64_t bytes = byteWidth(shape.windowType);
  return args.window + channel * bytes + row * (shape.channels() * bytes);
}

V quartet::gpu::asInWindow(DeviceBuilder &k, const DeltaShape &shape, V value) {
  return k.convert(k.convert(value, shape.windowType), k.f32());
}

V Conv::channelOf(V c) {
  int64_t vectors = 2 * shape.keyDim;
  return k.select(c < vectors, vectorChannel(k, shape, args, c),
                  valueChannel(shape, args, c - vectors));
}

void Conv::begin() {
  int64_t kept = shape.taps - 1;
  k.forThreads(shape.width(), [&](V c) {
    V channel = channelOf(c);
    for (int64_t row = 0; row < kept; ++row) {
      V value =
          k.load(shape.windowType, windowOf(shape, args, channel, k.i64(row)));
      k.store(k.convert(value, k.f32()), window, c * (kept * 4) + row * 4);
    }
  });
  if (shape.parts == 1)
    return;
  // The last part to have read the window is the one to write what all read.
  // Barriers of the block alone: nothing was written that others read, and what
  // was read has come, as it lies in shared memory.
  DeviceBuilder::SharedScope scope(k);
  V last = k.shared(4);
  k.barrier();
  k.onFirstThread([&] {
    auto count = [&](int64_t value) {
      return k.addCounter(args.readers, k.i32(value),
                          mlir::LLVM::AtomicOrdering::acq_rel);
    };
    V before = count(1);
    V all = before == k.i32(shape.parts - 1);
    k.store(k.select(all, k.i32(1), k.i32(0)), last);
    k.ifThen(all, [&] { count(-shape.parts); });
  });
  k.barrier();
  writesKeys = k.load(k.i32(), last) == 1;
  k.barrier();
}

/// Where the part's channel \p c is in the rows.
V Conv::column(V c, const DeltaRow &row) {
  int64_t keyDim = shape.keyDim;
  return k.select(c < keyDim, c * 4,
                  k.select(c < 2 * keyDim, c * 4 + (row.key - keyDim * 4),
                           c * 4 + (row.value - keyDim * 8)));
}

SmallVector<V> quartet::gpu::loadTaps(DeviceBuilder &k, const DeltaShape &shape,
                                      const DeltaArgs &args, V channel) {
  SmallVector<V> weights;
  V weight = args.taps + channel * (shape.taps * 4);
  if (shape.taps == 4) {
    V all = k.load(k.vec(4, k.f32()), weight, int64_t(0), 16);
    for (int64_t j = 0; j < 4; ++j)
      weights.push_back(k.extract(all, j));
    return weights;
  }
  for (int64_t j = 0; j < shape.taps; ++j)
    weights.push_back(k.load(k.f32(), weight, j * 4));
  return weights;
}

void Conv::run(V first, V count, V rows, const DeltaRow &row) {
  int64_t taps = shape.taps, kept = taps - 1;
  k.forThreads(shape.width(), [&](V c) {
    V channel = channelOf(c);
    V from = args.input + first * args.inputStride + channel * 4;
    V to = rows + column(c, row), memory = window + c * (kept * 4);
    SmallVector<V> weights = loadTaps(k, shape, args, channel), held;
    for (int64_t r = 0; r < kept; ++r)
      held.push_back(k.load(k.f32(), memory, r * 4));
    held =
        k.fold(k.i64(0), count, kTogether, held, [&](V t, ArrayRef<V> carried) {
          SmallVector<V> last(carried.begin(), carried.end()), inputs;
          for (int64_t i = 0; i < kTogether; ++i)
            inputs.push_back(k.load(
                k.f32(), from, k.min(t + i, count - 1) * args.inputStride));
          for (int64_t i = 0; i < kTogether; ++i) {
            SmallVector<V> all = last;
            all.push_back(asInWindow(k, shape, inputs[i]));
            V sum = all[0] * weights[0];
            for (int64_t j = 1; j < taps; ++j)
              sum = k.fma(all[j], weights[j], sum);
            V inside = t + i < count;
            k.ifThen(inside,
                     [&] { k.store(k.silu(sum), to, (t + i) * row.bytes); });
            for (int64_t j = 0; j < kept; ++j)
              last[j] = k.select(inside, all[1 + j], last[j]);
          }
          return last;
        });
    for (int64_t r = 0; r < kept; ++r)
      k.store(held[r], memory, r * 4);
  });
}

void Conv::end() {
  int64_t kept = shape.taps - 1;
  auto write = [&](V c) {
    V channel = channelOf(c);
    for (int64_t row = 0; row < kept; ++row) {
      V value = k.load(k.f32(), window, c * (kept * 4) + row * 4);
      k.store(k.convert(value, shape.windowType),
              windowOf(shape, args, channel, k.i64(row)));
    }
  };
  k.forThreads(shape.width(), [&](V c) {
    if (!writesKeys)
      return write(c);
    V ours = k.wrap(writesKeys.get()) | (c >= 2 * shape.keyDim);
    k.ifThen(ours, [&] { write(c); });
  });
}
