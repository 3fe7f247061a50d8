// Compares a function pointer that we declare with the function of the real
// header: parameters must agree in kind and size, which is what a call needs.
#ifndef QUARTET_TEST_RUNTIME_APITESTING_H
#define QUARTET_TEST_RUNTIME_APITESTING_H
#include <type_traits>

namespace quartet::rt::test {

/// Pointers are passed like pointers, numbers and enums like numbers of their
/// size.
template <typename Ours, typename Real>
constexpr bool
    passedAlike = sizeof(Ours) == sizeof(Real) &&
                  ((std::is_pointer_v<Ours> && std::is_pointer_v<Real>) ||
                   ((std::is_integral_v<Ours> || std::is_enum_v<Ours>)&&(
                       std::is_integral_v<Real> || std::is_enum_v<Real>)));

template <typename Ours, typename Real> struct Calls {
  static constexpr bool alike = false;
};
template <typename R1, typename... P1, typename R2, typename... P2>
struct Calls<R1 (*)(P1...), R2 (*)(P2...)> {
  static constexpr bool test() {
    if constexpr (sizeof...(P1) != sizeof...(P2))
      return false;
    else
      return passedAlike<R1, R2> && (passedAlike<P1, P2> && ...);
  }
  static constexpr bool alike = test();
};

// The comparison itself can say no.
static_assert(Calls<int (*)(int, void *), long (*)(int)>::alike == false);
static_assert(Calls<int (*)(int), int (*)(void *)>::alike == false);
static_assert(Calls<int (*)(int), int (*)(long long)>::alike == false);
static_assert(Calls<int (*)(int), unsigned (*)(unsigned)>::alike);

} // namespace quartet::rt::test
#endif
