// Routing, the experts, and the sample.
#include "targets/cpu/StepLowering.h"
#include "targets/cpu/kernels/DotTiles.h"
#include "targets/cpu/kernels/Lanes.h"
#include "targets/cpu/kernels/Rows.h"
#include "targets/cpu/kernels/Sample.h"
#include "targets/cpu/kernels/Stage.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::cpu;

LogicalResult StepLowering::lower(tile::RouteOp op) {
  if (op.getWeights())
    return noLowering(op);
  GroupsLayout layout = layoutOf(op);
  Buffer logits = buffer(op.getSource());
  // At the start of local memory, where no phase puts anything else.
  V groups = local;
  result.localBytes = std::max(result.localBytes, layout.bytes);
  k.call(routeKernel(k, layout, op.getRenormalize()),
         {logits.data, k.i64(logits.rowBytes),
          k.i64(op.getGateColumn().value_or(op.getExperts())), numTokens,
          groups});
  groupData[op.getGroups()] = groups;
  return success();
}

void StepLowering::lower(tile::ExpertUpOp op) {
  tile::RouteOp route = routeOf(op.getGroups());
  GroupsLayout layout = layoutOf(route);
  V groups = groupData[op.getGroups()];
  auto matrix = declared<tile::MatrixOp>(op.getMatrix());
  PackedFormat format = matrix.getPackedFormat();
  PanelLayout panels(format, matrix.getColumns());
  int64_t tile = op.getTile(), intermediate = op.getIntermediate();

  V block = coordinate(op.getExpert());
  ExpertPairs pairs = pairsOf(groups, layout, block);
  V expert = pairs.expert, first = pairs.first, count = pairs.count;
  V index = coordinate(op.getIndex());
  V data = weightData(op.getMatrix()) +
           expert * (panels.bytes * panelCount(matrix.getRows()));
  V gatePanels = data + index * (tile / kPanelRows * panels.bytes);
  V upPanels = gatePanels + panelCount(intermediate) * panels.bytes;
  V rowsHere = columnsOfTile(index, tile, intermediate);
  V panelsHere = (rowsHere + (kPanelRows - 1)) / kPanelRows;
  // What this worker will probably do next: the task that is as many further as
  // there are workers.
  int64_t perExpert = ceilDiv(intermediate, tile);
  V task = block * perExpert + index + workers;
  V blocks = k.load(k.i64(), groups + layout.blockCount);
  V nextExpert = element32(groups + layout.blockExperts,
                           k.min(task / perExpert, blocks - 1));
  V nextPanels = weightData(op.getMatrix()) +
                 nextExpert * (panels.bytes * panelCount(matrix.getRows())) +
                 task % perExpert * (tile / kPanelRows * panels.bytes);

  Tile source;
  if (op.getRows())
    source = tiles[op.getRows()];
  else {
    Buffer rows = buffer(*op.getSource());
    source = {rows.data, k.i64(rows.rowBytes), numTokens};
  }
  int64_t rowBytes =
      stagedRowBytes(format.activationGroup(), matrix.getColumns());
  int64_t most = std::min<int64_t>(kBlockPairs, route.getTokens());
  V gathered = localMemory(rowBytes * most);
  V gate = localMemory(tile * 4 * most), up = localMemory(tile * 4 * most);
  Buffer h = buffer(op.getH());
  V accStride = k.i64(tile * 4);
  V tokens = groups + layout.pairTokens + first * 4;
  V firstToken = element32(tokens, k.i64(0));
  V lastToken = element32(tokens, count - 1);
  // Neighbouring tokens are used where they are.
  V together = lastToken - firstToken == count - 1;
  V rows = k.ifElse(
      together,
      [&] {
        return llvm::SmallVector<V>{source.data + firstToken * source.stride};
      },
      [&] {
        k.call(gatherRowsKernel(k),
               {source.data, source.stride, tokens, count, gathered});
        return llvm::SmallVector<V>{gathered};
      })[0];
  Tile factors = {rows, source.stride, count};
  if (splitsRows(format))
    factors = split(factors, panels.paddedColumns,
                    localMemory(splitRowsBytes(panels.paddedColumns, most)));
  for (auto [weights, acc, next] : {std::tuple(gatePanels, gate, upPanels),
                                    std::tuple(upPanels, up, nextPanels)})
    multiply(format, {weights, k.i64(panels.bytes), panelsHere}, factors,
             panels.paddedColumns, acc, accStride, next);
  siluMulRows({gate, accStride, count}, {up, accStride, count}, panelsHere, h,
              first, index, tile);
}

void StepLowering::lower(tile::ExpertDownOp op) {
  tile::RouteOp route = routeOf(op.getGroups());
  GroupsLayout layout = layoutOf(route);
  V groups = groupData[op.getGroups()];
  auto matrix = declared<tile::MatrixOp>(op.getMatrix());
  PackedFormat format = matrix.getPackedFormat();
  PanelLayout panels(format, matrix.getColumns());
  int64_t tile = op.getTile(), outputs = matrix.getRows();
  V index = coordinate(op.getIndex());
  V firstPanel = index * (tile / kPanelRows * panels.bytes);
  V rowsHere = columnsOfTile(index, tile, outputs);
  V panelsHere = (rowsHere + (kPanelRows - 1)) / kPanelRows;
  Buffer h = buffer(op.getH()), x = buffer(op.getX());
  int64_t most = std::min<int64_t>(kBlockPairs, route.getTokens());
  V acc = localMemory(tile * 4 * most);
  V accStride = k.i64(tile * 4);
  V splitMemory;
  if (splitsRows(format))
    splitMemory = localMemory(splitRowsBytes(panels.paddedColumns, most));
  V matrixData = weightData(op.getMatrix());
  V expertBytes = k.i64(panels.bytes * panelCount(outputs));
  V target = x.data + index * (tile * 4), targetStride = k.i64(x.rowBytes);
  // Rows of x lie a power of two apart: what tasks of many tokens add to would
  // all fall into a few sets of the cache.
  bool aside = step.getKind() == tile::StepKind::Many;
  V sum = target, sumStride = targetStride;
  if (aside) {
    sum = localMemory(tile * 4 * route.getTokens());
    sumStride = accStride;
    k.call(copyRowsKernel(k, /*add=*/false),
           {target, targetStride, sum, sumStride, numTokens, rowsHere});
  }
  V blocks = k.load(k.i64(), groups + layout.blockCount);
  k.loop(blocks, [&](V i) {
    auto panelsOf = [&](V expert) {
      return matrixData + expert * expertBytes + firstPanel;
    };
    auto [expert, row, count] = pairsOf(groups, layout, i);
    V next = element32(groups + layout.blockExperts, k.min(i + 1, blocks - 1));
    Tile factors = {h.data + row * h.rowBytes, k.i64(h.rowBytes), count};
    if (splitMemory)
      factors = split(factors, panels.paddedColumns, splitMemory);
    multiply(format, {panelsOf(expert), k.i64(panels.bytes), panelsHere},
             factors, panels.paddedColumns, acc, accStride, panelsOf(next));
    k.call(addWeightedRowsKernel(k),
           {acc, accStride, groups + layout.pairWeights + row * 4,
            groups + layout.pairTokens + row * 4, count, sum, sumStride,
            rowsHere});
  });
  if (aside)
    k.call(copyRowsKernel(k, /*add=*/false),
           {sum, sumStride, target, targetStride, numTokens, rowsHere});
}

void StepLowering::lower(tile::SampleOp op) {
  V row = coordinate(op.getRow());
  Buffer maxima = buffer(op.getMaxima());
  V options = localMemory(64);
  int64_t place = 0;
  for (const char *name : {"temperature", "top_p", "min_p", "uniform"})
    k.store(k.load(k.f32(), field(name), row * 4), options, 4 * place++);
  V topK = element32(field("top_k"), row);
  topK = k.max(k.min(topK, k.i64(op.getCandidates())), k.i64(1));
  k.call(sampleKernel(k, op.getCandidates()),
         {field("logits") + row * (int64_t(op.getVocabulary()) * 4),
          maxima.data + row * maxima.rowBytes, k.i64(op.getTokenLimit()),
          k.i64(op.getTile()), topK, options, field("sampled") + row * 4});
}
