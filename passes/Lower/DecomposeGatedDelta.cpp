// Decomposition of quartet.gated_delta: unit-length q and k and the controls as
// tensors, then one task per (sequence, value head, row of S), sequential over
// the tokens. A row of S stays in place and never leaves f32.
#include "passes/Lower/Decompose.h"
#include "passes/Lower/DecomposeUtils.h"

using namespace mlir;
using namespace quartet;

/// x[t,j,:] * rsqrt(sum x^2 + eps) * scale, f32.
static Value unitLength(Emitter &e, Value x, double eps, double scale) {
  auto type = cast<RankedTensorType>(x.getType());
  int64_t width = type.getDimSize(2);
  auto normType =
      RankedTensorType::get(type.getShape().drop_back(), e.getF32Type());
  SmallVector<Value> dynamic;
  if (type.isDynamicDim(0))
    dynamic.push_back(e.dim(x, 0));
  Value factors =
      e.generate(e.empty(normType, dynamic), [&](Emitter &p, ValueRange at) {
        Value sum = p.fold(p.index(0), p.index(width), p.f32(0.0),
                           [&](Emitter &q, Value d, Value acc) {
                             Value v = q.at(x, {at[0], at[1], d});
                             return q.accumulate(acc, v, v);
                           });
        return p.mul(p.rsqrt(p.add(sum, p.f32(eps))), p.f32(scale));
      });
  return e.generate(e.emptyLike(x, e.getF32Type()),
                    [&](Emitter &p, ValueRange at) {
                      return p.mul(p.at(x, at), p.at(factors, {at[0], at[1]}));
                    });
}

/// log(1 + exp(x)), x itself above 20 where f32 cannot tell them apart.
static Value softplus(Emitter &e, Value x) {
  Value big =
      arith::CmpFOp::create(e, arith::CmpFPredicate::OGT, x, e.f32(20.0));
  Value small = math::Log1pOp::create(e, e.exp(x));
  return arith::SelectOp::create(e, big, x, small);
}

Results quartet::decompose(OpBuilder &b, GatedDeltaOp op) {
  Emitter e(b, op.getLoc());
  auto stateType = cast<RankedTensorType>(op.getStateIn().getType());
  int64_t valueHeads = stateType.getDimSize(1);
  int64_t valueDim = stateType.getDimSize(2);
  int64_t keyDim = stateType.getDimSize(3);
  int64_t keyHeads = cast<RankedTensorType>(op.getQ().getType()).getDimSize(1);
  int64_t group = valueHeads / keyHeads;
  double eps = op.getQkEps().convertToFloat();

  Value q = unitLength(e, op.getQ(), eps, 1.0 / std::sqrt(double(keyDim)));
  Value k = unitLength(e, op.getK(), eps, 1.0);
  Value alpha = e.generate(
      e.emptyLike(op.getA(), e.getF32Type()), [&](Emitter &p, ValueRange at) {
        Value rate = p.exp(p.at(op.getALog(), {at[1]}));
        Value x = p.add(p.at(op.getA(), at), p.at(op.getDtBias(), {at[1]}));
        Value g = p.mul(rate, softplus(p, x));
        return p.exp(arith::NegFOp::create(p, g));
      });
  Value beta = e.generate(e.emptyLike(op.getB(), e.getF32Type()),
                          [&](Emitter &p, ValueRange at) {
                            return p.sigmoid(p.at(op.getB(), at));
                          });

  Value outInit = e.emptyLike(
      op.getV(),
      cast<RankedTensorType>(op.getOut().getType()).getElementType());
  Type outElement = cast<RankedTensorType>(outInit.getType()).getElementType();
  Value sequences = e.dim(op.getSeqSlot(), 0);
  OpFoldResult zero = e.getIndexAttr(0), one = e.getIndexAttr(1);
  SmallVector<OpFoldResult> bounds{sequences, e.getIndexAttr(valueHeads),
                                   e.getIndexAttr(valueDim)};
  auto forall =
      scf::ForallOp::create(e, SmallVector<OpFoldResult>(3, zero), bounds,
                            SmallVector<OpFoldResult>(3, one),
                            ValueRange{outInit, op.getStateIn()}, std::nullopt);
  Emitter t(b, op.getLoc());
  t.setInsertionPointToStart(forall.getBody());
  Value seq = forall.getInductionVar(0), head = forall.getInductionVar(1),
        row = forall.getInductionVar(2);
  Value outArg = forall.getRegionIterArgs()[0];
  Value stateArg = forall.getRegionIterArgs()[1];
  Value start = t.toIndex(t.at(op.getSeqStart(), seq));
  Value end = t.toIndex(t.at(op.getSeqStart(), {t.add(seq, t.index(1))}));
  Value slot = t.toIndex(t.at(op.getSeqSlot(), seq));
  Value keyHead = t.div(head, t.index(group));
  Value length = t.sub(end, start);

  SmallVector<OpFoldResult> stateOffsets{slot, head, row, zero};
  SmallVector<OpFoldResult> stateSizes{one, one, one, t.getIndexAttr(keyDim)};
  SmallVector<OpFoldResult> unit4(4, one), unit3(3, one);
  auto rowType = RankedTensorType::get({keyDim}, t.getF32Type());
  Value stateRow = tensor::ExtractSliceOp::create(
      t, rowType, stateArg, stateOffsets, stateSizes, unit4);
  SmallVector<OpFoldResult> outOffsets{start, head, row};
  SmallVector<OpFoldResult> outSizes{length, one, one};
  auto columnType = RankedTensorType::get({ShapedType::kDynamic}, outElement);
  Value column = tensor::ExtractSliceOp::create(t, columnType, outArg,
                                                outOffsets, outSizes, unit3);

  auto results = t.foldMany(
      t.index(0), length, {stateRow, column},
      [&](Emitter &p, Value i, ValueRange acc) {
        Value token = p.add(start, i);
        Value decay = p.at(alpha, {token, head});
        Value from = p.index(0), to = p.index(keyDim);
        Value recalled =
            p.fold(from, to, p.f32(0.0), [&](Emitter &r, Value d, Value sum) {
              return r.accumulate(sum, r.at(acc[0], d),
                                  r.at(k, {token, keyHead, d}));
            });
        Value wrong =
            p.sub(p.at(op.getV(), {token, head, row}), p.mul(decay, recalled));
        Value delta = p.mul(p.at(beta, {token, head}), wrong);
        // One pass writes the row and reads it back through q.
        auto written = p.foldMany(
            from, to, {acc[0], p.f32(0.0)},
            [&](Emitter &r, Value d, ValueRange s) {
              Value next = r.add(r.mul(decay, r.at(s[0], d)),
                                 r.mul(delta, r.at(k, {token, keyHead, d})));
              Value sum =
                  r.accumulate(s[1], next, r.at(q, {token, keyHead, d}));
              Value kept = tensor::InsertOp::create(r, next, s[0], d);
              return SmallVector<Value>{kept, sum};
            });
        Value out = tensor::InsertOp::create(p, p.round(written[1], outElement),
                                             acc[1], i);
        return SmallVector<Value>{written[0], out};
      });

  t.setInsertionPointToStart(forall.getTerminator().getBody());
  tensor::ParallelInsertSliceOp::create(t, results[1], outArg, outOffsets,
                                        outSizes, unit3);
  tensor::ParallelInsertSliceOp::create(t, results[0], stateArg, stateOffsets,
                                        stateSizes, unit4);
  return {forall.getResult(0), forall.getResult(1)};
}
