// Decompositions of route and experts. Routing ranks the probabilities in one
// pass per token; the experts read only the top_k matrices of each token.
#include "passes/Lower/Decompose.h"
#include "passes/Lower/DecomposeRows.h"
#include <limits>

using namespace mlir;
using namespace quartet;

/// softmax_e(x[t,:] . weight[e,:]), an f32 tensor [N, E].
static Value probabilities(Emitter &e, Value x, Value weight) {
  int64_t tokens = cast<RankedTensorType>(x.getType()).getDimSize(0);
  int64_t experts = cast<RankedTensorType>(weight.getType()).getDimSize(0);
  auto type = RankedTensorType::get({tokens, experts}, e.getF32Type());
  auto perToken = RankedTensorType::get(tokens, e.getF32Type());
  // One row of the router for all tokens, then the next.
  Value logits =
      e.generate(emptyAs(e, type, x), {1, 0}, [&](Emitter &e, ValueRange at) {
        return dot(e, x, at[0], weight, at[1]);
      });
  Value max =
      e.generate(emptyAs(e, perToken, x), [&](Emitter &e, ValueRange at) {
        Value lowest = e.f32(-std::numeric_limits<double>::infinity());
        return e.fold(e.index(0), e.index(experts), lowest,
                      [&](Emitter &e, Value expert, Value acc) -> Value {
                        return arith::MaximumFOp::create(
                            e, acc, e.at(logits, {at[0], expert}));
                      });
      });
  // exp(l - max), and their sum, in order.
  Value parts = e.generate(emptyAs(e, type, x), [&](Emitter &e, ValueRange at) {
    return e.exp(e.sub(e.at(logits, at), e.at(max, at[0])));
  });
  Value sum =
      e.generate(emptyAs(e, perToken, x), [&](Emitter &e, ValueRange at) {
        return e.fold(e.index(0), e.index(experts), e.f32(0),
                      [&](Emitter &e, Value expert, Value acc) {
                        return e.accumulate(acc, e.at(parts, {at[0], expert}));
                      });
      });
  return e.generate(emptyAs(e, type, x), [&](Emitter &e, ValueRange at) {
    return e.div(e.at(parts, at), e.at(sum, at[0]));
  });
}

Results quartet::decompose(OpBuilder &b, RouteOp op) {
  Emitter e(b, op.getLoc());
  Value x = op.getX(), weight = op.getWeight();
  int64_t experts = cast<RankedTensorType>(weight.getType()).getDimSize(0);
  int64_t topK = op.getTopK();
  Ranking chosen = rankRows(e, probabilities(e, x, weight), experts, topK,
                            [&](Emitter &e, Value) { return e.index(topK); });
  if (!op.getRenormalize())
    return {chosen.values, chosen.columns};

  int64_t tokens = cast<RankedTensorType>(x.getType()).getDimSize(0);
  auto perToken = RankedTensorType::get(tokens, e.getF32Type());
  Value sum =
      e.generate(emptyAs(e, perToken, x), [&](Emitter &e, ValueRange at) {
        return e.fold(e.index(0), e.index(topK), e.f32(0),
                      [&](Emitter &e, Value j, Value acc) {
                        return e.add(acc, e.at(chosen.values, {at[0], j}));
                      });
      });
  Value weights = e.generate(
      emptyAs(e, op.getWeights().getType(), x), [&](Emitter &e, ValueRange at) {
        return e.div(e.at(chosen.values, at), e.at(sum, at[0]));
      });
  return {weights, chosen.columns};
}

Results quartet::decompose(OpBuilder &b, ExpertsOp op) {
  Emitter e(b, op.getLoc());
  Value x = op.getX(), weights = op.getWeights(), ids = op.getIds();
  Value gateUp = op.getGateUp(), down = op.getDown();
  auto idsType = cast<RankedTensorType>(ids.getType());
  int64_t slots = idsType.getDimSize(1);
  int64_t intermediate = cast<RankedTensorType>(down.getType()).getDimSize(2);
  auto hiddenType = RankedTensorType::get(
      {idsType.getDimSize(0), slots, intermediate}, e.getF32Type());
  // Row i of all experts, then row i + 1: tokens that share an expert share its
  // rows while they are in cache, and one token reads each expert in sequence.
  Value h = e.generate(emptyAs(e, hiddenType, x), {2, 0, 1},
                       [&](Emitter &e, ValueRange at) {
                         Value expert = e.toIndex(e.at(ids, {at[0], at[1]}));
                         return swiglu(e, x, at[0], gateUp, expert, at[2]);
                       });
  auto output = [&](Emitter &e, ValueRange at) {
    return e.fold(e.index(0), e.index(slots), e.f32(0),
                  [&](Emitter &e, Value j, Value sum) {
                    Value expert = e.toIndex(e.at(ids, {at[0], j}));
                    Value part = dot(e, h, {at[0], j}, down, {expert, at[1]});
                    return e.add(sum, e.mul(e.at(weights, {at[0], j}), part));
                  });
  };
  return {e.generate(emptyAs(e, op.getY().getType(), x), {1, 0}, output)};
}
