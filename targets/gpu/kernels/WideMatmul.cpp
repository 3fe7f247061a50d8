// Groups of four warps take turns with slabs of columns: one is multiplied
// while the copies of some others are under way.
#include "targets/gpu/kernels/WideMatmul.h"
#include "targets/gpu/BulkCopies.h"
#include "targets/gpu/kernels/SlabCopies.h"
#include "targets/gpu/kernels/WeightFragments.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Tokens of a pass: their sums are half of the registers of a thread.
static constexpr int64_t kMostTokens = 64;
/// Slabs in shared memory, of which one is being multiplied.
static constexpr int64_t kFewestStages = 2, kMostStages = 4;
/// Between the tokens of a partial sum: their quads fall into different banks.
static constexpr int64_t kTokenPadding = 16;

namespace {
class WideProduct {
public:
  WideProduct(DeviceBuilder &k, const PackedFormat &format, int64_t columns,
              const WeightsOperand &weights, const RowsOperand &rows,
              int64_t mostRows, V acc, V accStride);
  bool fits() const { return stages >= kFewestStages; }
  void all(int64_t mostPanels);

private:
  int64_t blocks() const { return tokens / 8; }
  int64_t panels() const { return kGroupWarps * unit.tilePanels; }
  /// Of a token's partial sums of one group of warps, and of all that meet.
  int64_t tokenBytes() const {
    return panels() * kPanelRows * 4 + kTokenPadding;
  }
  int64_t sumsBytes() const { return (warpGroups - 1) * tokens * tokenBytes(); }

  void pass(V firstPanel, V firstToken);
  /// The barrier of stage \p stage (i64) of the thread's group.
  V barrierOf(V stage) const;
  SmallVector<V> multiplySlab(V stage, ArrayRef<V> before) const;
  void multiplyGroup(V stage, int64_t chunk, int64_t group, ArrayRef<V> words,
                     SmallVector<V> &totals) const;
  V quadAt(V stage, int64_t at, int64_t panelBytes, int64_t group,
           int64_t bytes) const;
  void finish(V firstPanel, V firstToken, ArrayRef<V> totals);

  DeviceBuilder &k;
  MatrixUnit unit;
  ColumnPlan plan;
  const PackedFormat &format;
  WeightsOperand weights;
  RowsOperand rows;
  V acc, accStride;
  int64_t tokens; ///< of a pass
  Slab slab;
  int64_t share;      ///< slabs of a group of warps
  int64_t warpGroups; ///< of the block
  int64_t stages = 0; ///< slabs of each in shared memory
  V group;            ///< of the warp
  V warpPanel;        ///< of the thread's rows of weights in the pass
  std::optional<SlabCopies> copies;
  V offsets;  ///< shared: of the tokens' rows, i64
  V scratch;  ///< shared: stages of all groups
  V barriers; ///< shared: one for each stage, of bulk copies
};
} // namespace

WideProduct::WideProduct(DeviceBuilder &k, const PackedFormat &format,
                         int64_t columns, const WeightsOperand &weights,
                         const RowsOperand &rows, int64_t mostRows, V acc,
                         V accStride)
    : k(k), unit(k, MatrixElement::Int8),
      plan(unit, format, columns, k.machine.warps(), 1), format(plan.format),
      weights(weights), rows(rows), acc(acc), accStride(accStride),
      tokens(std::min<int64_t>(kMostTokens, llvm::alignTo(mostRows, 8))),
      slab(format, tokens, panels()) {
  warpGroups = k.machine.warps() / kGroupWarps;
  int64_t slabs = llvm::divideCeil(plan.layout.paddedColumns, kSlabColumns);
  share = llvm::divideCeil(slabs, warpGroups);
  bool ragged = warpGroups * share * kSlabColumns != plan.layout.paddedColumns;
  copies.emplace(k, plan, slab, weights, rows, tokens, ragged);
  int64_t room = k.sharedRoom() - 2 * kSharedAlign - kMostTokens * 8;
  if (sumsBytes() <= room)
    stages =
        std::min({kMostStages, share + 1, room / (warpGroups * slab.bytes)});
  group = k.warp() >> 2;
  warpPanel = (k.warp() & (kGroupWarps - 1)) * unit.tilePanels + unit.rowPanel;
}

V WideProduct::barrierOf(V stage) const {
  return barriers + (group * stages + stage) * kTransferBytes;
}

/// The lane's four scales (or mins) of a group of the slab.
V WideProduct::quadAt(V stage, int64_t at, int64_t panelBytes, int64_t group,
                      int64_t bytes) const {
  V from = stage + warpPanel * panelBytes + unit.rowQuad * (4 * bytes);
  return fourScales(k, format.scale, [&](Type type) {
    return k.load(type, from, at + group * kPanelRows * bytes,
                  unsigned(4 * bytes));
  });
}

/// Adds the products of one group of columns; \p words are the lane's of the
/// chunk that it is in.
void WideProduct::multiplyGroup(V stage, int64_t chunk, int64_t group,
                                ArrayRef<V> words,
                                SmallVector<V> &totals) const {
  SmallVector<V> own(words);
  if (plan.chunkGroups > 1) {
    // In a step of several groups the others' columns are multiplied by 0.
    V laneGroup = unit.kLane * plan.unitColumns >>
                  int(llvm::Log2_64(uint64_t(format.group)));
    for (V &word : own)
      word = k.select(laneGroup == group, word, k.zero(word.type()));
  }
  int64_t number = chunk * plan.chunkGroups + group; // in the slab
  int64_t count = int64_t(own.size()) / unit.kWords; // of instructions
  int64_t bytes = scaleBytes(format.scale);
  V scale = quadAt(stage, slab.scalesAt, slab.scales, number, bytes), zero;
  if (byteMultiple(format) > 1)
    scale = scale * (1.0 / double(byteMultiple(format)));
  if (format.zero == ZeroKind::Min)
    zero = quadAt(stage, slab.zerosAt, slab.zeros, number, bytes);
  if (format.zero == ZeroKind::Point) {
    V from = stage + warpPanel * slab.zeros + unit.rowQuad * 4;
    zero = k.zeroExtend(
        k.load(k.vec(4, k.i8()), from, slab.zerosAt + number * kPanelRows, 4),
        k.vec(4, k.i32()));
    zero = k.constant(zero.type(), int64_t(128)) - zero * byteMultiple(format);
  }
  // Of two tokens of eight.
  auto pair = [&](Type type, int64_t at, int64_t block) {
    V from = stage + unit.kLane * 8;
    return k.load(k.vec(2, type), from, at + (number * tokens + block * 8) * 4,
                  8);
  };
  auto add = [&](int64_t half, int64_t block, ArrayRef<V> sums) {
    V factors = pair(k.f32(), slab.factorsAt, block), rowSums;
    if (zero)
      rowSums = pair(k.i32(), slab.sumsAt, block);
    for (int64_t i = 0; i < 4; ++i) {
      int64_t place = 2 * half + i / 2, token = i % 2;
      V &total = totals[(half * blocks() + block) * 4 + i];
      V factor = k.extract(factors, token), sum = sums[i], rowSum;
      if (zero)
        rowSum = k.extract(rowSums, token);
      if (format.zero == ZeroKind::Point)
        sum = sum + k.extract(zero, place) * rowSum;
      if (format.zero == ZeroKind::Min)
        sum = sum + rowSum * int64_t(128);
      total = k.fma(k.toFloat(sum, k.f32()), k.extract(scale, place) * factor,
                    total);
      if (format.zero == ZeroKind::Min)
        total = k.fma(k.extract(zero, place),
                      factor * k.toFloat(rowSum, k.f32()), total);
    }
  };
  auto operand = [&](int64_t half, int64_t i) {
    return unit.operandA(half,
                         ArrayRef<V>(own).slice(i * unit.kWords, unit.kWords));
  };
  int64_t firstByte = chunk * count * 32;
  if (k.machine.wgmma) {
    V descriptor = groupDescriptor(k, stage);
    SmallVector<V> descriptors;
    for (int64_t i = 0; i < count; ++i)
      descriptors.push_back(descriptor + (firstByte + i * 32) / 16);
    for (int64_t half = 0; half < unit.together; ++half) {
      SmallVector<V> a;
      for (int64_t i = 0; i < count; ++i)
        a.append(operand(half, i));
      SmallVector<V> sums =
          groupMultiply(k, MatrixElement::Int8, tokens, a, descriptors);
      for (int64_t block = 0; block < blocks(); ++block)
        add(half, block, ArrayRef<V>(sums).slice(block * 4, 4));
    }
    return;
  }
  for (int64_t block = 0; block < blocks(); ++block) {
    SmallVector<MatrixUnit::Sum> sums(unit.together, unit.zero());
    for (int64_t i = 0; i < count; ++i) {
      SmallVector<V> b;
      for (int64_t word = 0; word < unit.kWords; ++word) {
        V byte = unit.kLane * 4 + (firstByte + i * 32 + word * 16);
        b.push_back(k.load(k.i32(), stage + groupRowOffset(unit.token, byte),
                           block * 8 * kGroupRowBytes, 4));
      }
      for (int64_t half = 0; half < unit.together; ++half)
        sums[half] = unit.multiply(operand(half, i), b, sums[half]);
    }
    for (int64_t half = 0; half < unit.together; ++half)
      add(half, block, sums[half]);
  }
}

SmallVector<V> WideProduct::multiplySlab(V stage, ArrayRef<V> before) const {
  SmallVector<V> totals(before);
  int64_t unitBytes = plan.unitLines * kPanelAlign;
  V values = stage + warpPanel * slab.values + unit.rowQuad * 16 +
             unit.kLane * unitBytes;
  for (int64_t chunk = 0; chunk < kSlabColumns / plan.chunkColumns; ++chunk) {
    SmallVector<V> words;
    for (int64_t step = 0; step < plan.steps; ++step) {
      SmallVector<V> lines;
      int64_t first = (chunk * plan.steps + step) * plan.kLanes * unitBytes;
      for (int64_t line = 0; line < plan.unitLines; ++line)
        lines.push_back(k.load(k.vec(4, k.i32()), values,
                               slab.valuesAt + first + line * kPanelAlign, 16));
      words.append(weightWords(k, plan, lines)[0]);
    }
    for (int64_t group = 0; group < plan.chunkGroups; ++group)
      multiplyGroup(stage, chunk, group, words, totals);
  }
  return totals;
}

/// Adds the groups' sums and writes them to acc.
void WideProduct::finish(V firstPanel, V firstToken, ArrayRef<V> totals) {
  V quadBytes = warpPanel * (kPanelRows * 4) + unit.rowQuad * 16;
  // Quads of rows, as they lie in memory.
  auto overQuads = [&](llvm::function_ref<void(V token, V quad)> body) {
    for (int64_t block = 0; block < blocks(); ++block)
      for (int64_t t = 0; t < unit.tokenPlaces; ++t) {
        V quad = k.zero(k.vec(4, k.f32()));
        for (int64_t place = 0; place < 4; ++place)
          quad = k.insert(
              totals[(place / 2 * blocks() + block) * 4 + place % 2 * 2 + t],
              quad, place);
        body(unit.resultToken(t) + block * 8, quad);
      }
  };
  auto partial = [&](V ofGroup, V token) {
    return scratch + (ofGroup * tokens + token) * tokenBytes() + quadBytes;
  };
  if (warpGroups > 1) {
    k.ifThen(group > k.i64(0), [&] {
      overQuads([&](V token, V quad) {
        k.store(quad, partial(group - 1, token), V(), 16);
      });
    });
    k.barrier();
  }
  V tokensHere = rows.count - firstToken;
  V to =
      acc + firstToken * accStride + firstPanel * (kPanelRows * 4) + quadBytes;
  k.ifThen((group == 0) & (firstPanel + warpPanel < weights.panels), [&] {
    overQuads([&](V token, V quad) {
      k.ifThen(token < tokensHere, [&] {
        V sum = quad;
        for (int64_t other = 0; other + 1 < warpGroups; ++other)
          sum = sum + k.load(sum.type(), partial(k.i64(other), token), V(), 16);
        k.store(sum, to, token * accStride, 16);
      });
    });
  });
  k.barrier();
}

void WideProduct::pass(V firstPanel, V firstToken) {
  k.forThreads(k.i64(tokens), [&](V token) {
    // Beyond the last token it is that one.
    V number = k.min(firstToken + token, rows.count - 1);
    if (rows.gather)
      number = k.loadIndex(rows.gather, number);
    k.store(number * rows.stride, offsets, token * 8);
  });
  V ofThread = barriers + k.thread() * kTransferBytes;
  if (copies->areBulk()) {
    k.ifThen(k.thread() < warpGroups * stages,
             [&] { beginTransfers(k, ofThread, panels()); });
    groupFence(k);
  }
  k.barrier();
  V own = scratch + group * (stages * slab.bytes);
  auto copy = [&](V i, V stage) {
    copies->start(group * share + i, own + stage * slab.bytes, firstPanel,
                  offsets, barrierOf(stage));
  };
  for (int64_t i = 0; i + 1 < stages; ++i) {
    copy(k.i64(i), k.i64(i));
    k.commitCopies();
  }
  SmallVector<V> totals(size_t(blocks() * 4 * unit.together), k.f32(0));
  auto slabOf = [&](V i, ArrayRef<V> before) {
    k.waitCopies(stages - 2);
    if (k.machine.wgmma)
      groupFence(k);
    // All have the slab, and have done with the one before.
    k.barrier();
    V next = i + (stages - 1), stage = i % stages;
    k.ifThen(next < share, [&] { copy(next, next % stages); });
    k.commitCopies();
    if (copies->areBulk())
      awaitTransfer(k, barrierOf(stage), i / stages & 1);
    return multiplySlab(own + stage * slab.bytes, before);
  };
  totals = k.fold(k.i64(0), k.i64(share), 1, totals, slabOf);
  k.barrier(); // the stages become room for partial sums
  if (copies->areBulk())
    k.ifThen(k.thread() < warpGroups * stages,
             [&] { endTransfers(k, ofThread); });
  finish(firstPanel, firstToken, totals);
}

void WideProduct::all(int64_t mostPanels) {
  DeviceBuilder::SharedScope scope(k);
  scratch = k.shared(std::max(warpGroups * stages * slab.bytes, sumsBytes()),
                     kSharedAlign);
  offsets = k.shared(tokens * 8);
  barriers = k.shared(warpGroups * stages * kTransferBytes);
  k.loop(k.i64(0), rows.count, tokens, [&](V token) {
    if (mostPanels <= panels()) {
      k.ifThen(weights.panels > k.i64(0), [&] { pass(k.i64(0), token); });
      return;
    }
    k.loop(k.i64(0), weights.panels, panels(),
           [&](V panel) { pass(panel, token); });
  });
}

bool quartet::gpu::wantsWideMatmul(const GpuFacts &machine,
                                   const PackedFormat &format) {
  return machine.matrix == MatrixFamily::Mma &&
         machine.copy != CopyEngine::None && format.isInteger() &&
         machine.warps() % kGroupWarps == 0;
}

bool quartet::gpu::matmulWide(DeviceBuilder &k, PackedFormat format,
                              int64_t columns, const WeightsOperand &weights,
                              int64_t mostPanels, const RowsOperand &rows,
                              int64_t mostRows, V acc, V accStride) {
  auto isGlobal = [](V pointer) {
    return cast<LLVM::LLVMPointerType>(pointer.type()).getAddressSpace() ==
           kGlobalSpace;
  };
  if (!wantsWideMatmul(k.machine, format) ||
      k.registers() < k.machine.loneRegisters || !isGlobal(rows.data) ||
      mostRows < 8 || mostPanels == 0)
    return false;
  WideProduct product(k, format, columns, weights, rows, mostRows, acc,
                      accStride);
  if (!product.fits())
    return false;
  product.all(mostPanels);
  return true;
}
