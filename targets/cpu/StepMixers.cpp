// The two mixers: delta rule and attention.
#include "targets/cpu/StepLowering.h"
#include "targets/cpu/kernels/Attend.h"
#include "targets/cpu/kernels/Conv.h"
#include "targets/cpu/kernels/DeltaChunked.h"
#include "targets/cpu/kernels/DeltaRecurrent.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::cpu;

/// Tokens of a call of the chunked delta rule, which loads and stores the state
/// once: the convolved rows of a key head of 35B-A3B are then 256 KB.
static constexpr int64_t kDeltaBlock = 4 * kDeltaChunk;

LogicalResult StepLowering::lower(tile::DeltaScanOp op) {
  if (op.getPrepared())
    return op.emitOpError() << "takes prepared rows, which CPUs do not";
  int64_t keyDim = op.getKeyDim(), valueDim = op.getValueDim();
  int64_t keyHeads = op.getKeyHeads();
  int64_t perKey = op.getValueHeads() / keyHeads;
  int64_t channels = 2 * keyHeads * keyDim + op.getValueHeads() * valueDim;
  int64_t width = 2 * keyDim + perKey * valueDim; // of one key head
  auto window = declared<tile::StateOp>(op.getWindow());
  auto windowType = cast<RankedTensorType>(window.getType());
  Type stateType = windowType.getElementType();
  int64_t taps = windowType.getDimSize(1) + 1;
  int64_t stateSize = stateType.getIntOrFloatBitWidth() / 8;

  V sequence = coordinate(op.getSequence()), head = coordinate(op.getHead());
  V starts = field("seq_start");
  V first = element32(starts, sequence);
  V end = element32(starts, sequence + 1);
  V past = element32(field("seq_past"), sequence);
  V slot = element32(field("seq_slot"), sequence);
  int64_t windowBytes = 0, stateBytes = 0;
  V windowData = stateData(op.getWindow(), &windowBytes) + slot * windowBytes;
  V state = stateData(op.getState(), &stateBytes) + slot * stateBytes +
            head * (perKey * valueDim * keyDim * 4);
  Buffer input = buffer(op.getInput()), controls = buffer(op.getControls());
  Buffer out = buffer(op.getOut());
  // A block of tokens at a time, so that the convolved rows stay in the cache.
  // Chunks begin at multiples of kDeltaChunk of the sequence: where a prompt is
  // cut into steps then does not change them.
  int64_t block = op.getChunked() ? kDeltaBlock : kDeltaChunk;
  int64_t rowBytes = (width * 4 + 63) / 64 * 64;
  V rows = localMemory(rowBytes * block);
  V workspace =
      op.getChunked()
          ? localMemory(deltaChunkedWorkspace(keyDim, valueDim, perKey))
          : V();
  k.whileLoop(
      {first}, [&](llvm::ArrayRef<V> at) { return at[0] < end; },
      [&](llvm::ArrayRef<V> at) {
        V token = at[0];
        V place = past + token - first;
        V misplaced = place % kDeltaChunk;
        V room = k.select(misplaced == k.i64(0), k.i64(block),
                          k.i64(kDeltaChunk) - misplaced);
        V count = k.min(end - token, room);
        V from = input.data + token * input.rowBytes +
                 int64_t(op.getInputColumn()) * 4;
        auto convolve = [&](V channel, int64_t count64, int64_t column) {
          k.call(convKernel(k, taps, stateType),
                 {from + channel * 4, k.i64(input.rowBytes),
                  windowData + channel * stateSize, k.i64(channels * stateSize),
                  weightData(op.getTaps()) + channel * (taps * 4),
                  k.i64(count64), count, rows + column * 4, k.i64(rowBytes)});
        };
        V keyChannel = head * keyDim;
        convolve(keyChannel, keyDim, 0);
        convolve(keyChannel + keyHeads * keyDim, keyDim, keyDim);
        convolve(head * (perKey * valueDim) + 2 * keyHeads * keyDim,
                 perKey * valueDim, 2 * keyDim);
        V control =
            controls.data + token * controls.rowBytes + head * (perKey * 4);
        V stride = k.i64(rowBytes), controlStride = k.i64(controls.rowBytes);
        llvm::SmallVector<V> arguments = {
            rows,
            stride,
            rows + keyDim * 4,
            stride,
            rows + 2 * keyDim * 4,
            stride,
            control + int64_t(op.getAColumn()) * 4,
            controlStride,
            control + int64_t(op.getBColumn()) * 4,
            controlStride,
            weightData(op.getALog()) + head * (perKey * 4),
            weightData(op.getDtBias()) + head * (perKey * 4),
            k.f32(op.getQkEps().convertToDouble()),
            state,
            k.i64(perKey),
            count,
            out.data + token * out.rowBytes + head * (perKey * valueDim * 4),
            k.i64(out.rowBytes)};
        if (op.getChunked()) {
          arguments.push_back(workspace);
          k.call(deltaChunkedKernel(k, keyDim, valueDim), arguments);
        } else {
          k.call(deltaRecurrentKernel(k, keyDim, valueDim), arguments);
        }
        return llvm::SmallVector<V>{token + count};
      });
  return success();
}

void StepLowering::lower(tile::AttendOp op) {
  int64_t width = op.getHeadDim(), perKv = op.getQueryHeads() / op.getKvHeads();
  Type cache =
      cast<RankedTensorType>(declared<tile::StateOp>(op.getKey()).getType())
          .getElementType();
  V workspace = localMemory(attendWorkspace(width, perKv, op.getTile()));
  overAttendRuns(op, [&](const AttendRun &run) {
    k.call(attendKernel(k, width, perKv, cache),
           {run.q, run.qTokenStride, run.qHeadStride, run.keys, run.values,
            run.pageStride, run.pages, run.page0, run.page1, run.place,
            run.tokens, k.f32(op.getScale().convertToDouble()), run.records,
            run.recordTokenStride, run.recordHeadStride, workspace});
  });
}
