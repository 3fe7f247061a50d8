// Which products are made wide, and how many tokens a pass takes.
#include "targets/gpu/kernels/WideMatmul.h"
#include "targets/gpu/kernels/WideProduct.h"
#include "targets/gpu/kernels/WideShared.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

bool quartet::gpu::isByWarpGroups(const GpuFacts &machine) {
  return machine.matrix == MatrixFamily::Mma;
}

bool quartet::gpu::wantsWideMatmul(const GpuFacts &machine,
                                   const PackedFormat &format) {
  // An f32 is three bf16: those who keep weights so want all of them.
  return format.value != ValueType::F32 && machine.warps() % kGroupWarps == 0 &&
         (!isByWarpGroups(machine) || machine.copy != CopyEngine::None);
}

bool quartet::gpu::wideNeedsUnit(const GpuFacts &machine) {
  // On AMD a quarter of a thread's registers are totals, and it may have 256 of
  // them with two blocks in a unit: the second one multiplies while the first
  // unpacks or waits.
  return isByWarpGroups(machine);
}

bool quartet::gpu::makesWideMatmul(DeviceBuilder &k,
                                   const PackedFormat &format) {
  return wantsWideMatmul(k.machine, format) &&
         (!wideNeedsUnit(k.machine) ||
          k.registers() >= k.machine.loneRegisters);
}

bool quartet::gpu::matmulWide(DeviceBuilder &k, PackedFormat format,
                              int64_t columns, const WeightsOperand &weights,
                              int64_t mostPanels, const RowsOperand &rows,
                              int64_t mostRows, V acc, V accStride) {
  auto isGlobal = [](V pointer) {
    return cast<LLVM::LLVMPointerType>(pointer.type()).getAddressSpace() ==
           kGlobalSpace;
  };
  if (!makesWideMatmul(k, format) || !isGlobal(rows.data) || mostRows < 8 ||
      mostPanels == 0)
    return false;
  if (!isByWarpGroups(k.machine)) {
    if (rows.parts)
      return false;
    int64_t tokens = std::clamp<int64_t>(
        int64_t(llvm::PowerOf2Ceil(uint64_t(mostRows))), 16, kWideSharedTokens);
    for (; tokens >= 16; tokens /= 2) {
      WideShared product(k, format, columns, weights, rows, tokens, acc,
                         accStride);
      if (!product.fits())
        continue;
      product.all(mostPanels);
      return true;
    }
    return false;
  }
  auto make = format.isInteger() ? makeWideIntegers : makeWideFloats;
  for (int64_t tokens = mostPassTokens(k.machine, format, mostRows); tokens > 0;
       tokens = fewerPassTokens(k.machine, format, tokens)) {
    auto product =
        make(k, format, columns, weights, rows, tokens, acc, accStride);
    if (!product->fits())
      continue;
    product->all(mostPanels);
    return true;
  }
  return false;
}
