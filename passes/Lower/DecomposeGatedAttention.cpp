// Decomposition of quartet.gated_attention: append k and v to their pages, then
// one task per (token, query head) that walks the pages with a running softmax.
// Pages of int8 have their scales in the rows behind the 64 of the tokens.
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

static Type elementOf(Value cache) {
  return cast<RankedTensorType>(cache.getType()).getElementType();
}
static bool isInt8(Value cache) { return elementOf(cache).isInteger(8); }

static Value bitcast(Emitter &e, Type type, Value value) {
  return arith::BitcastOp::create(e, type, value);
}

/// Where byte \p i of the scale of row \p m stands: [page, head, row, column].
static SmallVector<Value> scaleByte(Emitter &e, Value cache, Value page,
                                    Value head, Value m, int64_t i) {
  int64_t width = cast<RankedTensorType>(cache.getType()).getDimSize(3);
  Value byte = e.add(e.mul(m, e.index(kScaleBytes)), e.index(i));
  return {page, head, e.add(e.index(kPageTokens), e.div(byte, e.index(width))),
          e.rem(byte, e.index(width))};
}

/// The scale of row \p m of a page of int8.
static Value scaleOf(Emitter &e, Value cache, Value page, Value head, Value m) {
  Value bits = e.i32(0);
  for (int64_t i = 0; i < kScaleBytes; ++i) {
    Value byte = tensor::ExtractOp::create(
        e, cache, scaleByte(e, cache, page, head, m, i));
    byte = arith::ExtUIOp::create(e, e.getI32Type(), byte);
    byte = arith::ShLIOp::create(e, byte, e.i32(int32_t(8 * i)));
    bits = arith::OrIOp::create(e, bits, byte);
  }
  return bitcast(e, e.getF32Type(), bits);
}

/// An element of a page as f32; of int8 without its scale.
static Value element(Emitter &e, Value cache, ValueRange at) {
  Value value = e.at(cache, at);
  return isInt8(cache) ? arith::SIToFPOp::create(e, e.getF32Type(), value)
                       : value;
}

/// Writes a row of \p width values row(d) as int8, and its scale.
static Value appendInt8(Emitter &e, int64_t width,
                        llvm::function_ref<Value(Emitter &, Value d)> row,
                        Value cache, Value page, Value head, Value m) {
  // Sizes of floats are in the order of their bits, NaN last: one NaN makes the
  // scale, and so the whole row, NaN.
  Value largest =
      e.fold(e.index(0), e.index(width), e.i32(0),
             [&](Emitter &r, Value d, Value acc) -> Value {
               Value bits = bitcast(r, r.getI32Type(), row(r, d));
               bits = arith::AndIOp::create(r, bits, r.i32(0x7fffffff));
               return arith::MaxSIOp::create(r, acc, bits);
             });
  Value scale = e.div(bitcast(e, e.getF32Type(), largest), e.f32(127.0));
  auto choose = [](Emitter &r, arith::CmpFPredicate is, Value a, Value b,
                   Value yes, Value no) -> Value {
    Value condition = arith::CmpFOp::create(r, is, a, b);
    return arith::SelectOp::create(r, condition, yes, no);
  };
  Value factor = choose(e, arith::CmpFPredicate::OGT, scale, e.f32(0.0),
                        e.div(e.f32(1.0), scale), e.f32(0.0));
  cache =
      e.foldMany(e.index(0), e.index(width), cache,
                 [&](Emitter &r, Value d, ValueRange acc) {
                   Value x = r.mul(row(r, d), factor);
                   Value most = r.f32(127.0), least = r.f32(-127.0);
                   x = choose(r, arith::CmpFPredicate::OLT, x, most, x, most);
                   x = choose(r, arith::CmpFPredicate::OGT, x, least, x, least);
                   // Adding 1.5 * 2^23 leaves no bits behind the point: rounds
                   // to nearest even on every CPU, without a function of a
                   // library.
                   Value shift = r.f32(12582912.0);
                   x = r.sub(r.add(x, shift), shift);
                   Value q = arith::FPToSIOp::create(r, r.getI8Type(), x);
                   return SmallVector<Value>{tensor::InsertOp::create(
                       r, q, acc[0], {page, head, m, d})};
                 })[0];
  Value bits = bitcast(e, e.getI32Type(), scale);
  for (int64_t i = 0; i < kScaleBytes; ++i) {
    Value byte = arith::ShRUIOp::create(e, bits, e.i32(int32_t(8 * i)));
    byte = arith::TruncIOp::create(e, e.getI8Type(), byte);
    cache = tensor::InsertOp::create(e, byte, cache,
                                     scaleByte(e, cache, page, head, m, i));
  }
  return cache;
}

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
              if (isInt8(cache))
                return SmallVector<Value>{appendInt8(
                    q, width,
                    [&](Emitter &r, Value d) {
                      return r.at(rows, {token, head, d});
                    },
                    acc[0], page, head, offset)};
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
                                        element(i, key, {page, kvHead, m, d}));
                  });
              Value factor = scale;
              if (isInt8(key))
                factor = r.mul(scale, scaleOf(r, key, page, kvHead, m));
              Value score = r.mul(dot, factor);
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
              Value factor = weight;
              if (isInt8(value))
                factor = r.mul(weight, scaleOf(r, value, page, kvHead, m));
              auto added = r.foldMany(
                  c0, d1, s[1], [&](Emitter &i, Value d, ValueRange v) {
                    Value next = i.add(
                        i.at(v[0], d),
                        i.mul(factor, element(i, value, {page, kvHead, m, d})));
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
