// The two mixers: delta rule and attention.
#include "dialects/Tile/TileSizes.h"
#include "targets/gpu/StepLowering.h"
#include "targets/gpu/kernels/Attend.h"
#include "targets/gpu/kernels/Delta.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

void StepLowering::lower(tile::DeltaScanOp op) {
  auto window = declared<tile::StateOp>(op.getWindow());
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
  int64_t perKv = op.getQueryHeads() / op.getKvHeads();
  Type cache =
      cast<RankedTensorType>(declared<tile::StateOp>(op.getKey()).getType())
          .getElementType();
  overAttendRuns(op, [&](const AttendRun &run) {
    attend(k, op.getHeadDim(), perKv, cache, op.getPages() == tile::kAllPages,
           op.getTile(),
           {run.q, run.qTokenStride, run.qHeadStride, run.keys, run.values,
            run.pageStride, run.pages, run.page0, run.page1, run.place,
            run.tokens, k.f32(op.getScale().convertToDouble()), run.records,
            run.recordTokenStride, run.recordHeadStride});
  });
}
