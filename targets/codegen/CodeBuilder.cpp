// The operators and loops of CodeBuilder.h in terms of MLIR's ops.
#include "targets/codegen/CodeBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/SaveAndRestore.h"

using namespace mlir;
using namespace quartet;
using llvm::ArrayRef;
using llvm::SmallVector;

static bool isFloat(V a) { return isa<FloatType>(getElementTypeOrSelf(a)); }

template <typename Float, typename Integer> static V binary(V a, V b) {
  CodeBuilder &k = a.k();
  return isFloat(a) ? k.wrap(Float::create(k.b, a.get(), b.get()))
                    : k.wrap(Integer::create(k.b, a.get(), b.get()));
}

V quartet::operator+(V a, V b) {
  if (isa<LLVM::LLVMPointerType>(a.type()))
    return a.k().gep(a, b);
  return binary<arith::AddFOp, arith::AddIOp>(a, b);
}
V quartet::operator-(V a, V b) {
  return binary<arith::SubFOp, arith::SubIOp>(a, b);
}
V quartet::operator*(V a, V b) {
  return binary<arith::MulFOp, arith::MulIOp>(a, b);
}
V quartet::operator/(V a, V b) {
  return binary<arith::DivFOp, arith::DivSIOp>(a, b);
}
V quartet::operator%(V a, V b) {
  return a.k().wrap(arith::RemSIOp::create(a.k().b, a.get(), b.get()));
}
V quartet::operator&(V a, V b) {
  return a.k().wrap(arith::AndIOp::create(a.k().b, a.get(), b.get()));
}
V quartet::operator|(V a, V b) {
  return a.k().wrap(arith::OrIOp::create(a.k().b, a.get(), b.get()));
}
V quartet::operator^(V a, V b) {
  return a.k().wrap(arith::XOrIOp::create(a.k().b, a.get(), b.get()));
}
V quartet::operator<<(V a, int bits) {
  V amount = a.k().constant(a.type(), int64_t(bits));
  return a.k().wrap(arith::ShLIOp::create(a.k().b, a.get(), amount.get()));
}
V quartet::operator>>(V a, int bits) {
  V amount = a.k().constant(a.type(), int64_t(bits));
  return a.k().wrap(arith::ShRUIOp::create(a.k().b, a.get(), amount.get()));
}

/// \p value as a constant of the type of \p like; an i64 for a pointer.
template <typename Number> static V constantLike(V like, Number value) {
  CodeBuilder &k = like.k();
  if (isa<LLVM::LLVMPointerType>(like.type()))
    return k.i64(int64_t(value));
  return isFloat(like) ? k.constant(like.type(), double(value))
                       : k.constant(like.type(), int64_t(value));
}

V quartet::operator+(V a, double b) { return a + constantLike(a, b); }
V quartet::operator-(V a, double b) { return a - constantLike(a, b); }
V quartet::operator*(V a, double b) { return a * constantLike(a, b); }
V quartet::operator/(V a, double b) { return a / constantLike(a, b); }
V quartet::operator+(V a, int64_t b) { return a + constantLike(a, b); }
V quartet::operator-(V a, int64_t b) { return a - constantLike(a, b); }
V quartet::operator*(V a, int64_t b) { return a * constantLike(a, b); }
V quartet::operator/(V a, int64_t b) { return a / constantLike(a, b); }
V quartet::operator%(V a, int64_t b) { return a % constantLike(a, b); }
V quartet::operator&(V a, int64_t b) { return a & constantLike(a, b); }

static V compare(V a, V b, arith::CmpFPredicate forFloats,
                 arith::CmpIPredicate forIntegers) {
  CodeBuilder &k = a.k();
  if (isFloat(a))
    return k.wrap(arith::CmpFOp::create(k.b, forFloats, a.get(), b.get()));
  return k.wrap(arith::CmpIOp::create(k.b, forIntegers, a.get(), b.get()));
}

V quartet::operator<(V a, V b) {
  return compare(a, b, arith::CmpFPredicate::OLT, arith::CmpIPredicate::slt);
}
V quartet::operator<=(V a, V b) {
  return compare(a, b, arith::CmpFPredicate::OLE, arith::CmpIPredicate::sle);
}
V quartet::operator>(V a, V b) { return b < a; }
V quartet::operator>=(V a, V b) { return b <= a; }
V quartet::operator==(V a, V b) {
  return compare(a, b, arith::CmpFPredicate::OEQ, arith::CmpIPredicate::eq);
}
V quartet::operator!=(V a, V b) {
  return compare(a, b, arith::CmpFPredicate::UNE, arith::CmpIPredicate::ne);
}
V quartet::operator<(V a, int64_t b) { return a < constantLike(a, b); }
V quartet::operator>=(V a, int64_t b) { return a >= constantLike(a, b); }
V quartet::operator==(V a, int64_t b) { return a == constantLike(a, b); }

CodeBuilder::CodeBuilder(ModuleOp module, Location loc)
    : b(loc, module.getContext()), module(module) {
  b.setInsertionPointToEnd(module.getBody());
}

func::FuncOp CodeBuilder::function(StringRef name, StringRef arguments,
                                   llvm::function_ref<void(ArrayRef<V>)> body) {
  if (auto existing = module.lookupSymbol<func::FuncOp>(name))
    return existing;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(module.getBody());
  SmallVector<Type> types;
  for (char letter : arguments)
    types.push_back(letter == 'p' ? ptr() : letter == 'f' ? f32() : i64());
  auto func = func::FuncOp::create(b, name, b.getFunctionType(types, {}));
  func.setPrivate();
  // Functions may be made while another one is.
  llvm::SaveAndRestore<Block *> entryOfThis(entry, func.addEntryBlock());
  b.setInsertionPointToStart(entry);
  SmallVector<V> values;
  for (Value argument : func.getArguments())
    values.push_back(wrap(argument));
  body(values);
  func::ReturnOp::create(b);
  return func;
}

void CodeBuilder::call(func::FuncOp callee, ArrayRef<V> arguments) {
  SmallVector<Value> values(arguments.begin(), arguments.end());
  func::CallOp::create(b, callee, values);
}

Type CodeBuilder::ptr(unsigned addressSpace) {
  return LLVM::LLVMPointerType::get(b.getContext(), addressSpace);
}

VectorType CodeBuilder::vec(int64_t lanes, Type element) {
  return VectorType::get({lanes}, element);
}

Type CodeBuilder::withElement(Type like, Type element) {
  if (auto vector = dyn_cast<VectorType>(like))
    return vector.clone(element);
  return element;
}

V CodeBuilder::constant(Type type, int64_t value) {
  Type element = getElementTypeOrSelf(type);
  if (isa<FloatType>(element))
    return constant(type, double(value));
  TypedAttr attr = b.getIntegerAttr(element, value);
  if (auto vector = dyn_cast<VectorType>(type))
    attr = DenseElementsAttr::get(vector, attr);
  return wrap(arith::ConstantOp::create(b, attr));
}

V CodeBuilder::constant(Type type, double value) {
  TypedAttr attr = b.getFloatAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    attr = DenseElementsAttr::get(vector, attr);
  return wrap(arith::ConstantOp::create(b, attr));
}

V CodeBuilder::zero(Type type) { return constant(type, int64_t(0)); }

template <typename T>
static V constantVector(CodeBuilder &k, ArrayRef<T> values, Type element) {
  VectorType type = k.vec(values.size(), element);
  return k.wrap(
      arith::ConstantOp::create(k.b, DenseElementsAttr::get(type, values)));
}

V CodeBuilder::i8s(ArrayRef<int8_t> values) {
  return constantVector(*this, values, i8());
}
V CodeBuilder::i32s(ArrayRef<int32_t> values) {
  return constantVector(*this, values, i32());
}
V CodeBuilder::f32s(ArrayRef<float> values) {
  return constantVector(*this, values, f32());
}

static unsigned elementAlignment(Type type) {
  Type element = getElementTypeOrSelf(type);
  if (isa<LLVM::LLVMPointerType>(element))
    return 8;
  return std::max(1u, element.getIntOrFloatBitWidth() / 8);
}

V CodeBuilder::load(Type type, V pointer, V offset, unsigned align) {
  V address = offset ? gep(pointer, offset) : pointer;
  return wrap(LLVM::LoadOp::create(b, type, address.get(),
                                   align ? align : elementAlignment(type)));
}
V CodeBuilder::load(Type type, V pointer, int64_t offset, unsigned align) {
  return load(type, pointer, offset ? i64(offset) : V(), align);
}
void CodeBuilder::store(V value, V pointer, V offset, unsigned align) {
  V address = offset ? gep(pointer, offset) : pointer;
  LLVM::StoreOp::create(b, value.get(), address.get(),
                        align ? align : elementAlignment(value.type()));
}
void CodeBuilder::store(V value, V pointer, int64_t offset, unsigned align) {
  store(value, pointer, offset ? i64(offset) : V(), align);
}

V CodeBuilder::gep(V pointer, V offset) {
  return wrap(LLVM::GEPOp::create(b, pointer.type(), i8(), pointer.get(),
                                  ArrayRef<LLVM::GEPArg>{offset.get()}));
}

V CodeBuilder::loadIndex(V array, V i) {
  return signExtend(load(i32(), array, i * 4), i64());
}
void CodeBuilder::storeIndex(V value, V array, V i) {
  store(truncate(value, i32()), array, i * 4);
}

V CodeBuilder::stack(int64_t bytes) {
  // In the function's first block, so that a loop does not grow the frame. The
  // loop around this place may have no parents yet: it is still being made.
  assert(entry && "stack() outside of function()");
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(entry);
  V count = i64(bytes);
  return wrap(LLVM::AllocaOp::create(b, ptr(), i8(), count.get(),
                                     /*alignment=*/64));
}

void CodeBuilder::copy(V to, V from, V bytes) {
  LLVM::MemcpyOp::create(b, to.get(), from.get(), bytes.get(),
                         /*isVolatile=*/false);
}
void CodeBuilder::clear(V to, V bytes) {
  LLVM::MemsetOp::create(b, to.get(), zero(i8()).get(), bytes.get(),
                         /*isVolatile=*/false);
}
void CodeBuilder::prefetch(V pointer, int locality) {
  LLVM::Prefetch::create(b, pointer.get(), /*rw=*/0, /*hint=*/locality,
                         /*cache=*/1);
}

void CodeBuilder::loop(V lower, V upper, int64_t step, Body1 body) {
  scf::ForOp::create(b, lower.get(), upper.get(), i64(step).get(), ValueRange{},
                     [&](OpBuilder &inner, Location, Value i, ValueRange) {
                       OpBuilder::InsertionGuard guard(b);
                       b.setInsertionPoint(inner.getInsertionBlock(),
                                           inner.getInsertionPoint());
                       body(wrap(i));
                       scf::YieldOp::create(b);
                     });
}
void CodeBuilder::loop(int64_t lower, int64_t upper, int64_t step, Body1 body) {
  loop(i64(lower), i64(upper), step, body);
}

static SmallVector<Value> plain(ArrayRef<V> values) {
  return SmallVector<Value>(values.begin(), values.end());
}
static SmallVector<V> wrapAll(CodeBuilder &k, ValueRange values) {
  SmallVector<V> wrapped;
  for (Value value : values)
    wrapped.push_back(k.wrap(value));
  return wrapped;
}

SmallVector<V> CodeBuilder::fold(V lower, V upper, int64_t step,
                                 ArrayRef<V> init, FoldBody body) {
  auto loop = scf::ForOp::create(
      b, lower.get(), upper.get(), i64(step).get(), plain(init),
      [&](OpBuilder &inner, Location, Value i, ValueRange carried) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPoint(inner.getInsertionBlock(),
                            inner.getInsertionPoint());
        SmallVector<V> values = wrapAll(*this, carried);
        scf::YieldOp::create(b, plain(body(wrap(i), values)));
      });
  return wrapAll(*this, loop.getResults());
}

SmallVector<V>
CodeBuilder::whileLoop(ArrayRef<V> init,
                       llvm::function_ref<V(ArrayRef<V>)> condition,
                       llvm::function_ref<SmallVector<V>(ArrayRef<V>)> body) {
  SmallVector<Type> types;
  for (V value : init)
    types.push_back(value.type());
  auto loop = scf::WhileOp::create(
      b, types, plain(init),
      [&](OpBuilder &inner, Location, ValueRange carried) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPoint(inner.getInsertionBlock(),
                            inner.getInsertionPoint());
        V go = condition(wrapAll(*this, carried));
        scf::ConditionOp::create(b, go.get(), carried);
      },
      [&](OpBuilder &inner, Location, ValueRange carried) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPoint(inner.getInsertionBlock(),
                            inner.getInsertionPoint());
        scf::YieldOp::create(b, plain(body(wrapAll(*this, carried))));
      });
  return wrapAll(*this, loop.getResults());
}

void CodeBuilder::ifThen(V condition, llvm::function_ref<void()> then,
                         llvm::function_ref<void()> otherwise) {
  auto branch = scf::IfOp::create(b, condition.get(), bool(otherwise));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  then();
  if (!otherwise)
    return;
  b.setInsertionPointToStart(branch.elseBlock());
  otherwise();
}

SmallVector<V>
CodeBuilder::ifElse(V condition, llvm::function_ref<SmallVector<V>()> then,
                    llvm::function_ref<SmallVector<V>()> otherwise) {
  auto fill = [&](OpBuilder &inner, llvm::function_ref<SmallVector<V>()> body) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(inner.getInsertionBlock(), inner.getInsertionPoint());
    scf::YieldOp::create(b, plain(body()));
  };
  auto branch = scf::IfOp::create(
      b, condition.get(),
      [&](OpBuilder &inner, Location) { fill(inner, then); },
      [&](OpBuilder &inner, Location) { fill(inner, otherwise); });
  return wrapAll(*this, branch.getResults());
}

V CodeBuilder::select(V condition, V a, V c) {
  return wrap(arith::SelectOp::create(b, condition.get(), a.get(), c.get()));
}
V CodeBuilder::min(V a, V c) {
  return binary<arith::MinNumFOp, arith::MinSIOp>(a, c);
}
V CodeBuilder::max(V a, V c) {
  return binary<arith::MaxNumFOp, arith::MaxSIOp>(a, c);
}
V CodeBuilder::fma(V a, V c, V d) {
  return wrap(math::FmaOp::create(b, a.get(), c.get(), d.get()));
}
V CodeBuilder::neg(V a) {
  if (isFloat(a))
    return wrap(arith::NegFOp::create(b, a.get()));
  return zero(a.type()) - a;
}
V CodeBuilder::abs(V a) { return wrap(math::AbsFOp::create(b, a.get())); }
V CodeBuilder::sqrt(V a) { return wrap(math::SqrtOp::create(b, a.get())); }
V CodeBuilder::roundEven(V a) {
  return wrap(math::RoundEvenOp::create(b, a.get()));
}
V CodeBuilder::splat(V scalar, int64_t lanes) {
  return wrap(
      vector::BroadcastOp::create(b, vec(lanes, scalar.type()), scalar.get()));
}
V CodeBuilder::extract(V vector, int64_t lane) {
  return wrap(vector::ExtractOp::create(b, vector.get(), lane));
}
V CodeBuilder::insert(V scalar, V vector, int64_t lane) {
  return wrap(vector::InsertOp::create(b, scalar.get(), vector.get(), lane));
}
V CodeBuilder::shuffle(V a, V c, ArrayRef<int64_t> mask) {
  return wrap(vector::ShuffleOp::create(b, a.get(), c.get(), mask));
}
V CodeBuilder::concat(V a, V c) {
  int64_t lanes = cast<VectorType>(a.type()).getNumElements();
  SmallVector<int64_t> mask;
  for (int64_t i = 0; i < 2 * lanes; ++i)
    mask.push_back(i);
  return shuffle(a, c, mask);
}
V CodeBuilder::slice(V vector, int64_t first, int64_t count) {
  SmallVector<int64_t> mask;
  for (int64_t i = 0; i < count; ++i)
    mask.push_back(first + i);
  return shuffle(vector, vector, mask);
}

V CodeBuilder::sum(V vector) {
  int64_t lanes = cast<VectorType>(vector.type()).getNumElements();
  for (; lanes > 1; lanes /= 2)
    vector = slice(vector, 0, lanes / 2) + slice(vector, lanes / 2, lanes / 2);
  return extract(vector, 0);
}
V CodeBuilder::largest(V vector) {
  int64_t lanes = cast<VectorType>(vector.type()).getNumElements();
  for (; lanes > 1; lanes /= 2)
    vector =
        max(slice(vector, 0, lanes / 2), slice(vector, lanes / 2, lanes / 2));
  return extract(vector, 0);
}

V CodeBuilder::bitcast(V value, Type type) {
  // vector.bitcast may change the number of lanes, arith.bitcast may not.
  if (isa<VectorType>(type) && isa<VectorType>(value.type()))
    return wrap(
        vector::BitCastOp::create(b, cast<VectorType>(type), value.get()));
  if (isa<VectorType>(type) || isa<VectorType>(value.type()))
    return wrap(LLVM::BitcastOp::create(b, type, value.get()));
  return wrap(arith::BitcastOp::create(b, type, value.get()));
}
V CodeBuilder::signExtend(V value, Type type) {
  return wrap(arith::ExtSIOp::create(b, type, value.get()));
}
V CodeBuilder::zeroExtend(V value, Type type) {
  return wrap(arith::ExtUIOp::create(b, type, value.get()));
}
V CodeBuilder::truncate(V value, Type type) {
  return wrap(arith::TruncIOp::create(b, type, value.get()));
}
V CodeBuilder::toFloat(V value, Type type) {
  return wrap(arith::SIToFPOp::create(b, type, value.get()));
}
V CodeBuilder::toInt(V value, Type type) {
  return wrap(arith::FPToSIOp::create(b, type, value.get()));
}

V CodeBuilder::convert(V value, Type type) {
  if (value.type() == type)
    return value;
  Type from = getElementTypeOrSelf(value), to = getElementTypeOrSelf(type);
  Type bits16 = withElement(type, i16()), bits32 = withElement(type, i32());
  if (from.isBF16() && to.isF32())
    return bitcast(zeroExtend(bitcast(value, bits16), bits32) << 16, type);
  if (from.isF32() && to.isBF16()) {
    // To nearest even by integers: adds half a unit, less one for even; NaN
    // stays NaN.
    V bits = bitcast(value, bits32);
    V rounded = bits + constant(bits32, int64_t(0x7FFF)) +
                ((bits >> 16) & constant(bits32, int64_t(1)));
    V nan = bits | constant(bits32, int64_t(0x400000));
    V isNan = value != value;
    return bitcast(truncate(select(isNan, nan, rounded) >> 16, bits16), type);
  }
  if (from.getIntOrFloatBitWidth() < to.getIntOrFloatBitWidth())
    return wrap(arith::ExtFOp::create(b, type, value.get()));
  return wrap(arith::TruncFOp::create(b, type, value.get()));
}

V CodeBuilder::intrinsic(StringRef name, Type result, ArrayRef<V> arguments) {
  auto call = LLVM::CallIntrinsicOp::create(b, result, b.getStringAttr(name),
                                            plain(arguments));
  return wrap(call.getResult(0));
}

V CodeBuilder::exp(V x) {
  // 2^n * e^r with x = n ln 2 + r, |r| <= ln 2 / 2, and e^r by its series to
  // r^6 (error below 2 units in the last place). Clamped so that n stays a
  // number whose two halves are exponents: below, the result is zero.
  Type type = x.type(), bits = withElement(type, i32());
  V clamped = min(max(x, constant(type, -104.0)), constant(type, 88.8));
  V n = roundEven(clamped * 1.44269504088896341);
  V r = fma(n, constant(type, -0.693145751953125), clamped);
  r = fma(n, constant(type, -1.42860682030941723e-6), r);
  V p = constant(type, 1.0 / 720);
  for (double c : {1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0})
    p = fma(p, r, constant(type, c));
  // 2^n in two factors, since n goes from -150 to 128.
  V i = toInt(n, bits);
  V half = wrap(
      arith::ShRSIOp::create(b, i.get(), constant(bits, int64_t(1)).get()));
  V bias = constant(bits, int64_t(127));
  V first = bitcast((half + bias) << 23, type);
  V second = bitcast((i - half + bias) << 23, type);
  V y = p * first * second;
  return select(x == x, y, x); // NaN passes through
}

V CodeBuilder::log(V x) {
  // m * 2^e with m in [sqrt(1/2), sqrt(2)), and log m = 2 atanh(s),
  // s = (m - 1) / (m + 1), |s| < 0.172, by its series to s^9.
  Type type = x.type(), bits = withElement(type, i32());
  V raw = bitcast(x, bits);
  V shifted = raw - constant(bits, int64_t(0x3F3504F3));
  V e = wrap(arith::ShRSIOp::create(b, shifted.get(),
                                    constant(bits, int64_t(23)).get()));
  V m = bitcast(raw - (e << 23), type);
  V s = (m - 1.0) / (m + 1.0);
  V s2 = s * s;
  V p = constant(type, 1.0 / 9);
  for (double c : {1.0 / 7, 1.0 / 5, 1.0 / 3, 1.0})
    p = fma(p, s2, constant(type, c));
  return fma(toFloat(e, type), constant(type, 0.69314718055994531),
             s * p * 2.0);
}

V CodeBuilder::sigmoid(V x) {
  return constant(x.type(), 1.0) / (exp(neg(x)) + 1.0);
}

V CodeBuilder::softplus(V x) {
  // log(1 + e^x) loses e^x below 2^-24; u - 1 then tells what was kept, and
  // log(u) * e^x / (u - 1) puts the rest back.
  Type type = x.type();
  V e = exp(min(x, constant(type, 20.0)));
  V u = e + 1.0;
  V kept = u - 1.0;
  V exact =
      log(u) * (e / select(kept == zero(type), constant(type, 1.0), kept));
  V small = select(kept == zero(type), e, exact);
  return select(x > constant(type, 20.0), x, small);
}

V CodeBuilder::rsqrt(V x) { return constant(x.type(), 1.0) / sqrt(x); }

std::pair<V, V> CodeBuilder::sinCos(V x) {
  // x = n pi/2 + r, |r| <= pi/4, in f64, where pi/2 in two parts keeps r to
  // 1e-13 for n < 2^30; then the series to r^15 and r^14 (error below 1e-16).
  V wide = convert(x, f64());
  V n = roundEven(wide * 0.63661977236758134);
  V r = fma(n, constant(f64(), -1.57079632679489656), wide);
  r = fma(n, constant(f64(), -6.123233995736766e-17), r);
  V r2 = r * r;
  auto series = [&](llvm::ArrayRef<double> terms) {
    V sum = constant(f64(), terms[0]);
    for (double term : terms.drop_front())
      sum = fma(sum, r2, constant(f64(), term));
    return sum;
  };
  V sin = r * series({-1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800,
                      1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6, 1.0});
  V cos = series({-1.0 / 87178291200, 1.0 / 479001600, -1.0 / 3628800,
                  1.0 / 40320, -1.0 / 720, 1.0 / 24, -0.5, 1.0});
  // The quadrant swaps them and gives the signs.
  V quadrant = toInt(n, i32()) & 3;
  V odd = (quadrant & 1) == 1;
  V swappedSin = select(odd, cos, sin), swappedCos = select(odd, sin, cos);
  V minusSin = quadrant >= 2;
  V minusCos = ((quadrant + 1) & 2) == 2;
  return {convert(select(minusSin, neg(swappedSin), swappedSin), f32()),
          convert(select(minusCos, neg(swappedCos), swappedCos), f32())};
}
