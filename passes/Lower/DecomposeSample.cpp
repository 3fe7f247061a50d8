// Decomposition of sample: one pass over a row's logits keeps its best
// candidates, the rest is arithmetic on that short list. A greedy row keeps
// one.
#include "passes/Lower/Decompose.h"
#include "passes/Lower/DecomposeRows.h"
#include <algorithm>

using namespace mlir;
using namespace quartet;

namespace {
/// The candidates of all rows and what a draw needs of them.
struct Candidates {
  Ranking ranking;
  Value probability; // [R, places] f32, the p_j before any is dropped
  Value topP, minP, uniform;
};
} // namespace

static Value isGreedy(Emitter &e, Value temperature, Value row) {
  return arith::CmpFOp::create(e, arith::CmpFPredicate::OEQ,
                               e.at(temperature, row), e.f32(0));
}

/// K of a row, as index in [1, places] whatever top_k holds; 1 if greedy.
static Value candidatesOf(Emitter &e, SampleOp op, Value row, int64_t places) {
  Value topK = e.at(op.getTopK(), row);
  topK = arith::MaxSIOp::create(e, topK, e.i32(1));
  topK = arith::MinSIOp::create(e, topK, e.i32(static_cast<int32_t>(places)));
  Value greedy = isGreedy(e, op.getTemperature(), row);
  return e.toIndex(arith::SelectOp::create(e, greedy, e.i32(1), topK));
}

/// p_j of each row. Those of a greedy row mean nothing and are not used.
static Value probabilities(Emitter &e, SampleOp op, Value values,
                           int64_t places) {
  Value temperature = op.getTemperature();
  auto term = [&](Emitter &e, Value row, Value j) {
    Value heat = e.at(temperature, row);
    Value largest = e.div(e.at(values, {row, e.index(0)}), heat);
    return e.exp(e.sub(e.div(e.at(values, {row, j}), heat), largest));
  };
  auto perRow = RankedTensorType::get(
      cast<RankedTensorType>(values.getType()).getDimSize(0), e.getF32Type());
  Value sum =
      e.generate(emptyAs(e, perRow, values), [&](Emitter &e, ValueRange at) {
        return e.fold(e.index(0), candidatesOf(e, op, at[0], places), e.f32(0),
                      [&](Emitter &e, Value j, Value acc) {
                        return e.add(acc, term(e, at[0], j));
                      });
      });
  return e.generate(e.emptyLike(values), [&](Emitter &e, ValueRange at) {
    return e.div(term(e, at[0], at[1]), e.at(sum, at[0]));
  });
}

/// Adds p_j to \p mass, the sum of those kept before it, if it is kept too: it
/// is not below min_p * p_0, and mass has not reached top_p.
static Value addIfKept(Emitter &e, const Candidates &c, Value row, Value j,
                       Value mass) {
  Value p = e.at(c.probability, {row, j});
  Value first = e.at(c.probability, {row, e.index(0)});
  Value likely = arith::CmpFOp::create(e, arith::CmpFPredicate::OGE, p,
                                       e.mul(e.at(c.minP, row), first));
  Value open = arith::CmpFOp::create(e, arith::CmpFPredicate::OLT, mass,
                                     e.at(c.topP, row));
  Value kept = arith::AndIOp::create(e, likely, open);
  return arith::SelectOp::create(e, kept, e.add(mass, p), mass);
}

/// The place that a row draws, as index below \p count. If the probabilities
/// are not numbers no place is ever passed and the draw is place 0.
static Value drawnPlace(Emitter &e, const Candidates &c, Value row,
                        Value count) {
  Value zero = e.index(0);
  Value mass =
      e.fold(zero, count, e.f32(0), [&](Emitter &e, Value j, Value mass) {
        return addIfKept(e, c, row, j, mass);
      });
  Value threshold = e.mul(e.at(c.uniform, row), mass);
  // The mass stands still at places that are not kept, so the first place where
  // it is above the threshold is a kept one.
  SmallVector<Value> drawn = e.foldMany(
      zero, count, {e.f32(0), zero},
      [&](Emitter &e, Value j, ValueRange carried) -> SmallVector<Value> {
        Value before = carried[0];
        Value after = addIfKept(e, c, row, j, before);
        Value notYet = arith::CmpFOp::create(e, arith::CmpFPredicate::OLE,
                                             before, threshold);
        Value passed = arith::CmpFOp::create(e, arith::CmpFPredicate::OGT,
                                             after, threshold);
        Value here = arith::AndIOp::create(e, notYet, passed);
        return {after, arith::SelectOp::create(e, here, j, carried[1])};
      });
  return drawn[1];
}

Results quartet::decompose(OpBuilder &b, SampleOp op) {
  Emitter e(b, op.getLoc());
  int64_t limit = op.getTokenLimit();
  int64_t places = std::min<int64_t>(op.getCandidates(), limit);
  auto countOf = [&](Emitter &e, Value row) {
    return candidatesOf(e, op, row, places);
  };
  Ranking ranking = rankRows(e, op.getLogits(), limit, places, countOf);
  Candidates candidates = {ranking,
                           probabilities(e, op, ranking.values, places),
                           op.getTopP(), op.getMinP(), op.getUniform()};
  auto body = [&](Emitter &e, ValueRange at) -> Value {
    Value drawn = drawnPlace(e, candidates, at[0], countOf(e, at[0]));
    Value greedy = isGreedy(e, op.getTemperature(), at[0]);
    Value place = arith::SelectOp::create(e, greedy, e.index(0), drawn);
    return e.at(ranking.columns, {at[0], place});
  };
  return {e.generate(emptyAs(e, op.getIds().getType(), op.getLogits()), body)};
}
