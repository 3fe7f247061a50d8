// The ends of the step, staging, matrix products and their epilogues.
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "targets/cpu/StepLowering.h"
#include "targets/cpu/kernels/Dot.h"
#include "targets/cpu/kernels/DotTiles.h"
#include "targets/cpu/kernels/HeadRow.h"
#include "targets/cpu/kernels/Merge.h"
#include "targets/cpu/kernels/Rows.h"
#include "targets/cpu/kernels/Stage.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::cpu;

void StepLowering::lower(tile::EmbedOp op) {
  auto table = declared<tile::VectorOp>(op.getTable());
  auto type = cast<RankedTensorType>(table.getType());
  TokenRange tokens = tokensOf(op.getToken(), op.getTile(), false);
  Buffer x = buffer(op.getX());
  k.call(embedKernel(k, type.getElementType()),
         {weightData(op.getTable()), field("tokens") + tokens.first * 4,
          tokens.count, k.i64(type.getDimSize(1)),
          x.data + tokens.first * x.rowBytes, k.i64(x.rowBytes)});
}

void StepLowering::lower(tile::RopeTableOp op) {
  TokenRange tokens = tokensOf(op.getToken(), op.getTile(), false);
  Buffer table = buffer(op.getTable());
  k.call(ropeTableKernel(k, op.getInvFreq(), op.getAxes(),
                         op.getScale().convertToFloat()),
         {field("positions") + tokens.first * 4, numTokens * 4, tokens.count,
          table.data + tokens.first * table.rowBytes, k.i64(table.rowBytes)});
}

void StepLowering::lower(tile::ReadHiddenOp op) {
  TokenRange tokens = tokensOf(op.getToken(), op.getTile(), false);
  Buffer x = buffer(op.getX()); // rows without padding, as in the argument
  k.copy(x.data + tokens.first * x.rowBytes,
         field("hidden_in") + tokens.first * x.rowBytes,
         tokens.count * x.rowBytes);
}

void StepLowering::lower(tile::WriteHiddenOp op) {
  TokenRange tokens = tokensOf(op.getToken(), op.getTile(), false);
  Buffer x = buffer(op.getX());
  V first = tokens.first * x.rowBytes;
  k.loop(tokens.count, [&](V i) {
    V row = first + i * x.rowBytes;
    k.call(rmsNormRow(k), {x.data + row, weightData(op.getWeight()),
                           k.f32(op.getEps().convertToDouble()),
                           k.i64(x.rowBytes / 4), field("hidden_out") + row});
  });
}

void StepLowering::lower(tile::StageOp op) {
  tile::RowsType type = op.getRows().getType();
  TokenRange tokens = tokensOf(op.getToken(), type.getTokens(), op.getChosen());
  Buffer source = buffer(op.getSource());
  int64_t stride = stagedRowBytes(type.getGroup(), type.getColumns());
  // Rows that were staged when they were written are used where they are.
  if (isa<tile::RowsType>(source.type)) {
    tiles[op.getRows()] = {source.data + tokens.first * source.rowBytes,
                           k.i64(source.rowBytes), tokens.count};
    return;
  }
  int64_t columns = type.getColumns();
  V rows;
  if (op.getPublish()) // straight to where all read them
    rows = buffer(*op.getPublish()).data + tokens.first * stride;
  else
    rows = localMemory(stride * type.getTokens());
  V f32Row = localMemory((columns + 16) * 4);
  V columns64 = k.i64(columns);
  k.loop(tokens.count, [&](V i) {
    V token = tokens.first + i;
    if (op.getChosen())
      token = element32(field("rows"), token);
    V from = source.data + token * source.rowBytes;
    V row = from;
    if (op.getStaging() == tile::Staging::RmsNorm) {
      row = f32Row;
      k.call(rmsNormRow(k),
             {from, weightData(*op.getWeight()),
              k.f32(op.getEps()->convertToDouble()), columns64, row});
    } else if (op.getStaging() == tile::Staging::GatedNorm) {
      auto weight = declared<tile::VectorOp>(*op.getWeight());
      int64_t width = cast<RankedTensorType>(weight.getType()).getNumElements();
      Buffer gate = buffer(*op.getGate());
      row = f32Row;
      k.call(
          gatedNormRow(k, *op.getActivation() == tile::Gate::Silu),
          {from,
           gate.data + token * gate.rowBytes + int64_t(op.getGateColumn()) * 4,
           weightData(*op.getWeight()), k.f32(op.getEps()->convertToDouble()),
           k.i64(columns / width), k.i64(width), row});
    } else if (op.getStaging() == tile::Staging::Merge) {
      row = f32Row;
      auto partials = cast<MemRefType>(source.type);
      auto declared = cast<tile::BufferOp>(
          SymbolTable::lookupSymbolIn(step.getOperation(), op.getSource()));
      int64_t heads = partials.getDimSize(1);
      int64_t width = columns / heads;
      int64_t record = partials.getDimSize(3) * 4;
      // [tokens, heads, ranges, record], ranges as wide as the page table.
      V allRanges = k.i64(1), ranges = k.i64(1);
      if (auto pages = declared.getPiecePages()) {
        allRanges = rangesOf(tableWidth * 64, *pages);
        ranges = rangesOf(placeOf(token) + 1, *pages);
      }
      k.loop(0, heads, 1, [&](V head) {
        V records = source.data + (token * heads + head) * allRanges * record;
        V out = row + head * (width * 4);
        if (!op.getGate()) {
          k.call(mergeKernel(k, width, false),
                 {records, k.i64(record), ranges, out});
          return;
        }
        Buffer gate = buffer(*op.getGate());
        V factors = gate.data + token * gate.rowBytes +
                    (head * width + int64_t(op.getGateColumn())) * 4;
        k.call(mergeKernel(k, width, true),
               {records, k.i64(record), ranges, factors, out});
      });
    }
    V to = rows + i * stride;
    if (type.getGroup())
      k.call(quantizeRow(k, type.getGroup()), {row, columns64, to});
    else
      k.call(stageFloatRow(k), {row, columns64, to});
  });
  tiles[op.getRows()] = {rows, k.i64(stride), tokens.count};
}

bool StepLowering::splitsRows(const PackedFormat &format) {
  return step.getKind() == tile::StepKind::Many &&
         multipliesSplitRows(k.machine, format);
}

StepLowering::Tile StepLowering::split(Tile rows, int64_t columns, V memory) {
  k.call(splitRowsKernel(k),
         {rows.data, rows.stride, k.i64(columns), rows.count, memory});
  return {memory, V(), rows.count};
}

void StepLowering::multiply(const PackedFormat &format, Tile panels, Tile rows,
                            int64_t paddedColumns, V out, V outStride, V next) {
  V columns = k.i64(paddedColumns);
  if (splitsRows(format)) {
    k.call(splitMatmulKernel(k),
           {panels.data, panels.count, rows.data, columns, rows.count, out,
            outStride, next ? next : panels.data});
    return;
  }
  llvm::SmallVector<V> arguments = {panels.data, panels.count, rows.data,
                                    rows.stride, columns,      rows.count,
                                    out,         outStride};
  if (next)
    arguments.push_back(next);
  k.call(matmulKernel(k, format, /*followed=*/bool(next)), arguments);
}

LogicalResult StepLowering::lower(tile::MatmulOp op) {
  Tile rows = tiles[op.getRows()], splitRows;
  for (auto [value, argument] :
       llvm::zip(op.getWeights(), op.getEpilogue().getArguments())) {
    auto type = cast<tile::WeightsType>(value.getType());
    auto acc = cast<tile::AccType>(argument.getType());
    PackedFormat format = type.getPackedFormat();
    PanelLayout layout(format, type.getColumns());
    int64_t columns = layout.paddedColumns;
    int64_t stride = panelCount(acc.getRows()) * kPanelRows * 4;
    V out = localMemory(stride * acc.getTokens());
    if (splitsRows(format) && !splitRows.data)
      splitRows = split(rows, columns,
                        localMemory(splitRowsBytes(columns, acc.getTokens())));
    multiply(format, tiles[value], splitsRows(format) ? splitRows : rows,
             columns, out, k.i64(stride));
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
  k.call(copyRowsKernel(k, op.getAdd()),
         {acc.data + int64_t(op.getFrom()) * 4, acc.stride,
          to.data + tokens.first * to.rowBytes + column * 4, k.i64(to.rowBytes),
          acc.count, columnsOfTile(index, width, op.getColumns())});
}

void StepLowering::lower(tile::StoreHeadOp op) {
  tile::AccType type = op.getAcc().getType();
  int64_t width = op.getWidth();
  Tile acc = tiles[op.getAcc()];
  TokenRange tokens = tokensOf(op.getToken(), type.getTokens(), false);
  V head = coordinate(op.getHead());
  k.loop(acc.count, [&](V i) {
    V token = tokens.first + i;
    V row = acc.data + i * acc.stride + int64_t(op.getFrom()) * 4;
    if (op.getNorm()) {
      Buffer table = buffer(*op.getRope());
      int64_t pairs = cast<MemRefType>(table.type).getDimSize(1) / 2;
      k.call(headRowKernel(k, width, pairs),
             {row, weightData(*op.getNorm()),
              k.f32(op.getEps()->convertToDouble()),
              table.data + token * table.rowBytes, row});
    }
    if (!op.getCache()) {
      Buffer to = buffer(op.getTarget());
      k.copy(to.data + token * to.rowBytes + head * (width * 4), row,
             k.i64(width * 4));
      return;
    }
    CacheRow to = cacheRow(op, token, head);
    if (to.scale)
      k.call(storeHeadInt8Kernel(k, width), {row, to.row, to.scale});
    else
      k.call(storeHeadKernel(k, width, to.type), {row, to.row});
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
  k.call(copyRowsKernel(k, false),
         {acc.data, acc.stride, logits, k.i64(rowBytes), acc.count,
          columnsOfTile(index, type.getRows(), op.getVocabulary())});
  // Ids from the limit on cannot be drawn.
  V drawable = k.min(k.i64(op.getTokenLimit()) - index * type.getRows(),
                     k.i64(type.getRows()));
  drawable = k.max(drawable, k.i64(0));
  k.loop(acc.count, [&](V i) {
    k.call(rowMaxKernel(k),
           {acc.data + i * acc.stride, drawable,
            maxima.data + (rows.first + i) * maxima.rowBytes + index * 4});
  });
}

void StepLowering::siluMulRows(Tile gate, Tile up, V panels, Buffer h,
                               V firstRow, V index, int64_t tile) {
  auto type = cast<tile::RowsType>(h.type);
  int64_t group = type.getGroup();
  StagedRowLayout layout(group, type.getColumns());
  // The last tile may hold fewer panels, and the padding of the row must be
  // zero.
  V product = localMemory(tile * 4);
  V firstColumn = index * tile;
  V columns = k.min(k.i64(layout.paddedColumns) - firstColumn, k.i64(tile));
  if (layout.paddedColumns % tile || type.getColumns() % tile)
    k.clear(product, k.i64(tile * 4));
  k.loop(gate.count, [&](V i) {
    V row = h.data + (firstRow + i) * h.rowBytes;
    k.call(siluMulRow(k), {gate.data + i * gate.stride, up.data + i * up.stride,
                           panels * kPanelRows, product});
    if (!group) {
      k.copy(row + firstColumn * 4, product, columns * 4);
      return;
    }
    V place = firstColumn / group * 4;
    k.call(quantizeGroups(k, group),
           {product, columns, row + firstColumn, row + layout.scales + place,
            row + layout.sums + place});
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
  siluMulRows(tiles[op.getGate()], tiles[op.getUp()],
              (columns + (kPanelRows - 1)) / kPanelRows, h, tokens.first, index,
              tile);
}
