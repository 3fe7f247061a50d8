// One piece of PTX from the fence to the wait: no register of it is in use
// elsewhere while the instructions run, and the other groups of the block have
// the matrix units meanwhile.
#include "targets/gpu/WarpGroup.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

V quartet::gpu::groupRowOffset(V row, V byte) {
  return row * kGroupRowBytes + (byte ^ ((row & 7) * 16));
}

V quartet::gpu::groupDescriptor(DeviceBuilder &k, V rows) {
  // Bits 0-13: address / 16; 32-45: from eight rows to the next eight / 16;
  // 62-63: 1, the pattern of 128 bytes.
  constexpr int64_t eightRows = 8 * kGroupRowBytes / 16;
  constexpr int64_t constant =
      int64_t(uint64_t(1) << 62 | uint64_t(eightRows) << 32 | 1 << 16);
  V address = k.wrap(LLVM::PtrToIntOp::create(k.b, k.i64(), rows.get()));
  return ((address & 0x3ffff) >> 4) | k.i64(constant);
}

bool quartet::gpu::hasGroupColumns(MatrixElement element, int64_t columns) {
  return columns <= 256 && columns % 8 == 0 &&
         (element != MatrixElement::Int8 || columns <= 24 ||
          columns % kManyByteColumns == 0);
}

/// "$first, $(first + 1), ..." in braces.
static std::string registerList(int64_t first, int64_t count) {
  std::string text = "{";
  for (int64_t i = 0; i < count; ++i)
    text += (i ? ", $" : "$") + std::to_string(first + i);
  return text + "}";
}

SmallVector<V> quartet::gpu::groupMultiply(DeviceBuilder &k,
                                           MatrixElement element,
                                           int64_t columns, ArrayRef<V> a,
                                           V descriptor,
                                           ArrayRef<int64_t> offsets) {
  assert(hasGroupColumns(element, columns) && "ptxas refuses other shapes");
  bool bytes = element == MatrixElement::Int8;
  int64_t results = columns / 2, steps = int64_t(offsets.size());
  std::string name = "wgmma.mma_async.sync.aligned.m64n" +
                     std::to_string(columns) +
                     (bytes ? "k32.s32.s8.s8 " : "k16.f32.bf16.bf16 ");
  std::string text = "{\n.reg .pred first, next;\n.reg .b32 zero;\n"
                     "mov.b32 zero, 0;\nsetp.ne.b32 first, zero, 0;\n"
                     "setp.eq.b32 next, zero, 0;\n"
                     ".reg .b64 at<" +
                     std::to_string(steps) + ">;\n";
  for (int64_t step = 0; step < steps; ++step)
    text += "add.s64 at" + std::to_string(step) + ", $" +
            std::to_string(results + 4 * steps) + ", " +
            std::to_string(offsets[size_t(step)]) + ";\n";
  text += "wgmma.fence.sync.aligned;\n";
  for (int64_t step = 0; step < steps; ++step)
    text += name + registerList(0, results) + ", " +
            registerList(results + 4 * step, 4) + ", at" +
            std::to_string(step) + (step ? ", next" : ", first") +
            (bytes ? ";\n" : ", 1, 1, 0;\n");
  text += "wgmma.commit_group.sync.aligned;\n"
          "wgmma.wait_group.sync.aligned 0;\n}";
  std::string constraints;
  for (int64_t i = 0; i < results; ++i)
    constraints += bytes ? "=r," : "=f,";
  for (int64_t i = 0; i < 4 * steps; ++i)
    constraints += "r,";
  constraints += "l,~{memory}";
  SmallVector<Value> operands(a.begin(), a.end());
  operands.push_back(descriptor);
  MLIRContext *context = k.b.getContext();
  SmallVector<Type> types(size_t(results), bytes ? k.i32() : k.f32());
  auto product = LLVM::InlineAsmOp::create(
      k.b, TypeRange(LLVM::LLVMStructType::getLiteral(context, types)),
      operands, k.b.getStringAttr(text), k.b.getStringAttr(constraints),
      /*has_side_effects=*/k.b.getUnitAttr(), /*is_align_stack=*/UnitAttr(),
      LLVM::TailCallKindAttr::get(context, LLVM::TailCallKind::None),
      LLVM::AsmDialectAttr::get(context, LLVM::AsmDialect::AD_ATT),
      /*operand_attrs=*/ArrayAttr());
  product->setAttr(
      kWarpGroupAttr,
      k.b.getDictionaryAttr(
          {k.b.getNamedAttr("columns", k.b.getI64IntegerAttr(columns)),
           k.b.getNamedAttr("element",
                            k.b.getStringAttr(bytes ? "s8" : "bf16")),
           k.b.getNamedAttr("offsets", k.b.getDenseI64ArrayAttr(offsets))}));
  SmallVector<V> sums;
  for (int64_t i = 0; i < results; ++i)
    sums.push_back(
        k.wrap(LLVM::ExtractValueOp::create(k.b, product.getRes(), i)));
  return sums;
}

void quartet::gpu::groupFence(DeviceBuilder &k) {
  NVVM::FenceProxyOp::create(
      k.b, NVVM::ProxyKind::async_shared,
      NVVM::SharedSpaceAttr::get(k.b.getContext(),
                                 NVVM::SharedSpace::shared_cta));
}
