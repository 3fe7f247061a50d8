// Decompositions of rms_norm and gated_rms_norm: one scale per row, then one
// product per element.
#include "passes/Lower/Decompose.h"
#include "passes/Lower/DecomposeRows.h"

using namespace mlir;
using namespace quartet;

/// rsqrt(mean_d(x[..., d]^2) + eps), an f32 tensor of x's leading dimensions.
static Value inverseRms(Emitter &e, Value x, const APFloat &eps) {
  auto type = cast<RankedTensorType>(x.getType());
  auto scaleType =
      RankedTensorType::get(type.getShape().drop_back(), e.getF32Type());
  return e.generate(emptyAs(e, scaleType, x), [&](Emitter &e, ValueRange row) {
    Value mean = e.div(dot(e, x, row, x, row), e.f32(type.getShape().back()));
    return e.rsqrt(e.add(mean, e.f32(eps.convertToDouble())));
  });
}

Results quartet::decompose(OpBuilder &b, RmsNormOp op) {
  Emitter e(b, op.getLoc());
  Value x = op.getX(), weight = op.getWeight();
  Value scale = inverseRms(e, x, op.getEps());
  return {e.generate(
      emptyAs(e, op.getY().getType(), x), [&](Emitter &e, ValueRange at) {
        Value normal = e.mul(e.at(x, at), e.at(scale, at.drop_back()));
        Value gain = e.add(e.f32(1), e.at(weight, at.back()));
        return e.mul(normal, gain);
      })};
}

Results quartet::decompose(OpBuilder &b, GatedRmsNormOp op) {
  Emitter e(b, op.getLoc());
  Value x = op.getX(), z = op.getZ(), weight = op.getWeight();
  bool silu = op.getGate() == Activation::Silu;
  Value scale = inverseRms(e, x, op.getEps());
  return {e.generate(
      emptyAs(e, op.getY().getType(), x), [&](Emitter &e, ValueRange at) {
        Value normal = e.mul(e.at(x, at), e.at(scale, at.drop_back()));
        Value in = e.at(z, at);
        Value gate = silu ? e.silu(in) : e.sigmoid(in);
        return e.mul(e.mul(e.at(weight, at.back()), normal), gate);
      })};
}
