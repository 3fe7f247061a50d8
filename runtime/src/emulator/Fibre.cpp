// The switch is a plain call to the compiler, so only the registers that a
// callee keeps have to be saved. Kernels don't change floating-point modes.
#include "runtime/src/emulator/Fibre.h"
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)
asm(R"(
  .text
  .p2align 4
  .globl quartet_emu_switch
  .hidden quartet_emu_switch
  .type quartet_emu_switch, @function
quartet_emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  retq
  .size quartet_emu_switch, . - quartet_emu_switch
)");
#elif defined(__aarch64__)
asm(R"(
  .text
  .p2align 4
  .globl quartet_emu_switch
  .hidden quartet_emu_switch
  .type quartet_emu_switch, @function
quartet_emu_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
  .size quartet_emu_switch, . - quartet_emu_switch
)");
#else
#error "the emulator needs a context switch for this CPU"
#endif

using namespace quartet::emu;

/// Larger than most frames, so that a frame doesn't reach over it.
static constexpr size_t kGuardBytes = 64 << 10;

Stacks::~Stacks() {
  if (memory)
    munmap(memory, count * stride);
}

bool Stacks::allocate(size_t number, size_t bytes) {
  size_t page = size_t(sysconf(_SC_PAGESIZE));
  auto pages = [&](size_t size) { return (size + page - 1) / page * page; };
  guard = pages(kGuardBytes);
  // One page more, for distances that are no multiple of a large power of two:
  // the caches would put equal frames of all threads into the same few lines.
  size_t each = guard + pages(bytes) + page;
  void *all = mmap(nullptr, number * each, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (all == MAP_FAILED)
    return false;
  memory = static_cast<char *>(all);
  count = number;
  stride = each;
  // A guard that can't be protected is only a worse message after an overflow.
  for (size_t index = 0; index < count; ++index)
    mprotect(memory + index * stride, guard, PROT_NONE);
  return true;
}

int64_t Stacks::find(uintptr_t address) const {
  uintptr_t base = reinterpret_cast<uintptr_t>(memory);
  if (!memory || address < base || address >= base + count * stride)
    return -1;
  return int64_t((address - base) / stride);
}

void *Stacks::prepare(size_t index, void (*entry)()) const {
  char *top = end(index) - index % 31 * 128; // other lines of the cache
#if defined(__x86_64__)
  constexpr size_t frame = 8 * sizeof(void *), entryAt = 6;
#else
  constexpr size_t frame = 160, entryAt = 11;
#endif
  void **sp = reinterpret_cast<void **>(top - frame);
  std::memset(sp, 0, frame);
  sp[entryAt] = reinterpret_cast<void *>(entry);
  return sp;
}
