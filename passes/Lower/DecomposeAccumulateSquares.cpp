// Decomposition of quartet.accumulate_squares: one pass over the tokens that
// updates the sums in place.
#include "passes/Lower/Decompose.h"
#include "passes/Lower/DecomposeUtils.h"

using namespace mlir;
using namespace quartet;

/// Adds the squares of x[row..., :], \p columns of them, and one row to
/// sums[place..., :].
static SmallVector<Value> addRow(Emitter &e, Value x, SmallVector<Value> row,
                                 Value sums, SmallVector<Value> place,
                                 int64_t columns) {
  row.push_back({});
  place.push_back({});
  auto update = [&](Emitter &e, Value sums, Value column, Value more) {
    place.back() = column;
    Value sum = e.add(e.at(sums, place), more);
    return tensor::InsertOp::create(e, sum, sums, place).getResult();
  };
  Value squares = e.foldMany(
      e.index(0), e.index(columns), sums,
      [&](Emitter &e, Value c, ValueRange acc) -> SmallVector<Value> {
        row.back() = c;
        Value value = e.at(x, row);
        return {update(e, acc[0], c, e.mul(value, value))};
      })[0];
  return {update(e, squares, e.index(columns), e.f32(1))};
}

Results quartet::decompose(OpBuilder &b, AccumulateSquaresOp op) {
  Emitter e(b, op.getLoc());
  Value x = op.getX(), ids = op.getIds();
  auto type = cast<RankedTensorType>(x.getType());
  int64_t columns = type.getShape().back();
  return {e.foldMany(
      e.index(0), e.dim(x, 0), op.getStateIn(),
      [&](Emitter &e, Value token, ValueRange acc) -> SmallVector<Value> {
        Value seq = e.toIndex(e.at(op.getTokenSeq(), token));
        Value slot = e.toIndex(e.at(op.getSeqSlot(), seq));
        if (!ids)
          return addRow(e, x, {token}, acc[0], {slot}, columns);
        int64_t places = cast<RankedTensorType>(ids.getType()).getDimSize(1);
        return e.foldMany(
            e.index(0), e.index(places), acc,
            [&](Emitter &e, Value j, ValueRange acc) -> SmallVector<Value> {
              Value expert = e.toIndex(e.at(ids, {token, j}));
              SmallVector<Value> row{token};
              if (type.getRank() == 3)
                row.push_back(j);
              return addRow(e, x, row, acc[0], {slot, expert}, columns);
            });
      })[0]};
}
