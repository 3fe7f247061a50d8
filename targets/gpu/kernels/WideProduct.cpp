// Groups of four warps take turns with slabs of columns: one is multiplied
// while the copies of some others are under way.
#include "targets/gpu/kernels/WideProduct.h"
#include "targets/gpu/BulkCopies.h"
#include "targets/gpu/kernels/WideMatmul.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Slabs in shared memory, of which one is being multiplied.
static constexpr int64_t kFewestStages = 2, kMostStages = 4;
/// Between the tokens of a partial sum: their quads fall into different banks.
static constexpr int64_t kTokenPadding = 16;
/// Of a pass: 128 rows of weights, and of one of their tokens the sums.
static constexpr int64_t kPassPanels = 8;
static constexpr int64_t kTokenBytes =
    kPassPanels * kPanelRows * 4 + kTokenPadding;
/// Results of a task of 64 tokens, which lie in shared memory beside slabs.
static constexpr int64_t kResultBytes = kPassPanels * kPanelRows * 4 * 64;

static MatrixElement elementOf(const PackedFormat &format) {
  return format.isInteger() ? MatrixElement::Int8 : MatrixElement::BF16;
}

static int partsOf(const GpuFacts &machine, const PackedFormat &format) {
  return format.isInteger() ? 1 : machine.activationParts;
}

static int64_t sumsOf(const GpuFacts &machine, int64_t tokens) {
  return (machine.warps() / kGroupWarps - 1) * tokens * kTokenBytes;
}

/// What a pass of \p tokens tokens takes with \p stages stages of \p slab.
static int64_t bytesOf(const GpuFacts &machine, const Slab &slab,
                       int64_t tokens, int64_t stages) {
  int64_t slabs =
      machine.warps() / kGroupWarps * (slab.ownBytes + stages * slab.bytes);
  return 2 * kSharedAlign + tokens * 8 +
         std::max(slabs, sumsOf(machine, tokens));
}

/// Whether slabs are half as wide as a row of B: of floats, where 64 tokens
/// and their results have no room with whole ones. Then groups of warps meet
/// twice as often. Columns are added up slab by slab, so that this depends on
/// nothing that differs from product to product.
static bool hasNarrowSlabs(const GpuFacts &machine,
                           const PackedFormat &format) {
  if (format.isInteger())
    return false;
  Slab whole(format, 64, kPassPanels, partsOf(machine, format),
             /*narrow=*/false);
  return bytesOf(machine, whole, 64, kFewestStages) + kResultBytes >
         machine.loneSharedBytes;
}

static Slab slabOf(const GpuFacts &machine, const PackedFormat &format,
                   int64_t tokens) {
  return Slab(format, tokens, kPassPanels, partsOf(machine, format),
              hasNarrowSlabs(machine, format));
}

/// Tokens of a pass are a multiple of it. Those of floats whose columns of a
/// slab the threads of a group bring at once: each has 16 bytes of them.
static int64_t tokenUnit(const GpuFacts &machine, const PackedFormat &format) {
  bool few = partsOf(machine, format) == 1 || hasNarrowSlabs(machine, format);
  return !format.isInteger() && few ? 16 : 8;
}

int64_t quartet::gpu::mostPassTokens(const GpuFacts &machine,
                                     const PackedFormat &format, int64_t rows) {
  int64_t most = format.isInteger() ? kWideIntegerTokens : kWideFloatTokens;
  int64_t tokens = llvm::alignTo(rows, tokenUnit(machine, format));
  if (machine.wgmma && !hasGroupColumns(elementOf(format), tokens))
    tokens = llvm::alignTo(tokens, kManyByteColumns);
  return std::min(most, tokens);
}

int64_t quartet::gpu::fewerPassTokens(const GpuFacts &machine,
                                      const PackedFormat &format,
                                      int64_t tokens) {
  int64_t unit = tokenUnit(machine, format);
  int64_t fewer = tokens / (2 * unit) * unit;
  if (machine.wgmma && !hasGroupColumns(elementOf(format), fewer))
    fewer = llvm::alignDown(fewer, kManyByteColumns);
  return fewer;
}

int64_t quartet::gpu::wideTaskTokens(const GpuFacts &machine,
                                     const PackedFormat &format) {
  // bf16 alone is bounded by what is read: 128 rows of weights and 64 of tokens
  // are 64 bytes a cycle of the matrix unit, 48 with 128 of tokens. fp8 has 48
  // and 40, f16 multiplies three times instead of twice, integers convert; and
  // registers of fp8 and f16 spill 124 bytes with 128 tokens (bf16: 32).
  return isByWarpGroups(machine) && format.value == ValueType::BF16
             ? kWideFloatTokens
             : kWideIntegerTokens;
}

int64_t quartet::gpu::wideRoom(const GpuFacts &machine,
                               const PackedFormat &format, int64_t mostRows) {
  if (!isByWarpGroups(machine) || !wantsWideMatmul(machine, format))
    return 0;
  for (int64_t tokens = mostPassTokens(machine, format, mostRows); tokens > 0;
       tokens = fewerPassTokens(machine, format, tokens)) {
    int64_t bytes = bytesOf(machine, slabOf(machine, format, tokens), tokens,
                            kFewestStages);
    if (bytes <= machine.loneSharedBytes)
      return bytes;
  }
  return 0;
}

WideProduct::WideProduct(DeviceBuilder &k, MatrixElement element,
                         const PackedFormat &format, int64_t columns,
                         const WeightsOperand &weights, const RowsOperand &rows,
                         int64_t tokens, V acc, V accStride)
    : k(k), unit(k, element),
      plan(unit, format, columns, k.machine.warps(), kWeightParts),
      format(plan.format), weights(weights), rows(rows), tokens(tokens),
      slab(slabOf(k.machine, format, tokens)), acc(acc), accStride(accStride) {
  assert(kGroupWarps * unit.tilePanels == kPassPanels && "an mma has 16 rows");
  warpGroups = k.machine.warps() / kGroupWarps;
  sumsBytes = sumsOf(k.machine, tokens);
  int64_t slabs = llvm::divideCeil(plan.layout.paddedColumns, slab.columns);
  share = llvm::divideCeil(slabs, warpGroups);
  ragged = warpGroups * share * slab.columns != plan.layout.paddedColumns;
  copies.emplace(k, plan, slab, weights, rows, tokens, ragged);
  stages = std::min(kMostStages, share + 1);
  while (stages >= kFewestStages &&
         bytesOf(k.machine, slab, tokens, stages) > k.sharedRoom())
    --stages;
  if (stages < kFewestStages)
    stages = 0;
  group = k.warp() >> 2;
  warpPanel = (k.warp() & (kGroupWarps - 1)) * unit.tilePanels + unit.rowPanel;
}

V WideProduct::barrierOf(V stage) const {
  return barriers + (group * stages + stage) * kTransferBytes;
}

/// Adds the groups' sums and writes them to acc.
void WideProduct::finish(V firstToken, ArrayRef<V> totals) {
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
    return scratch + (ofGroup * tokens + token) * kTokenBytes + quadBytes;
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

/// Starts the copies of the group's slab number \p slabOfGroup.
void WideProduct::copy(V slabOfGroup, V stage) const {
  copies->start(group * share + slabOfGroup,
                ownRows() + slab.ownBytes + stage * slab.bytes, firstPanel,
                offsets, barrierOf(stage));
}

void WideProduct::pass(V firstToken) {
  k.forThreads(k.i64(tokens), [&](V token) {
    k.store(rowOffset(k, rows, firstToken + token), offsets, token * 8);
  });
  V ofThread = barriers + k.thread() * kTransferBytes;
  if (copies->areBulk())
    k.ifThen(k.thread() < warpGroups * stages,
             [&] { beginTransfers(k, ofThread, kPassPanels); });
  // Barriers of copies, and what copies write over: sums of the pass before.
  if (k.machine.wgmma || copies->areBulk())
    groupFence(k);
  k.barrier();
  for (int64_t i = 0; i + 1 < stages; ++i) {
    copy(k.i64(i), k.i64(i));
    if (copies->areAsync())
      k.commitCopies();
  }
  SmallVector<V> totals(size_t(blocks() * 4 * unit.together), k.f32(0));
  auto slabOf = [&](V i, ArrayRef<V> before) {
    V number = group * share + i;
    SmallVector<V> mine = loadRows(number);
    if (copies->areAsync())
      k.waitCopies(stages - 2);
    if (k.machine.wgmma && mine.empty())
      groupFence(k);
    // The group has the slab, and has done with the one before.
    k.groupBarrier();
    V next = i + (stages - 1), stage = i % stages;
    k.ifThen(next < share, [&] { copy(next, next % stages); });
    if (copies->areAsync())
      k.commitCopies();
    if (!mine.empty()) {
      storeRows(mine);
      if (k.machine.wgmma)
        groupFence(k);
      k.groupBarrier();
    }
    if (copies->areBulk())
      awaitTransfer(k, barrierOf(stage), i / stages & 1);
    return multiplySlab(number, ownRows() + slab.ownBytes + stage * slab.bytes,
                        before);
  };
  totals = k.fold(k.i64(0), k.i64(share), 1, totals, slabOf);
  k.barrier(); // the stages become room for partial sums
  if (copies->areBulk())
    k.ifThen(k.thread() < warpGroups * stages,
             [&] { endTransfers(k, ofThread); });
  finish(firstToken, totals);
}

void WideProduct::all(int64_t mostPanels) {
  DeviceBuilder::SharedScope scope(k);
  scratch =
      k.shared(std::max(warpGroups * groupBytes(), sumsBytes), kSharedAlign);
  offsets = k.shared(tokens * 8);
  barriers = k.shared(warpGroups * stages * kTransferBytes);
  k.loop(k.i64(0), rows.count, tokens, [&](V token) {
    if (mostPanels <= kPassPanels) {
      firstPanel = k.i64(0);
      k.ifThen(weights.panels > k.i64(0), [&] { pass(token); });
      return;
    }
    k.loop(k.i64(0), weights.panels, kPassPanels, [&](V panel) {
      firstPanel = panel;
      pass(token);
    });
  });
}
