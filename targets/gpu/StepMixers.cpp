// The two mixers: delta rule and attention.
#include "targets/gpu/StepLowering.h"
#include "targets/gpu/kernels/Attend.h"
#include "targets/gpu/kernels/Delta.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

void StepLowering::lower(tile::DeltaScanOp op) {
  auto window = cast<tile::StateOp>(
      SymbolTable::lookupSymbolIn(program.getOperation(), op.getWindow()));
  auto windowType = cast<RankedTensorType>(window.getType());
  DeltaShape shape;
  shape.keyHeads = op.getKeyHeads();
  shape.valueHeads = op.getValueHeads();
  shape.keyDim = op.getKeyDim();
  shape.valueDim = op.getValueDim();
  shape.taps = windowType.getDimSize(1) + 1;
  shape.windowType = windowType.getElementType();
  auto phase = op->getParentOfType<tile::PhaseOp>();
  shape.parts = splitOf(phase);

  V sequence = coordinate(op.getSequence());
  V starts = field("seq_start");
  V first = element32(starts, sequence);
  V slot = element32(field("seq_slot"), sequence);
  int64_t windowBytes = 0, stateBytes = 0;
  V windows = stateData(op.getWindow(), &windowBytes);
  V states = stateData(op.getState(), &stateBytes);
  Buffer input = buffer(op.getInput()), controls = buffer(op.getControls());
  Buffer out = buffer(op.getOut());
  V control = controls.data + first * controls.rowBytes;
  DeltaArgs args;
  args.input =
      input.data + first * input.rowBytes + int64_t(op.getInputColumn()) * 4;
  args.inputStride = k.i64(input.rowBytes);
  args.taps = weightData(op.getTaps());
  args.window = windows + slot * windowBytes;
  args.a = control + int64_t(op.getAColumn()) * 4;
  args.b = control + int64_t(op.getBColumn()) * 4;
  args.controlStride = k.i64(controls.rowBytes);
  args.aLog = weightData(op.getALog());
  args.dtBias = weightData(op.getDtBias());
  args.qkEps = k.f32(op.getQkEps().convertToDouble());
  args.state = states + slot * stateBytes;
  args.out = out.data + first * out.rowBytes;
  args.outStride = k.i64(out.rowBytes);
  args.head = coordinate(op.getHead());
  args.tokens = element32(starts, sequence + 1) - first;
  args.place = element32(field("seq_past"), sequence);
  if (shape.parts > 1) {
    // A counter per sequence and head, behind those of the phases: 0 again when
    // all parts are done, so every layer can use it.
    args.part = part;
    V number = sequence * shape.keyHeads + args.head + deltaCounters;
    args.readers = sync + number * kCounterBytes;
  }
  deltaScan(k, shape, args, op.getChunked());
}

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
      args.q =
          query.data + run.first * query.rowBytes + firstHead * (width * 4);
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
