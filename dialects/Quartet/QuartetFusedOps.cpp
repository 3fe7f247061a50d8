// Verifiers of the ops that fusion makes. Each check carries the number of its
// constraint in QuartetFusedOps.td.
#include "dialects/Quartet/QuartetOps.h"
#include "dialects/Quartet/ShapeChecks.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace quartet;

LogicalResult ProjectionsOp::verify() {
  Extent n("N"), rows("R", Extent::kStatic), in("I", Extent::kStatic);
  if (failed(checkShape(*this, "w", getWeight(), {&rows, &in})) || // C1
      failed(checkShape(*this, "x", getX(), {&n, &in})))           // C1
    return failure();
  // C3
  if (getRows().size() != getNumResults() || getRows().empty())
    return emitOpError() << "expected one of 'rows' for each result and at "
                            "least one, found "
                         << getRows().size() << " for " << getNumResults()
                         << " results";
  int64_t end = 0;
  for (auto [y, row] : llvm::zip_equal(getYs(), getRows())) {
    Extent out("O", Extent::kStatic);
    if (failed(checkShape(*this, "y", y, {&n, &out}))) // C2
      return failure();
    // C3
    if (row < end || row % kPanelRows != 0)
      return emitOpError() << "expected each of 'rows' to be a multiple of "
                           << kPanelRows
                           << " at or after the end of the result before, "
                           << end << ", found " << row;
    end = row + out.getValue();
  }
  // C3
  if (end > rows.getValue())
    return emitOpError() << "expected the results to end within the R = "
                         << rows.getValue() << " rows of 'w', found " << end;
  return success();
}

LogicalResult SelectExpertsOp::verify() {
  Extent n("N"), e("E", Extent::kStatic), one("1", 1);
  if (failed(checkShape(*this, "logits", getLogits(), {&n, &e}))) // C1
    return failure();
  int64_t topK = getTopK(), shared = getShared();
  // C2
  if (topK < 1 || topK > e.getValue())
    return emitOpError() << "expected 1 <= top_k <= E = " << e.getValue()
                         << ", found " << topK;
  // C3
  if (shared < 0 || (shared > 0) != bool(getGate()))
    return emitOpError() << "expected 'gate' if and only if shared >= 1, found "
                            "shared = "
                         << shared << (getGate() ? " with" : " without")
                         << " it";
  if (getGate() &&
      failed(checkShape(*this, "gate", getGate(), {&n, &one}))) // C3
    return failure();
  Extent chosen("top_k+S", topK + shared, "top_k");
  if (failed(checkShape(*this, "weights", getWeights(), {&n, &chosen})) || // C4
      failed(checkShape(*this, "ids", getIds(), {&n, &chosen})))           // C4
    return failure();
  return success();
}

/// The rows of gate and up for I as in `h`: each padded to whole panels, or as
/// they are in a tensor, which has no panels.
static Extent gateAndUpRows(const Extent &i, Value gateUp) {
  int64_t rows = i.getValue(), padded = llvm::alignTo(rows, kPanelRows);
  auto tensor = dyn_cast<RankedTensorType>(gateUp.getType());
  if (tensor && tensor.getDimSize(tensor.getRank() - 2) == 2 * rows)
    padded = rows;
  return Extent("2P", 2 * padded, "h");
}

LogicalResult ExpertUpOp::verify() {
  Extent n("N"), k("K", Extent::kStatic), i("I", Extent::kStatic);
  Extent e("E", Extent::kStatic), h("H", Extent::kStatic);
  if (failed(checkShape(*this, "h", getH(), {&n, &k, &i}))) // C1
    return failure();
  Extent gateAndUp = gateAndUpRows(i, getGateUp());
  if (failed(checkShape(*this, "gate_up", getGateUp(),
                        {&e, &gateAndUp, &h})) ||           // C2
      failed(checkShape(*this, "x", getX(), {&n, &h})) ||   // C3
      failed(checkShape(*this, "ids", getIds(), {&n, &k}))) // C4
    return failure();
  return success();
}

LogicalResult ExpertDownOp::verify() {
  Extent n("N"), k("K", Extent::kStatic), i("I", Extent::kStatic);
  Extent e("E", Extent::kStatic), h("H", Extent::kStatic);
  if (failed(checkShape(*this, "down", getDown(), {&e, &h, &i})) ||   // C1
      failed(checkShape(*this, "h", getH(), {&n, &k, &i})) ||         // C2
      failed(checkShape(*this, "weights", getWeights(), {&n, &k})) || // C3
      failed(checkShape(*this, "ids", getIds(), {&n, &k})) ||         // C3
      failed(checkShape(*this, "y", getY(), {&n, &h})) ||             // C4
      (getResidual() &&
       failed(checkShape(*this, "residual", getResidual(), {&n, &h})))) // C4
    return failure();
  return success();
}

LogicalResult MlpUpOp::verify() {
  Extent n("N"), i("I", Extent::kStatic), h("H", Extent::kStatic);
  if (failed(checkShape(*this, "h", getH(), {&n, &i}))) // C1
    return failure();
  Extent gateAndUp = gateAndUpRows(i, getGateUp());
  if (failed(
          checkShape(*this, "gate_up", getGateUp(), {&gateAndUp, &h})) || // C2
      failed(checkShape(*this, "x", getX(), {&n, &h})))                   // C3
    return failure();
  return success();
}
