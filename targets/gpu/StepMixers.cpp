// The two mixers: delta rule and attention.
#include "dialects/Tile/TileSizes.h"
#include "targets/gpu/StepLowering.h"
#include "targets/gpu/kernels/Attend.h"
#include "targets/gpu/kernels/Delta.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

template <typename Op> DeltaShape StepLowering::deltaShape(Op op) {
  auto window = declared<tile::StateOp>(op.getWindow());
  auto windowType = cast<RankedTensorType>(window.getType());
  DeltaShape shape;
  shape.keyHeads = op.getKeyHeads();
  shape.valueHeads = op.getValueHeads();
  shape.keyDim = op.getKeyDim();
  shape.valueDim = op.getValueDim();
  shape.taps = windowType.getDimSize(1) + 1;
  shape.windowType = windowType.getElementType();
  return shape;
}

/// What both ops of the delta rule say, for the head and \p sequence.
template <typename Op>
DeltaArgs StepLowering::deltaArgs(Op op, V sequence, V first) {
  V slot = element32(field("seq_slot"), sequence);
  int64_t windowBytes = 0;
  V windows = stateData(op.getWindow(), &windowBytes);
  Buffer input = buffer(op.getInput()), controls = buffer(op.getControls());
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
  args.head = coordinate(op.getHead());
  args.tokens = element32(field("seq_start"), sequence + 1) - first;
  args.place = element32(field("seq_past"), sequence);
  return args;
}

/// Of the rows that tile.delta_prepare writes.
void StepLowering::setPrepared(DeltaArgs &args, StringRef name, V first) {
  Buffer prepared = buffer(name);
  args.prepared = prepared.data + first * prepared.rowBytes;
  args.preparedStride = k.i64(prepared.rowBytes);
}

LogicalResult StepLowering::lower(tile::DeltaPrepareOp op) {
  DeltaShape shape = deltaShape(op);
  TokenRange tokens = tokensOf(op.getToken(), op.getTile(), false);
  overRuns(tokens, [&](SequenceRun run) {
    V start = element32(field("seq_start"), run.sequence);
    DeltaArgs args = deltaArgs(op, run.sequence, start);
    setPrepared(args, op.getPrepared(), start);
    // Of the sequence's tokens in the tile, chunks begin at the first one of
    // the step, and wherever one ends. One that began in a tile before is its
    // task's.
    V at = run.first - start;
    V inside = (args.place + at) % kDeltaChunk;
    V begun = (at != k.i64(0)) & (inside != k.i64(0));
    V first = k.select(begun, endOfChunk(k, args, at), at);
    V end = at + run.count;
    k.whileLoop(
        {first}, [&](ArrayRef<V> so) { return so[0] < end; },
        [&](ArrayRef<V> so) {
          V next = endOfChunk(k, args, so[0]);
          deltaPrepare(k, shape, args, so[0], next - so[0]);
          return SmallVector<V>{next};
        });
  });
  return success();
}

LogicalResult StepLowering::lower(tile::DeltaScanOp op) {
  if (op.getChunked() && !op.getPrepared())
    return op.emitOpError() << "is chunked, which GPUs do with 'prepared'";
  DeltaShape shape = deltaShape(op);
  shape.parts = splitOf(op->getParentOfType<tile::PhaseOp>());
  if (op.getChunked() && deltaSharedBytes(k, shape) > k.sharedRoom())
    return op.emitOpError()
           << "needs " << deltaSharedBytes(k, shape)
           << " bytes of shared memory; a block has " << k.sharedRoom();
  V sequence = coordinate(op.getSequence());
  V first = element32(field("seq_start"), sequence);
  DeltaArgs args = deltaArgs(op, sequence, first);
  int64_t stateBytes = 0;
  V states = stateData(op.getState(), &stateBytes);
  Buffer out = buffer(op.getOut());
  args.state = states + element32(field("seq_slot"), sequence) * stateBytes;
  args.out = out.data + first * out.rowBytes;
  args.outStride = k.i64(out.rowBytes);
  if (op.getPrepared())
    setPrepared(args, *op.getPrepared(), first);
  if (shape.parts > 1)
    args.part = part;
  if (shape.parts > 1 && !op.getChunked()) {
    // A counter per sequence and head, behind those of the phases: 0 again when
    // all parts are done, so every layer can use it.
    V number = sequence * shape.keyHeads + args.head + deltaCounters;
    args.readers = sync + number * kCounterBytes;
  }
  deltaScan(k, shape, args, op.getChunked());
  return success();
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
