// Decomposition of quartet.causal_conv: a gather over (token, channel) that
// reads the step's tokens or the slot's window, then the windows of the next
// step.
#include "passes/Lower/Decompose.h"
#include "passes/Lower/DecomposeUtils.h"

using namespace mlir;
using namespace quartet;

namespace {
/// Reads row i of a sequence: the step's tokens for i >= 0, else its window.
struct Rows {
  CausalConvOp op;
  int64_t taps; // K
  Type stateType;

  /// \p i is relative to \p start, the sequence's first token; f32 result,
  /// rounded to the state's type on both ways.
  Value at(Emitter &e, Value start, Value slot, Value i, Value channel) {
    Value inStep =
        arith::CmpIOp::create(e, arith::CmpIPredicate::sge, i, e.index(0));
    auto choice = scf::IfOp::create(
        e, inStep,
        [&](OpBuilder &nested, Location loc) {
          Emitter n(nested, loc);
          Value x = n.at(op.getX(), {n.add(start, i), channel});
          scf::YieldOp::create(n, n.widen(n.round(x, stateType)));
        },
        [&](OpBuilder &nested, Location loc) {
          Emitter n(nested, loc);
          Value row = n.add(i, n.index(taps - 1));
          scf::YieldOp::create(n, n.at(op.getStateIn(), {slot, row, channel}));
        });
    return choice.getResult(0);
  }
};
} // namespace

Results quartet::decompose(OpBuilder &b, CausalConvOp op) {
  Emitter e(b, op.getLoc());
  auto stateType = cast<RankedTensorType>(op.getStateIn().getType());
  int64_t taps = cast<RankedTensorType>(op.getWeight().getType()).getDimSize(1);
  Rows rows{op, taps, stateType.getElementType()};

  Value yInit = e.emptyLike(
      op.getX(), cast<RankedTensorType>(op.getY().getType()).getElementType());
  Value y = e.generate(yInit, [&](Emitter &p, ValueRange at) {
    Value seq = p.toIndex(p.at(op.getTokenSeq(), at[0]));
    Value start = p.toIndex(p.at(op.getSeqStart(), seq));
    Value slot = p.toIndex(p.at(op.getSeqSlot(), seq));
    Value place = p.sub(at[0], start);
    // K is 4: unrolled, in order of taps.
    Value sum = p.f32(0.0);
    for (int64_t j = 0; j < taps; ++j) {
      Value row =
          rows.at(p, start, slot, p.sub(place, p.index(taps - 1 - j)), at[1]);
      Value tap = p.at(op.getWeight(), {at[1], p.index(j)});
      sum = p.add(sum, p.mul(tap, row));
    }
    return p.silu(sum);
  });

  // The new windows, gathered before any slot is overwritten.
  Value sequences = e.dim(op.getSeqSlot(), 0);
  int64_t channels = stateType.getDimSize(2);
  auto windowsType = RankedTensorType::get(
      {ShapedType::kDynamic, taps - 1, channels}, stateType.getElementType());
  Value windows = e.generate(
      e.empty(windowsType, sequences), [&](Emitter &p, ValueRange at) {
        Value start = p.toIndex(p.at(op.getSeqStart(), at[0]));
        Value end =
            p.toIndex(p.at(op.getSeqStart(), {p.add(at[0], p.index(1))}));
        Value slot = p.toIndex(p.at(op.getSeqSlot(), at[0]));
        Value length = p.sub(end, start);
        Value i = p.sub(p.add(length, at[1]), p.index(taps - 1));
        return rows.at(p, start, slot, i, at[2]);
      });
  Value state = e.foldMany(
      e.index(0), sequences, op.getStateIn(),
      [&](Emitter &p, Value s, ValueRange acc) {
        Value slot = p.toIndex(p.at(op.getSeqSlot(), s));
        SmallVector<OpFoldResult> offsets{s, p.getIndexAttr(0),
                                          p.getIndexAttr(0)};
        SmallVector<OpFoldResult> sizes{p.getIndexAttr(1),
                                        p.getIndexAttr(taps - 1),
                                        p.getIndexAttr(channels)};
        SmallVector<OpFoldResult> strides(3, p.getIndexAttr(1));
        Value window =
            tensor::ExtractSliceOp::create(p, windows, offsets, sizes, strides);
        offsets[0] = slot;
        Value next = tensor::InsertSliceOp::create(p, window, acc[0], offsets,
                                                   sizes, strides);
        return SmallVector<Value>{next};
      })[0];
  return {y, state};
}
