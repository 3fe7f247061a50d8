// The ends of the step, staging, matrix products and their epilogues.
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "targets/gpu/StepLowering.h"
#include "targets/gpu/kernels/HeadRow.h"
#include "targets/gpu/kernels/Merge.h"
#include "targets/gpu/kernels/Rows.h"
#include "targets/gpu/kernels/SplitRow.h"
#include "targets/gpu/kernels/Stage.h"
#include "targets/gpu/kernels/WideMatmul.h"
#include <utility>

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::StringRef;
using tile::StagedRowLayout;

/// f32 rows that are normalised before they are quantized, at once, in bytes of
/// shared memory: enough for two rows of 35B-A3B's widest input.
static constexpr int64_t kFloatRowBytes = 32 << 10;

/// Pairs of an expert for which its own code is worth while: what experts have
/// on average when 512 tokens choose 8 of 256 is half of it.
static constexpr int64_t kFewPairs = 32;

void StepLowering::beginOp(Operation &op) {
  auto phase = op.getParentOfType<tile::PhaseOp>();
  k.setSite((phase.getSymName() + " / " + op.getName().stripDialect()).str());
}

void StepLowering::lower(tile::EmbedOp op) {
  auto table = declared<tile::VectorOp>(op.getTable());
  auto type = cast<RankedTensorType>(table.getType());
  TokenRange tokens = tokensOf(op.getToken(), op.getTile(), false);
  Buffer x = buffer(op.getX());
  embedRows(k, type.getElementType(), weightData(op.getTable()),
            field("tokens") + tokens.first * 4, tokens.count,
            type.getDimSize(1), x.data + tokens.first * x.rowBytes,
            k.i64(x.rowBytes));
}

void StepLowering::lower(tile::RopeTableOp op) {
  TokenRange tokens = tokensOf(op.getToken(), op.getTile(), false);
  Buffer table = buffer(op.getTable());
  ropeTable(k, op.getInvFreq(), op.getAxes(), op.getScale().convertToFloat(),
            field("positions") + tokens.first * 4, numTokens * 4, tokens.count,
            table.data + tokens.first * table.rowBytes, k.i64(table.rowBytes));
}

void StepLowering::lower(tile::ReadHiddenOp op) {
  TokenRange tokens = tokensOf(op.getToken(), op.getTile(), false);
  Buffer x = buffer(op.getX()); // rows without padding, as in the argument
  V stride = k.i64(x.rowBytes), first = tokens.first * x.rowBytes;
  copyRows(k, /*add=*/false, field("hidden_in") + first, stride, x.data + first,
           stride, tokens.count, k.i64(x.rowBytes / 4));
}

void StepLowering::lower(tile::WriteHiddenOp op) {
  TokenRange tokens = tokensOf(op.getToken(), op.getTile(), false);
  Buffer x = buffer(op.getX());
  V to = field("hidden_out");
  k.barrier();
  rmsNormRows(
      k, tokens.count, op.getTile(), x.rowBytes / 4, weightData(op.getWeight()),
      k.f32(op.getEps().convertToDouble()),
      [&](V row) { return x.data + (tokens.first + row) * x.rowBytes; },
      [&](V row) { return to + (tokens.first + row) * x.rowBytes; });
}

void StepLowering::floatRows(tile::StageOp op, TokenRange tokens, V first,
                             V rows, int64_t most,
                             llvm::function_ref<V(V)> to) {
  int64_t columns = op.getRows().getType().getColumns();
  Buffer source = buffer(op.getSource());
  V wanted = op.getChosen() ? field("rows") : V();
  auto tokenOf = [&](V row) {
    V token = tokens.first + first + row;
    return op.getChosen() ? element32(wanted, token) : token;
  };
  auto from = [&](V row) {
    return source.data + tokenOf(row) * source.rowBytes;
  };
  if (op.getStaging() == tile::Staging::RmsNorm) {
    rmsNormRows(k, rows, most, columns, weightData(*op.getWeight()),
                k.f32(op.getEps()->convertToDouble()), from, to);
    return;
  }
  if (op.getStaging() == tile::Staging::Plain) {
    stageFloatRows(k, rows, columns, columns, from, to);
    return;
  }
  Buffer gate;
  if (op.getGate())
    gate = buffer(*op.getGate());
  auto gateOf = [&](V row, V column) {
    return gate.data + tokenOf(row) * gate.rowBytes +
           (column + int64_t(op.getGateColumn())) * 4;
  };
  if (op.getStaging() == tile::Staging::GatedNorm) {
    auto weight = declared<tile::VectorOp>(*op.getWeight());
    int64_t width = cast<RankedTensorType>(weight.getType()).getNumElements();
    int64_t heads = columns / width;
    V weights = weightData(*op.getWeight());
    k.forWarps(rows * heads, [&](V number) {
      V row = number / heads, column = number % heads * width;
      gatedNormHead(k, width, from(row) + column * 4, gateOf(row, column),
                    weights, k.f32(op.getEps()->convertToDouble()),
                    *op.getActivation() == tile::Gate::Silu,
                    to(row) + column * 4);
    });
    return;
  }
  // Merge: [tokens, heads, ranges, record], ranges as wide as the page table.
  auto partials = cast<MemRefType>(source.type);
  auto declared = cast<tile::BufferOp>(
      SymbolTable::lookupSymbolIn(step.getOperation(), op.getSource()));
  int64_t heads = partials.getDimSize(1), width = columns / heads;
  int64_t record = partials.getDimSize(3) * 4;
  V allRanges = k.i64(1);
  if (auto pages = declared.getPiecePages())
    allRanges = rangesOf(tableWidth * 64, *pages);
  k.forWarps(rows * heads, [&](V number) {
    V row = number / heads, head = number % heads, token = tokenOf(row);
    V ranges = k.i64(1);
    if (auto pages = declared.getPiecePages())
      ranges = rangesOf(placeOf(token) + 1, *pages);
    V records = source.data + (token * heads + head) * allRanges * record;
    mergeRecords(k, width, records, k.i64(record), ranges,
                 op.getGate() ? gateOf(row, head * width) : V(),
                 to(row) + head * (width * 4));
  });
}

void StepLowering::lower(tile::StageOp op) {
  tile::RowsType type = op.getRows().getType();
  TokenRange tokens = tokensOf(op.getToken(), type.getTokens(), op.getChosen());
  Buffer source = buffer(op.getSource());
  int64_t group = type.getGroup(), columns = type.getColumns();
  StagedRowLayout layout(group, columns);
  // Rows that were staged when they were written are used where they are.
  if (isa<tile::RowsType>(source.type)) {
    tiles[op.getRows()] = {source.data + tokens.first * source.rowBytes,
                           k.i64(source.rowBytes), tokens.count, source.parts};
    return;
  }
  V rows;
  int64_t parts = 0;
  if (op.getPublish()) { // straight to where all read them
    Buffer shared = buffer(*op.getPublish());
    rows = shared.data + tokens.first * layout.bytes;
    parts = shared.parts;
  } else {
    rows = localMemory(layout.bytes * type.getTokens());
  }
  tiles[op.getRows()] = {rows, k.i64(layout.bytes), tokens.count, parts};
  auto stagedAt = [&](V row) { return rows + row * layout.bytes; };
  bool fresh = std::exchange(freshShared, false);
  if (group == 0 && !parts) {
    if (!fresh)
      k.barrier();
    floatRows(op, tokens, k.i64(0), tokens.count, type.getTokens(), stagedAt);
    if (int64_t padding = layout.bytes / 4 - columns)
      k.forThreads(tokens.count * padding, [&](V i) {
        k.store(k.f32(0), stagedAt(i / padding), (i % padding + columns) * 4);
      });
    return;
  }
  // A few rows at a time become f32 in shared memory, then int8 or bf16.
  DeviceBuilder::SharedScope scope(k);
  int64_t rowBytes = quartet::tile::alignTo64(columns * 4);
  int64_t atOnce = std::max<int64_t>(
      1, std::min(type.getTokens(), kFloatRowBytes / rowBytes));
  V floats = localMemory(rowBytes * atOnce);
  k.loop(k.i64(0), tokens.count, atOnce, [&](V first) {
    V count = k.min(tokens.count - first, k.i64(atOnce));
    auto floatAt = [&](V row) { return floats + row * rowBytes; };
    if (!fresh || type.getTokens() > atOnce)
      k.barrier();
    floatRows(op, tokens, first, count, atOnce, floatAt);
    k.barrier();
    auto to = [&](V row) { return stagedAt(first + row); };
    if (parts)
      splitRows(k, count, columns, floatAt, to, int(parts));
    else
      quantizeRows(k, group, count, columns, floatAt, to);
  });
}

void StepLowering::multiply(const PackedFormat &format, int64_t columns,
                            const WeightsOperand &weights, int64_t mostPanels,
                            const RowsOperand &rows, int64_t mostRows, V acc,
                            V accStride) {
  if (step.getKind() == tile::StepKind::Many &&
      matmulWide(k, format, columns, weights, mostPanels, rows, mostRows, acc,
                 accStride))
    return;
  matmul(k, format, columns, weights, mostPanels, rows, mostRows, acc,
         accStride);
}

void StepLowering::multiplyPairs(const PackedFormat &format, int64_t columns,
                                 const WeightsOperand &weights,
                                 int64_t mostPanels, const RowsOperand &rows,
                                 int64_t mostRows, V acc, V accStride) {
  auto upTo = [&](int64_t most) {
    multiply(format, columns, weights, mostPanels, rows, most, acc, accStride);
  };
  // A wide product takes as long for one row as for all it is made for.
  if (mostRows <= kFewPairs || !makesWideMatmul(k, format))
    return upTo(mostRows);
  k.ifThen(
      rows.count < kFewPairs + 1, [&] { upTo(kFewPairs); },
      [&] { upTo(mostRows); });
}

LogicalResult StepLowering::lower(tile::MatmulOp op) {
  Tile rows = tiles[op.getRows()];
  k.barrier();
  for (auto [value, argument] :
       llvm::zip(op.getWeights(), op.getEpilogue().getArguments())) {
    auto type = cast<tile::WeightsType>(value.getType());
    auto acc = cast<tile::AccType>(argument.getType());
    int64_t panels = panelCount(acc.getRows());
    int64_t stride = panels * kPanelRows * 4;
    V out = resultMemory(type.getPackedFormat(), acc.getTokens(),
                         stride * acc.getTokens());
    Tile weights = tiles[value];
    multiply(type.getPackedFormat(), type.getColumns(),
             {weights.data, weights.count}, panels,
             {rows.data, rows.stride, rows.count, V(), int(rows.parts)},
             acc.getTokens(), out, k.i64(stride));
    tiles[argument] = {out, k.i64(stride), rows.count};
  }
  return lowerBody(op.getEpilogue().front());
}

void StepLowering::lower(tile::StoreOp op) {
  tile::AccType type = op.getAcc().getType();
  Tile acc = tiles[op.getAcc()];
  Buffer to = buffer(op.getBuffer());
  TokenRange tokens = tokensOf(op.getToken(), type.getTokens(), false);
  V index = coordinate(op.getIndex());
  int64_t width = op.getWidth().value_or(type.getRows());
  V column = index * width + int64_t(op.getColumn());
  copyRows(k, op.getAdd(), acc.data + int64_t(op.getFrom()) * 4, acc.stride,
           to.data + tokens.first * to.rowBytes + column * 4,
           k.i64(to.rowBytes), acc.count,
           columnsOfTile(index, width, op.getColumns()));
}

void StepLowering::lower(tile::StoreHeadOp op) {
  tile::AccType type = op.getAcc().getType();
  int64_t width = op.getWidth();
  Tile acc = tiles[op.getAcc()];
  TokenRange tokens = tokensOf(op.getToken(), type.getTokens(), false);
  V head = coordinate(op.getHead());
  // A warp has a token's head from the norm to the store.
  k.forWarps(acc.count, [&](V i) {
    V token = tokens.first + i;
    V row = acc.data + i * acc.stride + int64_t(op.getFrom()) * 4;
    if (op.getNorm()) {
      Buffer table = buffer(*op.getRope());
      int64_t pairs = cast<MemRefType>(table.type).getDimSize(1) / 2;
      headRow(k, width, pairs, row, weightData(*op.getNorm()),
              k.f32(op.getEps()->convertToDouble()),
              table.data + token * table.rowBytes, row);
    }
    if (!op.getCache()) {
      Buffer to = buffer(op.getTarget());
      V out = to.data + token * to.rowBytes + head * (width * 4);
      k.forLanes(k.i64(width), [&](V c) {
        k.store(k.load(k.f32(), row, c * 4), out, c * 4);
      });
      return;
    }
    CacheRow to = cacheRow(op, token, head);
    storeHead(k, width, to.type, row, to.row, to.scale);
  });
}

void StepLowering::lower(tile::StoreLogitsOp op) {
  tile::AccType type = op.getAcc().getType();
  Tile acc = tiles[op.getAcc()];
  Buffer maxima = buffer(op.getMaxima());
  TokenRange rows = tokensOf(op.getToken(), type.getTokens(), true);
  V index = coordinate(op.getIndex());
  int64_t rowBytes = op.getVocabulary() * 4;
  V logits =
      field("logits") + rows.first * rowBytes + index * (type.getRows() * 4);
  copyRows(k, /*add=*/false, acc.data, acc.stride, logits, k.i64(rowBytes),
           acc.count, columnsOfTile(index, type.getRows(), op.getVocabulary()));
  // Ids from the limit on cannot be drawn.
  V drawable = k.min(k.i64(op.getTokenLimit()) - index * type.getRows(),
                     k.i64(type.getRows()));
  drawable = k.max(drawable, k.i64(0));
  k.forWarps(acc.count, [&](V i) {
    V best = rowMax(k, acc.data + i * acc.stride, drawable);
    k.ifThen(k.lane() == 0, [&] {
      k.store(best, maxima.data,
              (rows.first + i) * maxima.rowBytes + index * 4);
    });
  });
}

void StepLowering::siluMulRows(Tile gate, Tile up, V columns, Buffer h,
                               V firstRow, V index, int64_t tile) {
  auto type = cast<tile::RowsType>(h.type);
  int64_t group = type.getGroup();
  StagedRowLayout layout(group, type.getColumns());
  V firstColumn = index * tile;
  // The last tile may hold fewer columns, and the padding of the row is zero.
  V room = k.min(k.i64(layout.paddedColumns) - firstColumn, k.i64(tile));
  if (h.parts) {
    // Panels are whole: four columns of which one is there can be read.
    overElements(k, gate.count, room / 4, [&](V row, V quad) {
      auto load = [&](const Tile &acc) {
        return k.load(k.vec(4, k.f32()), acc.data, row * acc.stride + quad * 16,
                      16);
      };
      V gates = load(gate), ups = load(up), four = k.zero(gates.type());
      for (int64_t i = 0; i < 4; ++i) {
        V value = k.silu(k.extract(gates, i)) * k.extract(ups, i);
        value = k.select(quad * 4 + i < columns, value, k.f32(0));
        four = k.insert(value, four, i);
      }
      storeSplit(k, four, h.data + (firstRow + row) * h.rowBytes,
                 firstColumn / 4 + quad, int(h.parts));
    });
    return;
  }
  auto product = [&](V row, V c) {
    V inside = c < columns;
    V at = k.select(inside, c, k.i64(0)) * 4;
    V value = k.silu(k.load(k.f32(), gate.data, row * gate.stride + at)) *
              k.load(k.f32(), up.data, row * up.stride + at);
    return k.select(inside, value, k.f32(0));
  };
  if (!group) {
    overElements(k, gate.count, room, [&](V row, V c) {
      k.store(product(row, c), h.data,
              (firstRow + row) * h.rowBytes + (firstColumn + c) * 4);
    });
    return;
  }
  V groups = room / group;
  k.forWarps(gate.count * groups, [&](V number) {
    V row = number / groups, place = number % groups;
    V out = h.data + (firstRow + row) * h.rowBytes;
    V column = firstColumn + place * group;
    V scales = out + column / group * 4;
    quantizeGroup(
        k, group, [&](V i) { return product(row, place * group + i); },
        out + column, scales + layout.scales, scales + layout.sums);
  });
}

void StepLowering::lower(tile::SiluMulOp op) {
  int64_t tile = op.getGate().getType().getRows();
  TokenRange tokens =
      tokensOf(op.getToken(), op.getGate().getType().getTokens(), false);
  Buffer h = buffer(op.getBuffer());
  V index = coordinate(op.getIndex());
  V columns =
      columnsOfTile(index, tile, cast<tile::RowsType>(h.type).getColumns());
  siluMulRows(tiles[op.getGate()], tiles[op.getUp()], columns, h, tokens.first,
              index, tile);
}
