// Dot products, SwiGLU and ranking on rows of tensors. Ranking keeps a short
// sorted list per row, in a slice of the result, so that bufferization has
// nothing to allocate or to copy inside the loops.
#include "passes/Lower/DecomposeRows.h"
#include <limits>

using namespace mlir;
using namespace quartet;

Value quartet::emptyAs(Emitter &e, Type type, Value like) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<Value> dynamic;
  for (int64_t d = 0; d < tensor.getRank(); ++d)
    if (tensor.isDynamicDim(d))
      dynamic.push_back(e.dim(like, d));
  return e.empty(tensor, dynamic);
}

/// The indices \p leading followed by \p last.
static SmallVector<Value> join(ValueRange leading, ValueRange last) {
  SmallVector<Value> indices(leading);
  llvm::append_range(indices, last);
  return indices;
}

/// The static extent of \p tensor's dimension \p fromEnd, counted from the
/// last.
static int64_t extent(Value tensor, int64_t fromEnd) {
  auto type = cast<RankedTensorType>(tensor.getType());
  return type.getDimSize(type.getRank() - 1 - fromEnd);
}

Value quartet::dot(Emitter &e, Value a, ValueRange aRow, Value b,
                   ValueRange bRow) {
  return e.fold(e.index(0), e.index(extent(b, 0)), e.f32(0),
                [&](Emitter &e, Value c, Value sum) {
                  return e.accumulate(sum, e.at(a, join(aRow, c)),
                                      e.at(b, join(bRow, c)));
                });
}

Value quartet::swiglu(Emitter &e, Value x, Value t, Value gateUp,
                      ValueRange expert, Value i) {
  int64_t hidden = extent(gateUp, 0), upRows = extent(gateUp, 1) / 2;
  Value upRow = e.add(e.index(upRows), i);
  Value zero = e.f32(0);
  SmallVector<Value> sums = e.foldMany(
      e.index(0), e.index(hidden), {zero, zero},
      [&](Emitter &e, Value c, ValueRange sums) -> SmallVector<Value> {
        Value in = e.at(x, {t, c});
        return {
            e.accumulate(sums[0], e.at(gateUp, join(expert, {i, c})), in),
            e.accumulate(sums[1], e.at(gateUp, join(expert, {upRow, c})), in)};
      });
  return e.mul(e.silu(sums[0]), sums[1]);
}

namespace {
/// A place of a ranking.
struct Entry {
  Value value;  // f32
  Value column; // i32
};
} // namespace

/// Whether \p a stands before \p b: (value descending, column ascending), NaN
/// as -inf. Total, so that the outcome never depends on a comparison with NaN.
static Value standsBefore(Emitter &e, Entry a, Entry b) {
  Value lowest = e.f32(-std::numeric_limits<double>::infinity());
  auto key = [&](Value value) -> Value {
    Value number =
        arith::CmpFOp::create(e, arith::CmpFPredicate::ORD, value, value);
    return arith::SelectOp::create(e, number, value, lowest);
  };
  Value keyA = key(a.value), keyB = key(b.value);
  Value larger =
      arith::CmpFOp::create(e, arith::CmpFPredicate::OGT, keyA, keyB);
  Value equal = arith::CmpFOp::create(e, arith::CmpFPredicate::OEQ, keyA, keyB);
  Value lower =
      arith::CmpIOp::create(e, arith::CmpIPredicate::slt, a.column, b.column);
  Value lowerOfEqual = arith::AndIOp::create(e, equal, lower);
  return arith::OrIOp::create(e, larger, lowerOfEqual);
}

static Entry entryAt(Emitter &e, ValueRange list, Value place) {
  return {e.at(list[0], place), e.at(list[1], place)};
}

/// Puts \p entry into the sorted \p list {values, columns} of \p keep places;
/// the last place falls out. An entry that stands after all of them costs
/// nothing.
static SmallVector<Value> insertSorted(Emitter &e, ValueRange list, Entry entry,
                                       Value keep) {
  Value zero = e.index(0);
  Entry last = entryAt(e, list, e.sub(keep, e.index(1)));
  Value steps =
      arith::SelectOp::create(e, standsBefore(e, entry, last), keep, zero);
  // The entry changes places with the first that it stands before; that one
  // then stands before all after it, and so on down the list.
  SmallVector<Value> carried = e.foldMany(
      zero, steps, {list[0], list[1], entry.value, entry.column},
      [](Emitter &e, Value place, ValueRange carried) -> SmallVector<Value> {
        Entry mine = {carried[2], carried[3]};
        Entry here = entryAt(e, carried.take_front(2), place);
        Value swap = standsBefore(e, mine, here);
        auto choose = [&](Value ifSwap, Value otherwise) -> Value {
          return arith::SelectOp::create(e, swap, ifSwap, otherwise);
        };
        Value values = tensor::InsertOp::create(
            e, choose(mine.value, here.value), carried[0], place);
        Value columns = tensor::InsertOp::create(
            e, choose(mine.column, here.column), carried[1], place);
        return {values, columns, choose(here.value, mine.value),
                choose(here.column, mine.column)};
      });
  carried.truncate(2);
  return carried;
}

Ranking quartet::rankRows(Emitter &e, Value scores, int64_t columns,
                          int64_t places,
                          function_ref<Value(Emitter &, Value)> keep) {
  auto scoresType = cast<RankedTensorType>(scores.getType());
  auto listsType =
      RankedTensorType::get({scoresType.getDimSize(0), places}, e.getF32Type());
  Value values =
      e.generate(emptyAs(e, listsType, scores), [](Emitter &e, ValueRange) {
        return e.f32(-std::numeric_limits<double>::infinity());
      });
  Value ids = e.generate(emptyAs(e, listsType.clone(e.getI32Type()), scores),
                         [](Emitter &e, ValueRange) {
                           return e.i32(std::numeric_limits<int32_t>::max());
                         });

  OpFoldResult rows = scoresType.isDynamicDim(0)
                          ? OpFoldResult(e.dim(scores, 0))
                          : e.getIndexAttr(scoresType.getDimSize(0));
  auto body = [&](OpBuilder &builder, Location loc, ValueRange args) {
    Emitter e(builder, loc);
    Value row = args[0];
    OpFoldResult zero = e.getIndexAttr(0), one = e.getIndexAttr(1);
    SmallVector<OpFoldResult> offsets = {row, zero}, strides = {one, one};
    SmallVector<OpFoldResult> sizes = {one, e.getIndexAttr(places)};
    SmallVector<Value> list;
    for (Value whole : args.drop_front()) {
      Type element = getElementTypeOrSelf(whole.getType());
      list.push_back(tensor::ExtractSliceOp::create(
          e, RankedTensorType::get(places, element), whole, offsets, sizes,
          strides));
    }
    Value kept = keep(e, row);
    list = e.foldMany(e.index(0), e.index(columns), list,
                      [&](Emitter &e, Value c, ValueRange list) {
                        Entry entry = {e.at(scores, {row, c}), e.toI32(c)};
                        return insertSorted(e, list, entry, kept);
                      });
    auto terminator = scf::InParallelOp::create(e);
    e.setInsertionPointToStart(terminator.getBody());
    for (auto [part, whole] : llvm::zip_equal(list, args.drop_front()))
      tensor::ParallelInsertSliceOp::create(e, part, whole, offsets, sizes,
                                            strides);
  };
  auto loop = scf::ForallOp::create(e, rows, ValueRange{values, ids},
                                    /*mapping=*/std::nullopt, body);
  return {loop.getResult(0), loop.getResult(1)};
}
