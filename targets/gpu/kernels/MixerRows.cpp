// Rows over lanes, and sums that are shared out while they are formed.
#include "targets/gpu/kernels/MixerRows.h"
#include "llvm/Support/MathExtras.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

int64_t quartet::gpu::byteWidth(mlir::Type type) {
  return type.getIntOrFloatBitWidth() / 8;
}

int64_t quartet::gpu::accessBytes(int64_t bytes) {
  return std::min<int64_t>(16, bytes & -bytes);
}

RowSplit::RowSplit(int64_t width, int64_t elementBytes, int64_t align,
                   int64_t leastLanes, int64_t mostLanes)
    : width(width) {
  vec = std::max<int64_t>(
      1, std::min(align, accessBytes(width * elementBytes)) / elementBytes);
  int64_t pieces = width / vec;
  lanes = std::min<int64_t>(mostLanes, llvm::PowerOf2Ceil(pieces));
  lanes = std::max(lanes, leastLanes);
  vectors = ceilDiv(pieces, lanes);
}

V quartet::gpu::inRow(DeviceBuilder &k, const RowSplit &split, V column) {
  return column < split.width;
}

V quartet::gpu::loadRaw(DeviceBuilder &k, mlir::Type type, int64_t count,
                        V pointer, V offset) {
  int64_t bytes = count * byteWidth(type);
  mlir::Type word = bytes >= 4 ? k.i32() : bytes == 2 ? k.i16() : k.i8();
  int64_t words = bytes / byteWidth(word);
  mlir::Type loaded = words == 1 ? word : mlir::Type(k.vec(words, word));
  return k.load(loaded, pointer, offset, unsigned(bytes));
}

V quartet::gpu::widen(DeviceBuilder &k, V raw, mlir::Type type, int64_t count) {
  if (!llvm::isa<mlir::VectorType>(raw.type()))
    raw = k.splat(raw, 1);
  mlir::Type floats = k.vec(count, k.f32());
  if (type.isF32())
    return k.bitcast(raw, floats);
  if (type.isBF16() && count > 1) {
    // The two halves of each word, without shuffling 16-bit registers.
    mlir::Type half = k.vec(count / 2, k.f32());
    V low = k.bitcast(raw << 16, half);
    V high = k.bitcast(raw & int64_t(0xffff0000), half);
    SmallVector<int64_t> order;
    for (int64_t i = 0; i < count; ++i)
      order.push_back(i / 2 + i % 2 * (count / 2));
    return k.shuffle(low, high, order);
  }
  V values = k.bitcast(raw, k.vec(count, type));
  if (type.isInteger(8))
    return k.toFloat(k.signExtend(values, k.vec(count, k.i32())), floats);
  return k.convert(values, floats);
}

SmallVector<V> quartet::gpu::sumShared(DeviceBuilder &k, ArrayRef<V> values,
                                       int64_t lanes, int64_t least) {
  SmallVector<V> sums(values.begin(), values.end());
  while (sums.size() & (sums.size() - 1))
    sums.push_back(k.f32(0));
  for (int64_t mask = lanes / 2; mask >= least; mask /= 2) {
    if (sums.size() == 1) {
      sums[0] = sums[0] + k.shuffleXor(sums[0], mask);
      continue;
    }
    // The lane whose bit is set keeps the upper half.
    V upper = (k.lane() & mask) >= mask;
    size_t half = sums.size() / 2;
    for (size_t i = 0; i < half; ++i) {
      V kept = k.select(upper, sums[half + i], sums[i]);
      V sent = k.select(upper, sums[i], sums[half + i]);
      sums[i] = kept + k.shuffleXor(sent, mask);
    }
    sums.resize(half);
  }
  return sums;
}

SmallVector<V> quartet::gpu::sumShared(DeviceBuilder &k, ArrayRef<V> values,
                                       int64_t lanes) {
  return sumShared(k, values, lanes, 1);
}

V quartet::gpu::acrossLanes(DeviceBuilder &k, V value, int64_t least,
                            int64_t lanes, llvm::function_ref<V(V, V)> join) {
  for (int64_t mask = lanes / 2; mask >= least; mask /= 2)
    value = join(value, k.shuffleXor(value, mask));
  return value;
}

void quartet::gpu::overElements(
    DeviceBuilder &k, int64_t width,
    llvm::function_ref<void(V element, int64_t turn)> body) {
  int64_t lanes = k.machine.lanes;
  for (int64_t turn = 0; turn * lanes < width; ++turn) {
    V element = k.lane() + turn * lanes;
    if ((turn + 1) * lanes <= width) {
      body(element, turn);
      continue;
    }
    k.ifThen(element < width, [&] { body(element, turn); });
  }
}

SmallVector<V> quartet::gpu::loadElements(DeviceBuilder &k, int64_t width,
                                          V row) {
  SmallVector<V> values;
  int64_t lanes = k.machine.lanes;
  for (int64_t turn = 0; turn * lanes < width; ++turn) {
    V element = k.lane() + turn * lanes;
    auto load = [&] { return k.load(k.f32(), row, element * 4); };
    if ((turn + 1) * lanes <= width) {
      values.push_back(load());
      continue;
    }
    // A lane without an element must not read another lane's, which that one
    // may be about to change.
    values.append(k.ifElse(
        element < width, [&] { return SmallVector<V>{load()}; },
        [&] { return SmallVector<V>{k.f32(0)}; }));
  }
  return values;
}
