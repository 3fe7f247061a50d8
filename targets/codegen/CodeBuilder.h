// Writes micro-kernels, for CPUs and GPUs alike: values with arithmetic
// operators, loops as lambdas, memory as pointers with byte offsets. A thin
// cover over MLIR's builders, so that a kernel reads like the loop nest that it
// is.
#ifndef QUARTET_TARGETS_CODEGEN_CODEBUILDER_H
#define QUARTET_TARGETS_CODEGEN_CODEBUILDER_H
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace quartet {

class CodeBuilder;

/// A value of the kernel: an i64 (sizes, offsets, indices), an i1, a scalar or
/// a vector of i8, i16, i32, bf16, f16 or f32, or a pointer. The operators work
/// on two values of the same type, or on a value and a C++ number, which takes
/// the value's type. Pointers add byte offsets.
class V {
public:
  V() = default;
  V(CodeBuilder &builder, mlir::Value value)
      : builder(&builder), value(value) {}
  operator mlir::Value() const { return value; }
  mlir::Value get() const { return value; }
  mlir::Type type() const { return value.getType(); }
  CodeBuilder &k() const { return *builder; }
  explicit operator bool() const { return bool(value); }

private:
  CodeBuilder *builder = nullptr;
  mlir::Value value;
};

V operator+(V a, V b);
V operator-(V a, V b);
V operator*(V a, V b);
V operator/(V a, V b); ///< signed for integers
V operator%(V a, V b); ///< signed
V operator&(V a, V b);
V operator|(V a, V b);
V operator^(V a, V b);
V operator<<(V a, int bits);
V operator>>(V a, int bits); ///< logical
V operator+(V a, double b);
V operator-(V a, double b);
V operator*(V a, double b);
V operator/(V a, double b);
V operator+(V a, int64_t b);
V operator-(V a, int64_t b);
V operator*(V a, int64_t b);
V operator/(V a, int64_t b);
V operator%(V a, int64_t b);
V operator&(V a, int64_t b);
inline V operator+(V a, int b) { return a + int64_t(b); }
inline V operator-(V a, int b) { return a - int64_t(b); }
inline V operator*(V a, int b) { return a * int64_t(b); }
inline V operator/(V a, int b) { return a / int64_t(b); }
inline V operator%(V a, int b) { return a % int64_t(b); }
inline V operator&(V a, int b) { return a & int64_t(b); }
V operator<(V a, V b); ///< signed, ordered
V operator<=(V a, V b);
V operator>(V a, V b);
V operator>=(V a, V b);
V operator==(V a, V b);
V operator!=(V a, V b);
V operator<(V a, int64_t b);
V operator>=(V a, int64_t b);
V operator==(V a, int64_t b);

class CodeBuilder {
public:
  using Body1 = llvm::function_ref<void(V)>;
  using FoldBody =
      llvm::function_ref<llvm::SmallVector<V>(V, llvm::ArrayRef<V>)>;

  /// Code goes where \p b stands; \p module receives the functions.
  CodeBuilder(mlir::ModuleOp module, mlir::Location loc);

  /// The private function \p name, made by \p body from its arguments on the
  /// first call. \p arguments: "p" pointer, "i" i64, "f" f32, one letter each.
  /// Returns nothing. The builder's place is unchanged.
  mlir::func::FuncOp function(llvm::StringRef name, llvm::StringRef arguments,
                              llvm::function_ref<void(llvm::ArrayRef<V>)> body);
  void call(mlir::func::FuncOp callee, llvm::ArrayRef<V> arguments);

  mlir::ImplicitLocOpBuilder b;

  // Types.
  mlir::Type i1() { return b.getI1Type(); }
  mlir::Type i8() { return b.getI8Type(); }
  mlir::Type i16() { return b.getI16Type(); }
  mlir::Type i32() { return b.getI32Type(); }
  mlir::Type i64() { return b.getI64Type(); }
  mlir::Type f16() { return b.getF16Type(); }
  mlir::Type bf16() { return b.getBF16Type(); }
  mlir::Type f32() { return b.getF32Type(); }
  mlir::Type f64() { return b.getF64Type(); }
  mlir::Type ptr(unsigned addressSpace = 0);
  mlir::VectorType vec(int64_t lanes, mlir::Type element);

  // Constants. constant() makes a splat for a vector type.
  V i64(int64_t value) { return constant(i64(), value); }
  V i32(int64_t value) { return constant(i32(), value); }
  V f32(double value) { return constant(f32(), value); }
  V constant(mlir::Type type, int64_t value);
  V constant(mlir::Type type, double value);
  V zero(mlir::Type type);
  /// A constant vector.
  V i8s(llvm::ArrayRef<int8_t> values);
  V i32s(llvm::ArrayRef<int32_t> values);
  V f32s(llvm::ArrayRef<float> values);
  V wrap(mlir::Value value) { return V(*this, value); }

  // Memory. Offsets are in bytes; alignment in bytes, 0 = that of the element.
  V load(mlir::Type type, V pointer, V offset = {}, unsigned align = 0);
  V load(mlir::Type type, V pointer, int64_t offset, unsigned align = 0);
  void store(V value, V pointer, V offset = {}, unsigned align = 0);
  void store(V value, V pointer, int64_t offset, unsigned align = 0);
  V gep(V pointer, V offset);
  /// Element \p i of an array of i32, as i64, and back.
  V loadIndex(V array, V i);
  void storeIndex(V value, V array, V i);
  /// Uninitialised memory of the function's frame, 64-byte aligned, also when
  /// called in a loop: once per function, not per turn. Inside of function().
  V stack(int64_t bytes);
  void copy(V to, V from, V bytes); ///< memcpy
  void clear(V to, V bytes);        ///< memset to zero
  /// Read \p pointer into the nearest cache that holds it for long.
  void prefetch(V pointer, int locality = 2);

  // Control flow. Bounds and step are i64.
  void loop(V lower, V upper, int64_t step, Body1 body);
  void loop(int64_t lower, int64_t upper, int64_t step, Body1 body);
  void loop(V upper, Body1 body) { loop(i64(0), upper, 1, body); }
  llvm::SmallVector<V> fold(V lower, V upper, int64_t step,
                            llvm::ArrayRef<V> init, FoldBody body);
  /// while (condition(values)) values = body(values)
  llvm::SmallVector<V>
  whileLoop(llvm::ArrayRef<V> init,
            llvm::function_ref<V(llvm::ArrayRef<V>)> condition,
            llvm::function_ref<llvm::SmallVector<V>(llvm::ArrayRef<V>)> body);
  void ifThen(V condition, llvm::function_ref<void()> then,
              llvm::function_ref<void()> otherwise = {});
  llvm::SmallVector<V>
  ifElse(V condition, llvm::function_ref<llvm::SmallVector<V>()> then,
         llvm::function_ref<llvm::SmallVector<V>()> otherwise);

  // Values.
  V select(V condition, V a, V b);
  V min(V a, V b); ///< signed; for floats a NaN operand gives the other one
  V max(V a, V b);
  V fma(V a, V b, V c); ///< a * b + c, rounded once
  V neg(V a);
  V abs(V a); ///< floats
  V sqrt(V a);
  V roundEven(V a); ///< floats, to the nearest integer
  V splat(V scalar, int64_t lanes);
  V extract(V vector, int64_t lane);
  V insert(V scalar, V vector, int64_t lane);
  V shuffle(V a, V b, llvm::ArrayRef<int64_t> mask);
  V concat(V a, V b); ///< the lanes of a, then those of b
  V slice(V vector, int64_t first, int64_t count);
  /// Sum (largest) of the lanes, by halving: a fixed order.
  V sum(V vector);
  V largest(V vector);
  V bitcast(V value, mlir::Type type);
  V signExtend(V value, mlir::Type type);
  V zeroExtend(V value, mlir::Type type);
  V truncate(V value, mlir::Type type);
  V toFloat(V value, mlir::Type type); ///< from a signed integer
  V toInt(V value, mlir::Type type);   ///< towards zero, to a signed integer
  /// Between float types; to bf16 and f16 by rounding to nearest even.
  V convert(V value, mlir::Type type);
  /// Calls an LLVM intrinsic, "llvm.x86.avx512.vpdpbusd.512".
  V intrinsic(llvm::StringRef name, mlir::Type result,
              llvm::ArrayRef<V> arguments);

  // Functions of f32 scalars or vectors (a few units in the last place; no
  // library calls).
  V exp(V x);
  V log(V x);     ///< x > 0
  V sigmoid(V x); ///< 1 / (1 + exp(-x))
  V silu(V x) { return x * sigmoid(x); }
  V softplus(V x); ///< x > 20 ? x : log(1 + exp(x))
  V rsqrt(V x);    ///< 1 / sqrt(x), both correctly rounded
  /// Sine and cosine of an f32 scalar, |x| < 2^30; rounded from f64.
  std::pair<V, V> sinCos(V x);

  /// The type of \p like with another element.
  mlir::Type withElement(mlir::Type like, mlir::Type element);

protected:
  mlir::ModuleOp module;

private:
  /// The first block of the function that is being made; null outside.
  mlir::Block *entry = nullptr;
};

} // namespace quartet
#endif
