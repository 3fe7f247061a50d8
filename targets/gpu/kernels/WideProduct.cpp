// Groups of four warps take turns with slabs of columns: one is multiplied
// while the copies of some others are under way.
#include "targets/gpu/kernels/WideProduct.h"
#include "targets/gpu/BulkCopies.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Slabs in shared memory, of which one is being multiplied.
static constexpr int64_t kFewestStages = 2, kMostStages = 4;
/// Between the tokens of a partial sum: their quads fall into different banks.
static constexpr int64_t kTokenPadding = 16;

WideProduct::WideProduct(DeviceBuilder &k, MatrixElement element,
                         const PackedFormat &format, int64_t columns,
                         const WeightsOperand &weights, const RowsOperand &rows,
                         int64_t tokens, int parts, V acc, V accStride)
    : k(k), unit(k, element),
      plan(unit, format, columns, k.machine.warps(), parts),
      format(plan.format), weights(weights), rows(rows), tokens(tokens),
      slab(format, tokens, panels(), parts), acc(acc), accStride(accStride) {
  warpGroups = k.machine.warps() / kGroupWarps;
  int64_t slabs = llvm::divideCeil(plan.layout.paddedColumns, slab.columns);
  share = llvm::divideCeil(slabs, warpGroups);
  ragged = warpGroups * share * slab.columns != plan.layout.paddedColumns;
  copies.emplace(k, plan, slab, weights, rows, tokens, ragged);
  int64_t room = k.sharedRoom() - 2 * kSharedAlign - tokens * 8;
  if (sumsBytes() <= room)
    stages = std::min(
        {kMostStages, share + 1,
         std::max<int64_t>(0, room / warpGroups - slab.ownBytes) / slab.bytes});
  if (stages < kFewestStages)
    stages = 0;
  group = k.warp() >> 2;
  warpPanel = (k.warp() & (kGroupWarps - 1)) * unit.tilePanels + unit.rowPanel;
}

int64_t WideProduct::tokenBytes() const {
  return panels() * kPanelRows * 4 + kTokenPadding;
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
             [&] { beginTransfers(k, ofThread, panels()); });
  if (k.machine.wgmma)
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
      k.shared(std::max(warpGroups * groupBytes(), sumsBytes()), kSharedAlign);
  offsets = k.shared(tokens * 8);
  barriers = k.shared(warpGroups * stages * kTransferBytes);
  k.loop(k.i64(0), rows.count, tokens, [&](V token) {
    if (mostPanels <= panels()) {
      firstPanel = k.i64(0);
      k.ifThen(weights.panels > k.i64(0), [&] { pass(token); });
      return;
    }
    k.loop(k.i64(0), weights.panels, panels(), [&](V panel) {
      firstPanel = panel;
      pass(token);
    });
  });
}
