// Decomposition of rope: cos and sin once per token and frequency, then a
// rotation of pairs (p, p + P) and a copy of the other dimensions.
#include "passes/Lower/Decompose.h"
#include "passes/Lower/DecomposeRows.h"

using namespace mlir;
using namespace quartet;

namespace {
/// scale * cos(angle) and scale * sin(angle), f32 tensors [N, P].
struct Rotation {
  Value cos, sin;
};
} // namespace

static Rotation rotationOf(Emitter &e, RopeOp op) {
  Value positions = op.getPositions();
  ArrayRef<float> invFreq = op.getInvFreq();
  ArrayRef<int32_t> axes = op.getAxes();
  int64_t pairs = invFreq.size();
  double scale = op.getScale().convertToDouble();
  int64_t tokens = cast<RankedTensorType>(op.getX().getType()).getDimSize(0);

  Value freqs = arith::ConstantOp::create(
      e, DenseElementsAttr::get(RankedTensorType::get(pairs, e.getF32Type()),
                                invFreq));
  Value axisOf = arith::ConstantOp::create(
      e, DenseElementsAttr::get(RankedTensorType::get(pairs, e.getI32Type()),
                                axes));
  auto angle = [&](Emitter &e, ValueRange at) {
    Value axis = e.toIndex(e.at(axisOf, at[1]));
    Value position = arith::SIToFPOp::create(e, e.getF32Type(),
                                             e.at(positions, {axis, at[0]}));
    return e.mul(position, e.at(freqs, at[1]));
  };
  auto type = RankedTensorType::get({tokens, pairs}, e.getF32Type());
  Value cos =
      e.generate(emptyAs(e, type, op.getX()), [&](Emitter &e, ValueRange at) {
        return e.mul(math::CosOp::create(e, angle(e, at)), e.f32(scale));
      });
  Value sin =
      e.generate(emptyAs(e, type, op.getX()), [&](Emitter &e, ValueRange at) {
        return e.mul(math::SinOp::create(e, angle(e, at)), e.f32(scale));
      });
  return {cos, sin};
}

Results quartet::decompose(OpBuilder &b, RopeOp op) {
  Emitter e(b, op.getLoc());
  Value x = op.getX();
  int64_t pairs = op.getInvFreq().size();
  Rotation rotation = rotationOf(e, op);
  auto body = [&](Emitter &e, ValueRange at) -> Value {
    Value t = at[0], head = at[1], d = at[2];
    auto below = [&](int64_t bound) -> Value {
      return arith::CmpIOp::create(e, arith::CmpIPredicate::ult, d,
                                   e.index(bound));
    };
    auto choose = [&](Value condition, Value yes, Value no) -> Value {
      return arith::SelectOp::create(e, condition, yes, no);
    };
    Value rotated = below(2 * pairs), first = below(pairs);
    // Dimensions that do not rotate read pair 0, inside the tensors, and drop
    // what comes of it.
    Value pair =
        choose(rotated, choose(first, d, e.sub(d, e.index(pairs))), e.index(0));
    Value partner = choose(first, e.add(pair, e.index(pairs)), pair);

    Value in = e.at(x, at);
    Value turn = e.mul(in, e.at(rotation.cos, {t, pair}));
    Value shear =
        e.mul(e.at(x, {t, head, partner}), e.at(rotation.sin, {t, pair}));
    Value out = choose(first, e.sub(turn, shear), e.add(turn, shear));
    return choose(rotated, out, in);
  };
  return {e.generate(emptyAs(e, op.getY().getType(), x), body)};
}
