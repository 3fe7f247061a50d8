// Verifiers of the mixture of experts, the dense MLP and both ends of the
// model. Each check carries the number of its constraint in
// QuartetExpertOps.td.
#include "dialects/Quartet/QuartetOps.h"
#include "dialects/Quartet/ShapeChecks.h"

using namespace mlir;
using namespace quartet;

/// The rows of gate and up in one matrix, for I as in `down`.
static Extent gateAndUpRows(const Extent &i) {
  return Extent("2I", 2 * i.getValue(), "down");
}

LogicalResult EmbedOp::verify() {
  Extent n("N"), v("V", Extent::kStatic), h("H", Extent::kStatic);
  if (failed(checkShape(*this, "table", getTable(), {&v, &h})) || // C1
      failed(checkShape(*this, "tokens", getTokens(), {&n})) ||   // C2
      failed(checkShape(*this, "y", getY(), {&n, &h})))           // C2
    return failure();
  return success();
}

LogicalResult RouteOp::verify() {
  Extent n("N"), e("E", Extent::kStatic), h("H", Extent::kStatic);
  if (failed(checkShape(*this, "w", getWeight(), {&e, &h})) || // C1
      failed(checkShape(*this, "x", getX(), {&n, &h})))        // C1
    return failure();
  int64_t topK = getTopK();
  // C2
  if (topK < 1 || topK > e.getValue())
    return emitOpError() << "expected 1 <= top_k <= E = " << e.getValue()
                         << ", found " << topK;
  Extent chosen("top_k", topK, "top_k");
  if (failed(checkShape(*this, "weights", getWeights(), {&n, &chosen})) || // C3
      failed(checkShape(*this, "ids", getIds(), {&n, &chosen})))           // C3
    return failure();
  return success();
}

LogicalResult ExpertsOp::verify() {
  Extent n("N"), k("K", Extent::kStatic), e("E", Extent::kStatic);
  Extent h("H", Extent::kStatic), i("I", Extent::kStatic);
  // C1
  if (failed(checkShape(*this, "down", getDown(), {&e, &h, &i})))
    return failure();
  Extent gateAndUp = gateAndUpRows(i);
  if (failed(checkShape(*this, "gate_up", getGateUp(),
                        {&e, &gateAndUp, &h}))) // C1
    return failure();
  if (failed(checkShape(*this, "x", getX(), {&n, &h})) ||             // C2
      failed(checkShape(*this, "y", getY(), {&n, &h})) ||             // C2
      failed(checkShape(*this, "weights", getWeights(), {&n, &k})) || // C3
      failed(checkShape(*this, "ids", getIds(), {&n, &k})))           // C3
    return failure();
  return success();
}

/// The constraints that a dense SwiGLU has by itself and as a shared expert:
/// binds \p h, the hidden size.
template <typename OpT> static LogicalResult verifySwiGlu(OpT op, Extent &h) {
  Extent n("N"), i("I", Extent::kStatic);
  // C1
  if (failed(checkShape(op, "down", op.getDown(), {&h, &i})))
    return failure();
  Extent gateAndUp = gateAndUpRows(i);
  if (failed(
          checkShape(op, "gate_up", op.getGateUp(), {&gateAndUp, &h})) || // C1
      failed(checkShape(op, "x", op.getX(), {&n, &h})) ||                 // C2
      failed(checkShape(op, "y", op.getY(), {&n, &h})))                   // C2
    return failure();
  return success();
}

LogicalResult MlpOp::verify() {
  Extent h("H", Extent::kStatic);
  return verifySwiGlu(*this, h); // C1, C2
}

LogicalResult SharedExpertOp::verify() {
  Extent h("H", Extent::kStatic), one("1", 1);
  if (failed(verifySwiGlu(*this, h))) // C1, C2
    return failure();
  return checkShape(*this, "gate", getGate(), {&one, &h}); // C3
}

LogicalResult LmHeadOp::verify() {
  Extent n("N"), r("R"), v("V", Extent::kStatic), h("H", Extent::kStatic);
  if (failed(checkShape(*this, "w", getWeight(), {&v, &h})) ||    // C1
      failed(checkShape(*this, "x", getX(), {&n, &h})) ||         // C1
      failed(checkShape(*this, "rows", getRows(), {&r})) ||       // C2
      failed(checkShape(*this, "logits", getLogits(), {&r, &v}))) // C2
    return failure();
  return success();
}

LogicalResult SampleOp::verify() {
  Extent r("R"), v("V", Extent::kStatic);
  if (failed(checkShape(*this, "logits", getLogits(), {&r, &v})) ||       // C1
      failed(checkShape(*this, "temperature", getTemperature(), {&r})) || // C2
      failed(checkShape(*this, "top_k", getTopK(), {&r})) ||              // C2
      failed(checkShape(*this, "top_p", getTopP(), {&r})) ||              // C2
      failed(checkShape(*this, "min_p", getMinP(), {&r})) ||              // C2
      failed(checkShape(*this, "uniform", getUniform(), {&r})) ||         // C2
      failed(checkShape(*this, "ids", getIds(), {&r})))                   // C2
    return failure();
  int64_t limit = getTokenLimit();
  // C3
  if (limit < 1 || limit > v.getValue())
    return emitOpError() << "expected 1 <= token_limit <= V = " << v.getValue()
                         << ", found " << limit;
  int64_t candidates = getCandidates();
  // C4
  if (candidates < 1)
    return emitOpError() << "expected candidates >= 1, found " << candidates;
  return success();
}
