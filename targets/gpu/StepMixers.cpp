// The two mixers: delta rule and attention.
#include "targets/gpu/StepLowering.h"
#include "targets/gpu/kernels/Attend.h"
#include "targets/gpu/kernels/Delta.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

void StepLowering::lower(tile::AttendOp op) {
  int64_t width = op.getHeadDim(), perKv = op.getQueryHeads() / op.getKvHeads();
  auto cache = cast<RankedTensorType>(
      cast<tile::StateOp>(
          SymbolTable::lookupSymbolIn(program.getOperation(), op.getKey()))
          .getType());
  int64_t size = cache.getElementTypeBitWidth() / 8;
  int64_t record = attendRecordBytes(width), pageBytes = 0;
  V head = coordinate(op.getHead()), range = coordinate(op.getRange());
  V inPage = head * (cache.getDimSize(2) * width * size);
  V keys = stateData(op.getKey(), &pageBytes) + inPage;
  V values = stateData(op.getValue(), &pageBytes) + inPage;
  Buffer query = buffer(op.getQuery()), partials = buffer(op.getPartials());
  auto partialsType = cast<MemRefType>(partials.type);
  V allRanges = partialsType.isDynamicDim(2)
                    ? rangesOf(tableWidth * 64, op.getPages())
                    : k.i64(partialsType.getDimSize(2));
  TokenRange tokens = tokensOf(op.getToken(), op.getTile(), false);
  V firstHead = head * perKv;
  overRuns(tokens, [&](SequenceRun run) {
    V firstPage = range * int64_t(op.getPages());
    // Ranges that begin behind the run's last token have nothing to do.
    V reaches = firstPage * 64 < run.past + run.count;
    k.ifThen(reaches, [&] {
      AttendArgs args;
      args.q = query.data + run.first * query.rowBytes + firstHead * (width * 4);
      args.qTokenStride = k.i64(query.rowBytes);
      args.qHeadStride = k.i64(width * 4);
      args.keys = keys;
      args.values = values;
      args.pageStride = k.i64(pageBytes);
      args.pages = field("page_table") + run.slot * tableWidth * 4;
      args.page0 = firstPage;
      args.page1 = firstPage + int64_t(op.getPages());
      args.place = run.past;
      args.tokens = run.count;
      args.scale = k.f32(op.getScale().convertToDouble());
      args.records =
          partials.data +
          ((run.first * int64_t(op.getQueryHeads()) + firstHead) * allRanges +
           range) *
              record;
      args.recordTokenStride =
          allRanges * (record * int64_t(op.getQueryHeads()));
      args.recordHeadStride = allRanges * record;
      attend(k, width, perKv, cache.getElementType(), op.getTile(), args);
    });
  });
}
