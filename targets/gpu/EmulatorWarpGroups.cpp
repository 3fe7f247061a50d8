// Products of warp groups are PTX with an attribute that says what they are.
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "quartet/emulator.h"
#include "targets/gpu/EmulatorCalls.h"
#include "targets/gpu/WarpGroup.h"

using namespace mlir;
using namespace quartet::gpu;

/// Operands and results lie behind each other on the thread's stack.
static LogicalResult multiply(EmulatorCalls &e, LLVM::InlineAsmOp op,
                              DictionaryAttr what) {
  auto columns = what.getAs<IntegerAttr>("columns");
  auto offsets = what.getAs<DenseI64ArrayAttr>("offsets");
  auto element = what.getAs<StringAttr>("element");
  int64_t steps = offsets ? offsets.size() : 0;
  if (!columns || !steps || !element ||
      int64_t(op.getNumOperands()) != 4 * steps + 1 ||
      6 * steps + columns.getInt() / 2 > EmulatorCalls::kGroupWords)
    return e.fail(op, "with such an attribute " + kWarpGroupAttr.str());
  Value descriptors = e.groupWords();
  Value words = e.gep(descriptors, steps * 8);
  Value results = e.gep(words, steps * 16);
  for (auto [i, word] : llvm::enumerate(op.getOperands().drop_back()))
    LLVM::StoreOp::create(e.b, word, e.gep(words, int64_t(i) * 4),
                          /*alignment=*/4);
  Value first = op.getOperands().back();
  for (auto [i, offset] : llvm::enumerate(offsets.asArrayRef()))
    LLVM::StoreOp::create(
        e.b,
        LLVM::AddOp::create(e.b, first, e.constant(first.getType(), offset)),
        e.gep(descriptors, int64_t(i) * 8), /*alignment=*/4);
  bool bytes = element.getValue() == "s8";
  e.callAtSite("group_multiply", nullptr,
               {e.constant(e.i32(), bytes ? QUARTET_EMU_GROUP_S8
                                          : QUARTET_EMU_GROUP_BF16),
                e.constant(e.i32(), columns.getInt()),
                e.constant(e.i32(), steps), descriptors, words, results});
  e.replace(op, e.loadFields(op.getType(0), results));
  return success();
}

Translated quartet::gpu::emulateWarpGroups(EmulatorCalls &e, Operation *op) {
  if (auto product = dyn_cast<LLVM::InlineAsmOp>(op))
    if (auto what = product->getAttrOfType<DictionaryAttr>(kWarpGroupAttr))
      return multiply(e, product, what);
  if (auto fence = dyn_cast<NVVM::FenceProxyOp>(op)) {
    if (fence.getKind() != NVVM::ProxyKind::async_shared)
      return e.fail(op, "of other proxies than that of shared memory");
    e.call("group_fence", nullptr, {});
    op->erase();
    return success();
  }
  return std::nullopt;
}
