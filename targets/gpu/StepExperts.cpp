// Routing, the experts, and the sample.
#include "targets/gpu/StepLowering.h"
#include "targets/gpu/kernels/Route.h"
#include "targets/gpu/kernels/Rows.h"
#include "targets/gpu/kernels/Sample.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

/// What \p op, a route or a choice, reads of the router's logits.
template <typename Op>
static RouterLogits logitsOf(DeviceBuilder &k, Op op, V data,
                             int64_t rowBytes) {
  return {data, k.i64(rowBytes),
          k.i64(op.getGateColumn().value_or(op.getExperts())),
          op.getRenormalize()};
}

LogicalResult StepLowering::lower(tile::ChooseExpertsOp op) {
  GroupsLayout layout(step.getTokens(), op.getExperts(), op.getTopK(),
                      op.getShared(), /*chosen=*/true);
  Buffer logits = buffer(op.getLogits());
  TokenRange tokens = tokensOf(op.getToken(), op.getTile(), false);
  chooseExperts(k, layout, logitsOf(k, op, logits.data, logits.rowBytes),
                tokens.first, tokens.count,
                {buffer(op.getChosen()).data, buffer(op.getWeights()).data});
  return success();
}

LogicalResult StepLowering::lower(tile::RouteOp op) {
  GroupsLayout layout = layoutOf(op);
  Buffer source = buffer(op.getSource());
  // At the start of the worker's memory, where no phase puts anything else.
  V groups = local;
  if (op.getWeights())
    route(k, layout, ChosenExperts{source.data, buffer(*op.getWeights()).data},
          numTokens, op.getTokens(), groups);
  else
    route(k, layout, logitsOf(k, op, source.data, source.rowBytes), numTokens,
          op.getTokens(), groups);
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
  auto [expert, first, count] = pairsOf(groups, layout, block);
  V index = coordinate(op.getIndex());
  V data = weightData(op.getMatrix()) +
           expert * (panels.bytes * panelCount(matrix.getRows()));
  V gatePanels = data + index * (tile / kPanelRows * panels.bytes);
  V upPanels = gatePanels + panelCount(intermediate) * panels.bytes;
  V columnsHere = columnsOfTile(index, tile, intermediate);
  V panelsHere = (columnsHere + (kPanelRows - 1)) / kPanelRows;
  Tile source;
  if (op.getRows()) {
    source = tiles[op.getRows()];
  } else {
    Buffer rows = buffer(*op.getSource());
    source = {rows.data, k.i64(rows.rowBytes), numTokens, rows.parts};
  }
  int64_t most = std::min<int64_t>(kBlockPairs, route.getTokens());
  V stride = k.i64(tile * 4);
  V accs = resultMemory(format, most, 2 * tile * 4 * most);
  V gate = accs, up = accs + tile * 4 * most;
  RowsOperand rows = {source.data, source.stride, count,
                      groups + layout.pairTokens + first * 4,
                      int(source.parts)};
  if (step.getKind() == tile::StepKind::Few) {
    // Gate and up at once.
    auto jobOf = [&](V i) {
      V second = i == 1;
      return MatmulJob{{k.select(second, upPanels, gatePanels), panelsHere},
                       rows,
                       k.select(second, up, gate),
                       stride};
    };
    matmulJobs(k, format, matrix.getColumns(), tile / kPanelRows, most,
               k.i64(2), 2, jobOf, [](V, V) {});
  } else {
    k.barrier();
    // One after the other, by the same code.
    k.loop(k.i64(0), k.i64(2), 1, [&](V i) {
      V second = i == 1;
      multiplyPairs(format, matrix.getColumns(),
                    {k.select(second, upPanels, gatePanels), panelsHere},
                    tile / kPanelRows, rows, most, k.select(second, up, gate),
                    stride);
    });
  }
  siluMulRows({gate, stride, count}, {up, stride, count}, columnsHere,
              buffer(op.getH()), first, index, tile);
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
  V stride = k.i64(tile * 4);
  V matrixData = weightData(op.getMatrix());
  V target = x.data + index * (tile * 4);
  V blocks = k.load(k.i64(), groups + layout.blockCount);
  auto jobOf = [&](V i, V acc) {
    auto [expert, row, count] = pairsOf(groups, layout, i);
    V data = matrixData + expert * (panels.bytes * panelCount(outputs));
    return MatmulJob{{data + firstPanel, panelsHere},
                     {h.data + row * h.rowBytes, k.i64(h.rowBytes), count, V(),
                      int(h.parts)},
                     acc,
                     stride};
  };
  // A thread always has the same columns, so it alone adds to them, expert
  // after expert; the results of pair p are at acc + p * stride.
  auto addPairs = [&](V acc, V begin, V end) {
    V weights = groups + layout.pairWeights,
      tokens = groups + layout.pairTokens;
    k.forThreads(rowsHere, [&](V column) {
      k.loop(begin, end, 1, [&](V pair) {
        V weight = k.load(k.f32(), weights, pair * 4);
        V to = element32(tokens, pair) * x.rowBytes + column * 4;
        V value = k.load(k.f32(), acc, (pair - begin) * stride + column * 4);
        k.store(k.fma(weight, value, k.load(k.f32(), target, to)), target, to);
      });
    });
  };
  if (step.getKind() == tile::StepKind::Few) {
    int64_t pairs = route.getTokens() * layout.perToken;
    V acc = localMemory(tile * 4 * pairs);
    int64_t most = std::min<int64_t>(route.getTokens(), kBlockPairs);
    auto withAcc = [&](V i) {
      return jobOf(i, acc + element32(groups + layout.blockFirst, i) * stride);
    };
    matmulJobs(k, format, matrix.getColumns(), tile / kPanelRows, most, blocks,
               std::min(layout.allExperts, pairs), withAcc,
               [&](V first, V end) {
                 V begin = element32(groups + layout.blockFirst, first);
                 addPairs(acc + begin * stride, begin,
                          element32(groups + layout.blockFirst, end));
               });
    return;
  }
  int64_t most = std::min<int64_t>(kBlockPairs, route.getTokens());
  V acc = resultMemory(format, most, tile * 4 * most);
  k.barrier();
  k.loop(blocks, [&](V i) {
    // Where the sums lie, the product first writes behind its own barrier.
    MatmulJob job = jobOf(i, acc);
    multiplyPairs(format, matrix.getColumns(), job.weights, tile / kPanelRows,
                  job.rows, most, acc, stride);
    V begin = element32(groups + layout.blockFirst, i);
    addPairs(acc, begin, begin + job.rows.count);
  });
}

LogicalResult StepLowering::lower(tile::ExpertPairsOp op) {
  tile::RouteOp route = routeOf(op.getGroups());
  GroupsLayout layout = layoutOf(route);
  V groups = groupData[op.getGroups()];
  auto matrix = declared<tile::MatrixOp>(op.getMatrix());
  PackedFormat format = matrix.getPackedFormat();
  PanelLayout panels(format, matrix.getColumns());
  int64_t tile = op.getTile(), outputs = matrix.getRows();
  auto [expert, first, count] =
      pairsOf(groups, layout, coordinate(op.getExpert()));
  V index = coordinate(op.getIndex());
  V data = weightData(op.getMatrix()) +
           expert * (panels.bytes * panelCount(outputs)) +
           index * (tile / kPanelRows * panels.bytes);
  V rowsHere = columnsOfTile(index, tile, outputs);
  Buffer h = buffer(op.getH()), pairs = buffer(op.getPairs());
  int64_t most = std::min<int64_t>(kBlockPairs, route.getTokens());
  V stride = k.i64(tile * 4);
  V acc = resultMemory(format, most, tile * 4 * most);
  k.barrier();
  multiplyPairs(format, matrix.getColumns(),
                {data, (rowsHere + (kPanelRows - 1)) / kPanelRows},
                tile / kPanelRows,
                {h.data + first * h.rowBytes, k.i64(h.rowBytes), count, V(),
                 int(h.parts)},
                most, acc, stride);
  copyRows(k, /*add=*/false, acc, stride,
           pairs.data + first * pairs.rowBytes + index * (tile * 4),
           k.i64(pairs.rowBytes), count, rowsHere);
  return success();
}

LogicalResult StepLowering::lower(tile::ExpertSumOp op) {
  GroupsLayout layout = layoutOf(routeOf(op.getGroups()));
  V groups = groupData[op.getGroups()];
  TokenRange tokens = tokensOf(op.getToken(), op.getTile(), false);
  Buffer pairs = buffer(op.getPairs()), x = buffer(op.getX());
  overElements(k, tokens.count, k.i64(x.rowBytes / 4), [&](V i, V column) {
    V token = tokens.first + i, at = column * 4;
    V places = groups + layout.tokenPairs + token * (layout.perToken * 4);
    V to = token * x.rowBytes + at;
    V sum = k.load(k.f32(), x.data, to);
    for (int64_t j = 0; j < layout.perToken; ++j) {
      V pair = element32(places, k.i64(j));
      V weight = k.load(k.f32(), groups + layout.pairWeights, pair * 4);
      sum = k.fma(weight,
                  k.load(k.f32(), pairs.data, pair * pairs.rowBytes + at), sum);
    }
    k.store(sum, x.data, to);
  });
  return success();
}

void StepLowering::lower(tile::SampleOp op) {
  V row = coordinate(op.getRow());
  Buffer maxima = buffer(op.getMaxima());
  auto option = [&](StringRef name) {
    return k.load(k.f32(), field(name), row * 4);
  };
  SampleArgs args;
  args.logits = field("logits") + row * (int64_t(op.getVocabulary()) * 4);
  args.maxima = maxima.data + row * maxima.rowBytes;
  args.limit = op.getTokenLimit();
  args.tile = op.getTile();
  args.candidates = op.getCandidates();
  V topK = element32(field("top_k"), row);
  args.topK = k.max(k.min(topK, k.i64(op.getCandidates())), k.i64(1));
  args.options = {option("temperature"), option("top_p"), option("min_p"),
                  option("uniform")};
  args.out = field("sampled") + row * 4;
  sample(k, args);
}
