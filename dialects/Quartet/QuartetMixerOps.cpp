// Verifiers of the norms, projections and mixers. Each check carries the number
// of its constraint in QuartetMixerOps.td; equal types are traits there.
#include "dialects/Quartet/QuartetOps.h"
#include "dialects/Quartet/ShapeChecks.h"

using namespace mlir;
using namespace quartet;

LogicalResult RmsNormOp::verify() {
  Extent n("N"), heads("heads"), d("D", Extent::kStatic);
  SmallVector<Extent *, 3> shape = {&n, &d};
  if (cast<RankedTensorType>(getX().getType()).getRank() == 3)
    shape = {&n, &heads, &d};
  if (failed(checkShape(*this, "x", getX(), shape)) ||   // C1
      failed(checkShape(*this, "y", getY(), shape)) ||   // C1
      failed(checkShape(*this, "w", getWeight(), {&d}))) // C2
    return failure();
  return checkEpsilon(*this, "eps", getEps()); // C3
}

LogicalResult GatedRmsNormOp::verify() {
  Extent n("N"), heads("Hv"), d("Dv", Extent::kStatic);
  if (failed(checkShape(*this, "x", getX(), {&n, &heads, &d})) || // C1
      failed(checkShape(*this, "z", getZ(), {&n, &heads, &d})) || // C1
      failed(checkShape(*this, "y", getY(), {&n, &heads, &d})) || // C1
      failed(checkShape(*this, "w", getWeight(), {&d})))          // C2
    return failure();
  return checkEpsilon(*this, "eps", getEps()); // C3
}

LogicalResult LinearOp::verify() {
  Extent n("N"), out("O", Extent::kStatic), in("I", Extent::kStatic);
  if (failed(checkShape(*this, "w", getWeight(), {&out, &in})) || // C1
      failed(checkShape(*this, "x", getX(), {&n, &in})) ||        // C2
      failed(checkShape(*this, "y", getY(), {&n, &out})) ||       // C3
      (getResidual() &&
       failed(checkShape(*this, "residual", getResidual(), {&n, &out})))) // C3
    return failure();
  return success();
}

LogicalResult CausalConvOp::verify() {
  Extent n("N"), c("C", Extent::kStatic), k("K", Extent::kStatic);
  if (failed(checkShape(*this, "x", getX(), {&n, &c})) ||    // C1
      failed(checkShape(*this, "y", getY(), {&n, &c})) ||    // C1
      failed(checkShape(*this, "w", getWeight(), {&c, &k}))) // C2
    return failure();
  // C2
  if (k.getValue() < 2)
    return emitOpError() << "expected K >= 2 taps in 'w', found "
                         << k.getValue();
  Extent slots("slots"), rows("K-1", k.getValue() - 1, "w");
  // C3
  if (failed(checkShape(*this, "state_in", getStateIn(), {&slots, &rows, &c})))
    return failure();
  return checkShape(*this, "token_seq", getTokenSeq(), {&n}); // C5
}

LogicalResult GatedDeltaOp::verify() {
  Extent n("N"), slots("slots");
  Extent keyHeads("Hk", Extent::kStatic), keyDim("Dk", Extent::kStatic);
  Extent heads("Hv", Extent::kStatic), valueDim("Dv", Extent::kStatic);
  if (failed(checkShape(*this, "q", getQ(), {&n, &keyHeads, &keyDim})) || // C1
      failed(checkShape(*this, "v", getV(), {&n, &heads, &valueDim})) ||  // C2
      failed(
          checkShape(*this, "out", getOut(), {&n, &heads, &valueDim})) || // C2
      failed(checkHeadGroups(*this, "Hv", heads, "Hk", keyHeads)) ||      // C3
      failed(checkShape(*this, "a", getA(), {&n, &heads})) ||             // C4
      failed(checkShape(*this, "b", getB(), {&n, &heads})) ||             // C4
      failed(checkShape(*this, "a_log", getALog(), {&heads})) ||          // C5
      failed(checkShape(*this, "dt_bias", getDtBias(), {&heads})) ||      // C5
      failed(checkShape(*this, "state_in", getStateIn(),
                        {&slots, &heads, &valueDim, &keyDim}))) // C6
    return failure();
  return checkEpsilon(*this, "qk_eps", getQkEps()); // C8
}

LogicalResult RopeOp::verify() {
  Extent n("N"), heads("heads"), d("D", Extent::kStatic), three("3", 3);
  if (failed(checkShape(*this, "x", getX(), {&n, &heads, &d})) || // C1
      failed(
          checkShape(*this, "positions", getPositions(), {&three, &n}))) // C2
    return failure();
  int64_t pairs = getInvFreq().size();
  int64_t axes = getAxes().size();
  // C3
  if (pairs < 1 || pairs != axes)
    return emitOpError() << "expected inv_freq and axes to have the same P >= "
                            "1 elements, found "
                         << pairs << " and " << axes;
  // C3
  if (2 * pairs > d.getValue())
    return emitOpError() << "expected at most D / 2 = " << d.getValue() / 2
                         << " frequencies, found " << pairs;
  // C4
  for (int32_t axis : getAxes())
    if (axis < 0 || axis > 2)
      return emitOpError() << "expected each axis to be 0, 1 or 2, found "
                           << axis;
  return success();
}

LogicalResult GatedAttentionOp::verify() {
  Extent n("N"), pages("pages");
  Extent heads("Hq", Extent::kStatic), d("D", Extent::kStatic),
      keyHeads("Hkv", Extent::kStatic);
  if (failed(checkShape(*this, "q", getQ(), {&n, &heads, &d})) ||     // C1
      failed(checkShape(*this, "out", getOut(), {&n, &heads, &d})) || // C1
      (getGate() &&
       failed(checkShape(*this, "gate", getGate(), {&n, &heads, &d}))) || // C1
      failed(checkShape(*this, "k", getK(), {&n, &keyHeads, &d})) ||      // C2
      failed(checkShape(*this, "v", getV(), {&n, &keyHeads, &d})) ||      // C2
      failed(checkHeadGroups(*this, "Hq", heads, "Hkv", keyHeads)))       // C3
    return failure();
  Type element = cast<RankedTensorType>(getKeyIn().getType()).getElementType();
  bool int8 = element.isInteger(8);
  int64_t count = pageRows(int8, d.getValue());
  Extent rows =
      int8 ? Extent("64 + ceil(256 / D)", count, "q") : Extent("64", count);
  if (failed(checkShape(*this, "key_in", getKeyIn(),
                        {&pages, &keyHeads, &rows, &d})) || // C4
      failed(checkShape(*this, "value_in", getValueIn(),
                        {&pages, &keyHeads, &rows, &d}))) // C4
    return failure();
  return checkShape(*this, "token_seq", getTokenSeq(), {&n}); // C6
}
