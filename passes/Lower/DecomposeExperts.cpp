// Decompositions of route and experts, whole and in halves. Routing ranks the
// probabilities in one pass per token; the experts read only the matrices that
// a token chose.
#include "passes/Lower/Decompose.h"
#include "passes/Lower/DecomposeRows.h"
#include <limits>

using namespace mlir;
using namespace quartet;

/// x[t,:] . weight[e,:], an f32 tensor [N, E].
static Value logitsOf(Emitter &e, Value x, Value weight) {
  int64_t tokens = cast<RankedTensorType>(x.getType()).getDimSize(0);
  int64_t experts = cast<RankedTensorType>(weight.getType()).getDimSize(0);
  auto type = RankedTensorType::get({tokens, experts}, e.getF32Type());
  // One row of the router for all tokens, then the next.
  return e.generate(emptyAs(e, type, x), {1, 0},
                    [&](Emitter &e, ValueRange at) {
                      return dot(e, x, at[0], weight, at[1]);
                    });
}

/// softmax_e(logits[t,e]), an f32 tensor [N, E].
static Value probabilities(Emitter &e, Value logits) {
  auto logitsType = cast<RankedTensorType>(logits.getType());
  int64_t tokens = logitsType.getDimSize(0), experts = logitsType.getDimSize(1);
  auto type = RankedTensorType::get({tokens, experts}, e.getF32Type());
  auto perToken = RankedTensorType::get(tokens, e.getF32Type());
  Value max =
      e.generate(emptyAs(e, perToken, logits), [&](Emitter &e, ValueRange at) {
        Value lowest = e.f32(-std::numeric_limits<double>::infinity());
        return e.fold(e.index(0), e.index(experts), lowest,
                      [&](Emitter &e, Value expert, Value acc) -> Value {
                        return arith::MaximumFOp::create(
                            e, acc, e.at(logits, {at[0], expert}));
                      });
      });
  // exp(l - max), and their sum, in order.
  Value parts =
      e.generate(emptyAs(e, type, logits), [&](Emitter &e, ValueRange at) {
        return e.exp(e.sub(e.at(logits, at), e.at(max, at[0])));
      });
  Value sum =
      e.generate(emptyAs(e, perToken, logits), [&](Emitter &e, ValueRange at) {
        return e.fold(e.index(0), e.index(experts), e.f32(0),
                      [&](Emitter &e, Value expert, Value acc) {
                        return e.accumulate(acc, e.at(parts, {at[0], expert}));
                      });
      });
  return e.generate(emptyAs(e, type, logits), [&](Emitter &e, ValueRange at) {
    return e.div(e.at(parts, at), e.at(sum, at[0]));
  });
}

/// The \p topK experts of each token by \p logits [N, E], and their weights.
static Ranking choose(Emitter &e, Value logits, int64_t topK,
                      bool renormalize) {
  auto type = cast<RankedTensorType>(logits.getType());
  Ranking chosen =
      rankRows(e, probabilities(e, logits), type.getDimSize(1), topK,
               [&](Emitter &e, Value) { return e.index(topK); });
  if (!renormalize)
    return chosen;
  auto perToken = RankedTensorType::get(type.getDimSize(0), e.getF32Type());
  Value sum =
      e.generate(emptyAs(e, perToken, logits), [&](Emitter &e, ValueRange at) {
        return e.fold(e.index(0), e.index(topK), e.f32(0),
                      [&](Emitter &e, Value j, Value acc) {
                        return e.add(acc, e.at(chosen.values, {at[0], j}));
                      });
      });
  Value weights =
      e.generate(emptyAs(e, chosen.values.getType(), logits),
                 [&](Emitter &e, ValueRange at) {
                   return e.div(e.at(chosen.values, at), e.at(sum, at[0]));
                 });
  return {weights, chosen.columns};
}

Results quartet::decompose(OpBuilder &b, RouteOp op) {
  Emitter e(b, op.getLoc());
  Ranking chosen = choose(e, logitsOf(e, op.getX(), op.getWeight()),
                          op.getTopK(), op.getRenormalize());
  return {chosen.values, chosen.columns};
}

Results quartet::decompose(OpBuilder &b, SelectExpertsOp op) {
  Emitter e(b, op.getLoc());
  Value logits = op.getLogits(), gate = op.getGate();
  int64_t topK = op.getTopK();
  Ranking chosen = choose(e, logits, topK, op.getRenormalize());
  if (!gate)
    return {chosen.values, chosen.columns};
  int64_t experts = cast<RankedTensorType>(logits.getType()).getDimSize(1);
  // Place j is a routed expert or one of the shared ones after them.
  auto place = [&](Emitter &e, Value j) -> std::pair<Value, Value> {
    Value last = e.index(topK - 1);
    Value routed = arith::CmpIOp::create(e, arith::CmpIPredicate::ule, j, last);
    return {routed, arith::MinUIOp::create(e, j, last)};
  };
  Value weights =
      e.generate(emptyAs(e, op.getWeights().getType(), logits),
                 [&](Emitter &e, ValueRange at) -> Value {
                   auto [routed, j] = place(e, at[1]);
                   Value share = e.sigmoid(e.at(gate, {at[0], e.index(0)}));
                   return arith::SelectOp::create(
                       e, routed, e.at(chosen.values, {at[0], j}), share);
                 });
  Value ids =
      e.generate(emptyAs(e, op.getIds().getType(), logits),
                 [&](Emitter &e, ValueRange at) -> Value {
                   auto [routed, j] = place(e, at[1]);
                   Value shared =
                       e.toI32(e.add(e.index(experts - topK), at[1]));
                   return arith::SelectOp::create(
                       e, routed, e.at(chosen.columns, {at[0], j}), shared);
                 });
  return {weights, ids};
}

/// h[t,j,i] of the chosen experts as a tensor of \p type [N, K, I].
static Value expertsUp(Emitter &e, Value x, Value ids, Value gateUp,
                       Type type) {
  // Row i of all experts, then row i + 1: tokens that share an expert share its
  // rows while they are in cache, and one token reads each expert in sequence.
  return e.generate(emptyAs(e, type, x), {2, 0, 1},
                    [&](Emitter &e, ValueRange at) {
                      Value expert = e.toIndex(e.at(ids, {at[0], at[1]}));
                      return swiglu(e, x, at[0], gateUp, expert, at[2]);
                    });
}

/// The sum over the chosen experts, and \p residual if any, as \p type [N, H].
static Value expertsDown(Emitter &e, Value h, Value weights, Value ids,
                         Value down, Value residual, Type type) {
  int64_t places = cast<RankedTensorType>(ids.getType()).getDimSize(1);
  return e.generate(
      emptyAs(e, type, h), {1, 0}, [&](Emitter &e, ValueRange at) {
        Value sum =
            e.fold(e.index(0), e.index(places), e.f32(0),
                   [&](Emitter &e, Value j, Value sum) {
                     Value expert = e.toIndex(e.at(ids, {at[0], j}));
                     Value part = dot(e, h, {at[0], j}, down, {expert, at[1]});
                     return e.add(sum, e.mul(e.at(weights, {at[0], j}), part));
                   });
        return residual ? e.add(e.at(residual, at), sum) : sum;
      });
}

Results quartet::decompose(OpBuilder &b, ExpertUpOp op) {
  Emitter e(b, op.getLoc());
  return {expertsUp(e, op.getX(), op.getIds(), op.getGateUp(),
                    op.getH().getType())};
}

Results quartet::decompose(OpBuilder &b, ExpertDownOp op) {
  Emitter e(b, op.getLoc());
  return {expertsDown(e, op.getH(), op.getWeights(), op.getIds(), op.getDown(),
                      op.getResidual(), op.getY().getType())};
}

Results quartet::decompose(OpBuilder &b, ExpertsOp op) {
  Emitter e(b, op.getLoc());
  Value ids = op.getIds(), down = op.getDown();
  auto idsType = cast<RankedTensorType>(ids.getType());
  int64_t intermediate = cast<RankedTensorType>(down.getType()).getDimSize(2);
  auto hiddenType = RankedTensorType::get(
      {idsType.getDimSize(0), idsType.getDimSize(1), intermediate},
      e.getF32Type());
  Value h = expertsUp(e, op.getX(), ids, op.getGateUp(), hiddenType);
  return {
      expertsDown(e, h, op.getWeights(), ids, down, {}, op.getY().getType())};
}
