// Decompositions of embed, linear, projections, mlp, shared_expert and lm_head.
// A row of a matrix is the outer loop and the tokens are the inner one, so that
// each weight is read once for all tokens of a step.
#include "passes/Lower/Decompose.h"
#include "passes/Lower/DecomposeRows.h"

using namespace mlir;
using namespace quartet;

/// Output rows outermost, tokens innermost, for a [N, O] result.
static constexpr int64_t kRowsThenTokens[] = {1, 0};

Results quartet::decompose(OpBuilder &b, EmbedOp op) {
  Emitter e(b, op.getLoc());
  Value tokens = op.getTokens(), table = op.getTable();
  return {e.generate(emptyAs(e, op.getY().getType(), tokens),
                     [&](Emitter &e, ValueRange at) {
                       Value token = e.toIndex(e.at(tokens, at[0]));
                       return e.at(table, {token, at[1]});
                     })};
}

Results quartet::decompose(OpBuilder &b, LinearOp op) {
  Emitter e(b, op.getLoc());
  Value x = op.getX(), weight = op.getWeight(), residual = op.getResidual();
  return {e.generate(emptyAs(e, op.getY().getType(), x), kRowsThenTokens,
                     [&](Emitter &e, ValueRange at) {
                       Value sum = dot(e, x, at[0], weight, at[1]);
                       return residual ? e.add(e.at(residual, at), sum) : sum;
                     })};
}

Results quartet::decompose(OpBuilder &b, ProjectionsOp op) {
  Emitter e(b, op.getLoc());
  Value x = op.getX(), weight = op.getWeight();
  Results results;
  for (auto [y, row] : llvm::zip_equal(op.getYs(), op.getRows()))
    results.push_back(e.generate(emptyAs(e, y.getType(), x), kRowsThenTokens,
                                 [&, row = row](Emitter &e, ValueRange at) {
                                   return dot(e, x, at[0], weight,
                                              e.add(e.index(row), at[1]));
                                 }));
  return results;
}

/// h[t,i] of a dense SwiGLU as a tensor of \p type [N, I].
static Value hiddenOf(Emitter &e, Value x, Value gateUp, Type type) {
  return e.generate(emptyAs(e, type, x), kRowsThenTokens,
                    [&](Emitter &e, ValueRange at) {
                      return swiglu(e, x, at[0], gateUp, {}, at[1]);
                    });
}

/// The f32 tensor [N, I] for \p gateUp [2I, H].
static Type hiddenType(Emitter &e, Value x, Value gateUp) {
  auto xType = cast<RankedTensorType>(x.getType());
  int64_t intermediate =
      cast<RankedTensorType>(gateUp.getType()).getDimSize(0) / 2;
  return RankedTensorType::get({xType.getDimSize(0), intermediate},
                               e.getF32Type());
}

Results quartet::decompose(OpBuilder &b, MlpUpOp op) {
  Emitter e(b, op.getLoc());
  return {hiddenOf(e, op.getX(), op.getGateUp(), op.getH().getType())};
}

Results quartet::decompose(OpBuilder &b, MlpOp op) {
  Emitter e(b, op.getLoc());
  Value x = op.getX(), down = op.getDown();
  Value h = hiddenOf(e, x, op.getGateUp(), hiddenType(e, x, op.getGateUp()));
  return {e.generate(emptyAs(e, op.getY().getType(), x), kRowsThenTokens,
                     [&](Emitter &e, ValueRange at) {
                       return dot(e, h, at[0], down, at[1]);
                     })};
}

Results quartet::decompose(OpBuilder &b, SharedExpertOp op) {
  Emitter e(b, op.getLoc());
  Value x = op.getX(), down = op.getDown(), gate = op.getGate();
  Value h = hiddenOf(e, x, op.getGateUp(), hiddenType(e, x, op.getGateUp()));
  auto xType = cast<RankedTensorType>(x.getType());
  auto shareType = RankedTensorType::get(xType.getDimSize(0), e.getF32Type());
  Value share =
      e.generate(emptyAs(e, shareType, x), [&](Emitter &e, ValueRange at) {
        return e.sigmoid(dot(e, x, at[0], gate, e.index(0)));
      });
  return {e.generate(emptyAs(e, op.getY().getType(), x), kRowsThenTokens,
                     [&](Emitter &e, ValueRange at) {
                       return e.mul(e.at(share, at[0]),
                                    dot(e, h, at[0], down, at[1]));
                     })};
}

Results quartet::decompose(OpBuilder &b, LmHeadOp op) {
  Emitter e(b, op.getLoc());
  Value x = op.getX(), rows = op.getRows(), weight = op.getWeight();
  return {e.generate(emptyAs(e, op.getLogits().getType(), rows),
                     kRowsThenTokens, [&](Emitter &e, ValueRange at) {
                       Value token = e.toIndex(e.at(rows, at[0]));
                       return dot(e, x, token, weight, at[1]);
                     })};
}
