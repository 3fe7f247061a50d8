// 2^n by adding to the exponent's bits, 2^f by a polynomial, inverses by
// Newton's method.
#include "targets/gpu/kernels/FastMath.h"

using namespace quartet;
using namespace quartet::gpu;

V quartet::gpu::fastExp(DeviceBuilder &k, V x) {
  // Adding 1.5 * 2^23 rounds to an integer, which the lowest bits then are.
  V power = k.min(k.max(x * 1.44269504088896341, k.f32(-100)), k.f32(100));
  V moved = power + 12582912.0;
  V f = power - (moved - 12582912.0);
  V p = k.f32(1.5403530e-4); // ln(2)^i / i!, to f^6
  for (double c : {1.3333558e-3, 9.6181291e-3, 5.5504109e-2, 2.4022651e-1,
                   6.9314718e-1, 1.0})
    p = k.fma(p, f, k.f32(c));
  return k.bitcast(k.bitcast(p, k.i32()) + (k.bitcast(moved, k.i32()) << 23),
                   k.f32());
}

V quartet::gpu::fastSilu(DeviceBuilder &k, V x) {
  V y = fastExp(k, k.neg(x)) + 1.0;
  // The difference of exponents gives 1 / y within an eighth; 2^-6, 2^-12,
  // 2^-24 after that.
  V inverse = k.bitcast(k.i32(0x7ef311c7) - k.bitcast(y, k.i32()), k.f32());
  for (int turn = 0; turn < 3; ++turn)
    inverse = k.fma(inverse, k.fma(k.neg(y), inverse, k.f32(1)), inverse);
  return x * inverse;
}

V quartet::gpu::fastRsqrt(DeviceBuilder &k, V x) {
  // Half of the exponent, negated, is within a 29th; 2^-9, 2^-18, 2^-35.
  V result =
      k.bitcast(k.i32(0x5f3759df) - (k.bitcast(x, k.i32()) >> 1), k.f32());
  V half = x * 0.5;
  for (int turn = 0; turn < 3; ++turn) {
    V left = k.fma(k.neg(half * result), result, k.f32(0.5));
    result = k.fma(result, left, result);
  }
  return result;
}
