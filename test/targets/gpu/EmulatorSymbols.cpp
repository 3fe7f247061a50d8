// One line per function of quartet/emulator.h.
#include "test/targets/gpu/EmulatorSymbols.h"
#include "quartet/emulator.h"

llvm::orc::SymbolMap quartet::test::emulatorSymbols(llvm::orc::LLJIT &jit) {
  llvm::orc::SymbolMap symbols;
  auto add = [&](const char *name, auto *function) {
    symbols[jit.mangleAndIntern(name)] = {
        llvm::orc::ExecutorAddr::fromPtr(function),
        llvm::JITSymbolFlags::Exported};
  };
#define ADD(name) add("quartet_emu_" #name, &quartet_emu_##name)
  ADD(thread);
  ADD(block);
  ADD(blocks);
  ADD(shared);
  ADD(read);
  ADD(write);
  ADD(barrier);
  ADD(warp_barrier);
  ADD(shuffle_xor);
  ADD(shuffle_index);
  ADD(ballot);
  ADD(mma);
  ADD(ldmatrix);
  ADD(group_multiply);
  ADD(group_barrier);
  ADD(group_fence);
  ADD(copy_async);
  ADD(commit_group);
  ADD(wait_group);
  ADD(transfer_begin);
  ADD(transfer_end);
  ADD(transfer_expect);
  ADD(transfer_copy);
  ADD(transfer_wait);
  ADD(atomic_add);
  ADD(atomic_load);
  ADD(atomic_store);
  ADD(fence);
  ADD(dependency_wait);
  ADD(dependency_launch);
#undef ADD
  return symbols;
}
