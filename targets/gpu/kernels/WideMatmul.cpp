// Which products are made wide, and how many tokens a pass takes.
#include "targets/gpu/kernels/WideMatmul.h"
#include "targets/gpu/kernels/WideProduct.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

bool quartet::gpu::wantsWideMatmul(const GpuFacts &machine,
                                   const PackedFormat &format) {
  // An f32 is three bf16: those who keep weights so want all of them.
  return machine.matrix == MatrixFamily::Mma &&
         machine.copy != CopyEngine::None && format.value != ValueType::F32 &&
         machine.warps() % kGroupWarps == 0;
}

bool quartet::gpu::matmulWide(DeviceBuilder &k, PackedFormat format,
                              int64_t columns, const WeightsOperand &weights,
                              int64_t mostPanels, const RowsOperand &rows,
                              int64_t mostRows, V acc, V accStride) {
  auto isGlobal = [](V pointer) {
    return cast<LLVM::LLVMPointerType>(pointer.type()).getAddressSpace() ==
           kGlobalSpace;
  };
  if (!wantsWideMatmul(k.machine, format) ||
      k.registers() < k.machine.loneRegisters || !isGlobal(rows.data) ||
      mostRows < 8 || mostPanels == 0)
    return false;
  auto make = format.isInteger() ? makeWideIntegers : makeWideFloats;
  int64_t most = format.isInteger() ? kWideIntegerTokens : kWideFloatTokens;
  int64_t tokens = std::min<int64_t>(most, llvm::alignTo(mostRows, 8));
  for (; tokens >= 8; tokens = tokens / 16 * 8) {
    auto product =
        make(k, format, columns, weights, rows, tokens, acc, accStride);
    if (!product->fits())
      continue;
    product->all(mostPanels);
    return true;
  }
  return false;
}
