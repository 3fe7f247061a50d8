// Stacks of threads that run by turns on one thread of the system, and the
// switch from one to the other.
#ifndef QUARTET_RUNTIME_EMULATOR_FIBRE_H
#define QUARTET_RUNTIME_EMULATOR_FIBRE_H
#include <cstddef>
#include <cstdint>

extern "C" {
/// Keeps the caller's registers on its stack and its stack pointer in \p saved,
/// and goes on where the one with \p next was kept; returns when somebody
/// switches back to \p saved.
__attribute__((visibility("hidden"))) void quartet_emu_switch(void **saved,
                                                              void *next);
}

namespace quartet::emu {

/// A row of stacks of the same size, each above a guard: memory that faults.
class Stacks {
public:
  Stacks() = default;
  ~Stacks();
  Stacks(const Stacks &) = delete;
  Stacks &operator=(const Stacks &) = delete;

  /// False when the system gives no memory. To be called once.
  bool allocate(size_t count, size_t bytes);
  bool allocated() const { return memory; }
  char *begin(size_t index) const { return memory + index * stride + guard; }
  char *end(size_t index) const { return memory + (index + 1) * stride; }
  /// Whether \p address is in the guard of stack \p index.
  bool inGuard(size_t index, uintptr_t address) const {
    uintptr_t end = reinterpret_cast<uintptr_t>(begin(index));
    return address < end && address >= end - guard;
  }
  /// Which stack \p address is in; -1: in none.
  int64_t find(uintptr_t address) const;

  /// Makes stack \p index ready to run \p entry, which must not return, at the
  /// first switch to the value returned.
  void *prepare(size_t index, void (*entry)()) const;

private:
  char *memory = nullptr;
  size_t count = 0, stride = 0, guard = 0;
};

} // namespace quartet::emu
#endif
