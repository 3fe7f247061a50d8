// Decomposition of quartet.gated_attention: append k and v to their pages, then
// one task per (token, query head) that walks the pages with a running softmax.
#include "passes/Lower/Decompose.h"
#include "passes/Lower/DecomposeUtils.h"

using namespace mlir;
using namespace quartet;

namespace {
/// Where a token stands: its sequence's slot and its place in the sequence.
struct Place {
  Value slot, n;
  static Place of(Emitter &e, GatedAttentionOp op, Value token) {
    Value seq = e.toIndex(e.at(op.getTokenSeq(), token));
    Value start = e.toIndex(e.at(op.getSeqStart(), seq));
    Value past = e.toIndex(e.at(op.getSeqPast(), seq));
    return {e.toIndex(e.at(op.getSeqSlot(), seq)),
            e.add(past, e.sub(token, start))};
  }
};
} // namespace

/// Writes the step's rows of k or v into \p cache, in order of tokens. Element
/// by element: a row is strided in the cache, and a strided copy of buffers
/// would be a call of a library that executables don't have.
static Value append(Emitter &e, GatedAttentionOp op, Value rows, Value cache) {
  auto cacheType = cast<RankedTensorType>(cache.getType());
  int64_t heads = cacheType.getDimSize(1), width = cacheType.getDimSize(3);
  return e.foldMany(
      e.index(0), e.dim(rows, 0), cache,
      [&](Emitter &p, Value token, ValueRange acc) {
        Place place = Place::of(p, op, token);
        Value pageTokens = p.index(kPageTokens);
        Value page = p.toIndex(
            p.at(op.getPageTable(), {place.slot, p.div(place.n, pageTokens)}));
        Value offset = p.rem(place.n, pageTokens);
        return p.foldMany(
            p.index(0), p.index(heads), acc,
            [&](Emitter &q, Value head, ValueRange acc) {
              return q.foldMany(
                  q.index(0), q.index(width), acc,
                  [&](Emitter &r, Value d, ValueRange acc) {
                    Value element = r.round(r.at(rows, {token, head, d}),
                                            cacheType.getElementType());
                    Value next = tensor::InsertOp::create(
                        r, element, acc[0], {page, head, offset, d});
                    return SmallVector<Value>{next};
                  });
            });
      })[0];
}

Results quartet::decompose(OpBuilder &b, GatedAttentionOp op) {
  Emitter e(b, op.getLoc());
  Value key = append(e, op, op.getK(), op.getKeyIn());
  Value value = append(e, op, op.getV(), op.getValueIn());

  auto cacheType = cast<RankedTensorType>(key.getType());
  auto outType = cast<RankedTensorType>(op.getOut().getType());
  int64_t heads = outType.getDimSize(1), width = outType.getDimSize(2);
  int64_t group = heads / cacheType.getDimSize(1);
  OpFoldResult zero = e.getIndexAttr(0), one = e.getIndexAttr(1);
  Value outInit = e.emptyLike(op.getQ(), outType.getElementType());
  auto forall = scf::ForallOp::create(
      e, {zero, zero},
      SmallVector<OpFoldResult>{e.dim(op.getQ(), 0), e.getIndexAttr(heads)},
      {one, one}, ValueRange{outInit}, std::nullopt);
  Emitter t(b, op.getLoc());
  t.setInsertionPointToStart(forall.getBody());
  Value token = forall.getInductionVar(0), head = forall.getInductionVar(1);
  Value outArg = forall.getRegionIterArgs()[0];
  Place place = Place::of(t, op, token);
  Value kvHead = t.div(head, t.index(group));
  Value c0 = t.index(0), d1 = t.index(width), pageTokens = t.index(kPageTokens);
  Value pages = t.add(t.div(place.n, pageTokens), t.index(1));
  Value scale = t.f32(op.getScale().convertToFloat());
  Value lowest = t.f32(-std::numeric_limits<float>::infinity());

  auto f32Row = [&](int64_t n) {
    return RankedTensorType::get({n}, t.getF32Type());
  };
  // acc: running maximum, sum of exponentials, weighted sum of values.
  Value sumInit = t.generate(t.empty(f32Row(width), {}),
                             [](Emitter &p, ValueRange) { return p.f32(0.0); });
  Value scoresInit = t.empty(f32Row(kPageTokens), {});
  auto walked = t.foldMany(
      c0, pages, {lowest, t.f32(0.0), sumInit, scoresInit},
      [&](Emitter &p, Value j, ValueRange acc) {
        Value page = p.toIndex(p.at(op.getPageTable(), {place.slot, j}));
        Value left = p.sub(p.add(place.n, p.index(1)), p.mul(j, pageTokens));
        Value count = arith::MinSIOp::create(p, left, pageTokens);
        auto scored = p.foldMany(
            c0, count, {acc[3], acc[0]},
            [&](Emitter &r, Value m, ValueRange s) {
              Value dot = r.fold(
                  c0, d1, r.f32(0.0), [&](Emitter &i, Value d, Value sum) {
                    return i.accumulate(sum, i.at(op.getQ(), {token, head, d}),
                                        i.at(key, {page, kvHead, m, d}));
                  });
              Value score = r.mul(dot, scale);
              return SmallVector<Value>{
                  tensor::InsertOp::create(r, score, s[0], m),
                  arith::MaximumFOp::create(r, s[1], score)};
            });
        Value top = scored[1];
        Value rescale = p.exp(p.sub(acc[0], top));
        auto rescaled =
            p.foldMany(c0, d1, acc[2], [&](Emitter &r, Value d, ValueRange s) {
              Value scaled = r.mul(r.at(s[0], d), rescale);
              return SmallVector<Value>{
                  tensor::InsertOp::create(r, scaled, s[0], d)};
            });
        auto summed = p.foldMany(
            c0, count, {p.mul(acc[1], rescale), rescaled[0]},
            [&](Emitter &r, Value m, ValueRange s) {
              Value weight = r.exp(r.sub(r.at(scored[0], m), top));
              auto added = r.foldMany(
                  c0, d1, s[1], [&](Emitter &i, Value d, ValueRange v) {
                    Value next =
                        i.add(i.at(v[0], d),
                              i.mul(weight, i.at(value, {page, kvHead, m, d})));
                    return SmallVector<Value>{
                        tensor::InsertOp::create(i, next, v[0], d)};
                  });
              return SmallVector<Value>{r.add(s[0], weight), added[0]};
            });
        return SmallVector<Value>{top, summed[0], summed[1], scored[0]};
      });

  SmallVector<OpFoldResult> offsets{token, head, zero};
  SmallVector<OpFoldResult> sizes{one, one, t.getIndexAttr(width)};
  SmallVector<OpFoldResult> unit(3, one);
  auto rowType = RankedTensorType::get({width}, outType.getElementType());
  Value slice =
      tensor::ExtractSliceOp::create(t, rowType, outArg, offsets, sizes, unit);
  Value row =
      t.foldMany(c0, d1, slice, [&](Emitter &p, Value d, ValueRange acc) {
        Value mean = p.div(p.at(walked[2], d), walked[1]);
        if (op.getGate())
          mean = p.mul(mean, p.sigmoid(p.at(op.getGate(), {token, head, d})));
        return SmallVector<Value>{tensor::InsertOp::create(
            p, p.round(mean, outType.getElementType()), acc[0], d)};
      })[0];
  t.setInsertionPointToStart(forall.getTerminator().getBody());
  tensor::ParallelInsertSliceOp::create(t, row, outArg, offsets, sizes, unit);
  return {forall.getResult(0), key, value};
}
