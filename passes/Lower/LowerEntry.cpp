// Adds the C entry of the runtime's ABI, which turns the addresses and extents
// of quartet_step_args into the step function's buffers, and a program table
// whose one bucket takes any step with it; the same for the step of multi-token
// prediction, if there is one.
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "passes/Lower/EntryLayout.h"
#include "passes/Lower/ProgramTable.h"
#include "passes/Passes.h"
#include "runtime/include/quartet/abi.h"

#define DEBUG_TYPE "quartet-lower-entry"

namespace quartet {
#define GEN_PASS_DEF_LOWERENTRY
#include "passes/Passes.h.inc"
} // namespace quartet

using namespace mlir;
using namespace quartet;

// Field k of the struct lies at 8 * k: all are 8 bytes wide.
static_assert(sizeof(quartet_step_args) == 8 * std::size(kStepFields));

namespace {
class Entry {
public:
  Entry(func::FuncOp step)
      : step(step), b(step.getLoc(), step.getContext()),
        converter(step.getContext()) {}

  /// Adds the entry; its name is entryName().
  LogicalResult build();
  bool isMtp() { return step->hasAttr(kMtpAttr); }
  std::string entryName() {
    return isMtp() ? "quartet_run_mtp_any" : "quartet_run_any";
  }

private:
  /// The value of a field of the struct, or null when there is no such field.
  Value field(StringRef name);
  Value extent(StringRef name);
  FailureOr<Value> buffer(unsigned argument);

  func::FuncOp step;
  ImplicitLocOpBuilder b;
  LLVMTypeConverter converter;
  LLVM::LLVMFuncOp entry;
};
} // namespace

Value Entry::field(StringRef name) {
  const auto *found = llvm::find(kStepFields, name);
  if (found == std::end(kStepFields))
    return {};
  unsigned place = found - std::begin(kStepFields);
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value address =
      LLVM::GEPOp::create(b, pointer, b.getI64Type(), entry.getArgument(0),
                          ArrayRef<LLVM::GEPArg>{int32_t(place)});
  Type type = place < kNumCounts ? Type(b.getI64Type()) : pointer;
  return LLVM::LoadOp::create(b, type, address);
}

Value Entry::extent(StringRef name) {
  if (name != kSequencesPlusOne)
    return field(name);
  Value one = LLVM::ConstantOp::create(b, b.getI64Type(), 1);
  return LLVM::AddOp::create(b, field("num_sequences"), one);
}

FailureOr<Value> Entry::buffer(unsigned argument) {
  auto name = step.getArgAttrOfType<StringAttr>(argument, kFieldAttr);
  auto type = dyn_cast<MemRefType>(step.getArgument(argument).getType());
  Value pointer = name ? field(name) : Value();
  if (!pointer || !type || !type.getLayout().isIdentity())
    return step.emitOpError()
           << "argument " << argument << " is not a buffer with a '"
           << kFieldAttr << "' that quartet_step_args has";
  if (auto place = step.getArgAttrOfType<IntegerAttr>(argument, kPlaceAttr)) {
    Type pointerType = pointer.getType();
    pointer =
        LLVM::GEPOp::create(b, pointerType, pointerType, pointer,
                            ArrayRef<LLVM::GEPArg>{int32_t(place.getInt())});
    pointer = LLVM::LoadOp::create(b, pointerType, pointer);
  }
  SmallVector<Value> sizes;
  auto extents = step.getArgAttrOfType<ArrayAttr>(argument, kExtentsAttr);
  unsigned next = 0;
  for (int64_t size : type.getShape()) {
    Value value;
    if (ShapedType::isStatic(size))
      value = LLVM::ConstantOp::create(b, b.getI64Type(), size);
    else if (extents && next < extents.size())
      value = extent(cast<StringAttr>(extents[next++]).getValue());
    if (!value)
      return step.emitOpError()
             << "argument " << argument << " needs a '" << kExtentsAttr
             << "' for each dynamic dimension";
    sizes.push_back(value);
  }
  auto descriptor =
      MemRefDescriptor::poison(b, b.getLoc(), converter.convertType(type));
  descriptor.setAllocatedPtr(b, b.getLoc(), pointer);
  descriptor.setAlignedPtr(b, b.getLoc(), pointer);
  descriptor.setConstantOffset(b, b.getLoc(), 0);
  Value stride = LLVM::ConstantOp::create(b, b.getI64Type(), 1);
  for (int64_t d = type.getRank() - 1; d >= 0; --d) {
    descriptor.setSize(b, b.getLoc(), d, sizes[d]);
    descriptor.setStride(b, b.getLoc(), d, stride);
    stride = LLVM::MulOp::create(b, stride, sizes[d]);
  }
  return UnrealizedConversionCastOp::create(b, TypeRange{type},
                                            ValueRange{Value(descriptor)})
      .getResult(0);
}

LogicalResult Entry::build() {
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  b.setInsertionPointAfter(step);
  Type i64 = b.getI64Type(), none = LLVM::LLVMVoidType::get(b.getContext());
  entry = LLVM::LLVMFuncOp::create(
      b, entryName(), LLVM::LLVMFunctionType::get(none, {pointer, i64, i64}),
      LLVM::Linkage::Internal);
  b.setInsertionPointToStart(entry.addEntryBlock(b));
  SmallVector<Value> buffers;
  for (unsigned i = 0; i < step.getNumArguments(); ++i) {
    FailureOr<Value> value = buffer(i);
    if (failed(value))
      return failure();
    buffers.push_back(*value);
  }
  func::CallOp::create(b, step, buffers);
  LLVM::ReturnOp::create(b, ValueRange());
  step.setPrivate();
  step->setAttr("llvm.linkage", LLVM::LinkageAttr::get(
                                    b.getContext(), LLVM::Linkage::Internal));
  return success();
}

namespace {
struct LowerEntryPass : quartet::impl::LowerEntryBase<LowerEntryPass> {
  using Base::Base;

  void runOnOperation() override {
    std::optional<ProgramBucket> step, mtp;
    for (auto func :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (!func->hasAttr(kEntryAttr))
        continue;
      Entry entry(func);
      if (failed(entry.build()))
        return signalPassFailure();
      (entry.isMtp() ? mtp : step).emplace().run = entry.entryName();
    }
    if (!step)
      return;
    Program program{target, features, {*step}};
    if (mtp)
      program.mtpBuckets.push_back(*mtp);
    emitProgramTable(getOperation(), {program});
  }
};
} // namespace
