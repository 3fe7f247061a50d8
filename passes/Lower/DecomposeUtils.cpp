// Scalar arithmetic and loops over tensors for the decompositions.
#include "passes/Lower/DecomposeUtils.h"

using namespace mlir;
using namespace quartet;

Value Emitter::f32(double value) {
  return arith::ConstantOp::create(*this, getF32FloatAttr(float(value)));
}

Value Emitter::i32(int32_t value) {
  return arith::ConstantOp::create(*this, getI32IntegerAttr(value));
}

Value Emitter::index(int64_t value) {
  return arith::ConstantIndexOp::create(*this, value);
}

Value Emitter::toIndex(Value i32Value) {
  return arith::IndexCastOp::create(*this, getIndexType(), i32Value);
}

Value Emitter::toI32(Value indexValue) {
  return arith::IndexCastOp::create(*this, getI32Type(), indexValue);
}

static bool isFloat(Value value) { return isa<FloatType>(value.getType()); }

Value Emitter::add(Value a, Value b) {
  if (isFloat(a))
    return arith::AddFOp::create(*this, a, b);
  return arith::AddIOp::create(*this, a, b);
}

Value Emitter::sub(Value a, Value b) {
  if (isFloat(a))
    return arith::SubFOp::create(*this, a, b);
  return arith::SubIOp::create(*this, a, b);
}

Value Emitter::mul(Value a, Value b) {
  if (isFloat(a))
    return arith::MulFOp::create(*this, a, b);
  return arith::MulIOp::create(*this, a, b);
}

Value Emitter::div(Value a, Value b) {
  if (isFloat(a))
    return arith::DivFOp::create(*this, a, b);
  return arith::DivUIOp::create(*this, a, b);
}

Value Emitter::rem(Value a, Value b) {
  return arith::RemUIOp::create(*this, a, b);
}

/// The order of a reduction is the vectorizer's choice; nothing else may
/// change.
static constexpr auto kReduction =
    arith::FastMathFlags::reassoc | arith::FastMathFlags::contract;

Value Emitter::accumulate(Value sum, Value a) {
  return arith::AddFOp::create(*this, sum, a, kReduction);
}

Value Emitter::accumulate(Value sum, Value a, Value b) {
  Value product = arith::MulFOp::create(*this, a, b, kReduction);
  return accumulate(sum, product);
}

Value Emitter::exp(Value x) { return math::ExpOp::create(*this, x); }

Value Emitter::sigmoid(Value x) {
  Value negated = arith::NegFOp::create(*this, x);
  return div(f32(1.0), add(f32(1.0), exp(negated)));
}

Value Emitter::silu(Value x) { return mul(x, sigmoid(x)); }

Value Emitter::rsqrt(Value x) {
  return div(f32(1.0), math::SqrtOp::create(*this, x));
}

Value Emitter::widen(Value value) {
  if (value.getType().isF32() || !isFloat(value))
    return value;
  return arith::ExtFOp::create(*this, getF32Type(), value);
}

Value Emitter::round(Value value, Type type) {
  if (value.getType() == type)
    return value;
  return arith::TruncFOp::create(*this, type, value);
}

Value Emitter::dim(Value tensor, int64_t d) {
  return createOrFold<tensor::DimOp>(tensor, d);
}

Value Emitter::empty(RankedTensorType type, ValueRange dynamic) {
  return tensor::EmptyOp::create(*this, type.getShape(), type.getElementType(),
                                 dynamic);
}

Value Emitter::emptyLike(Value like, Type element) {
  auto type = cast<RankedTensorType>(like.getType());
  SmallVector<Value> dynamic;
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (type.isDynamicDim(d))
      dynamic.push_back(dim(like, d));
  return tensor::EmptyOp::create(*this, type.getShape(),
                                 element ? element : type.getElementType(),
                                 dynamic);
}

Value Emitter::at(Value tensor, ValueRange indices) {
  return widen(tensor::ExtractOp::create(*this, tensor, indices));
}

Value Emitter::generate(Value init, PointBody body) {
  auto rank = cast<RankedTensorType>(init.getType()).getRank();
  return generate(init, llvm::to_vector(llvm::seq<int64_t>(0, rank)), body);
}

Value Emitter::generate(Value init, ArrayRef<int64_t> order, PointBody body) {
  auto type = cast<RankedTensorType>(init.getType());
  int64_t rank = type.getRank();
  // Loop l of the nest walks dimension order[l] of the result.
  SmallVector<unsigned> loopOfDim(rank);
  for (auto [loop, d] : llvm::enumerate(order))
    loopOfDim[d] = loop;
  AffineMap map = AffineMap::get(
      rank, 0,
      llvm::map_to_vector(
          loopOfDim, [&](unsigned loop) { return getAffineDimExpr(loop); }),
      getContext());
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      *this, TypeRange{type}, ValueRange{}, ValueRange{init}, ArrayRef{map},
      iterators, [&](OpBuilder &nested, Location loc, ValueRange) {
        Emitter e(nested, loc);
        SmallVector<Value> indices;
        for (int64_t d = 0; d < rank; ++d)
          indices.push_back(linalg::IndexOp::create(e, loopOfDim[d]));
        Value value = body(e, indices);
        if (isFloat(value))
          value = e.round(value, type.getElementType());
        linalg::YieldOp::create(e, value);
      });
  return generic.getResult(0);
}

Value Emitter::fold(Value from, Value to, Value init, FoldBody body) {
  return foldMany(from, to, init, [&](Emitter &e, Value i, ValueRange accs) {
    return SmallVector<Value>{body(e, i, accs[0])};
  })[0];
}

SmallVector<Value> Emitter::foldMany(Value from, Value to, ValueRange inits,
                                     FoldManyBody body) {
  auto loop = scf::ForOp::create(
      *this, from, to, index(1), inits,
      [&](OpBuilder &nested, Location loc, Value i, ValueRange accs) {
        Emitter e(nested, loc);
        scf::YieldOp::create(e, body(e, i, accs));
      });
  return SmallVector<Value>(loop.getResults());
}
