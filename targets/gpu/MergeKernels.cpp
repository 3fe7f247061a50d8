// Walks two kernels (or phases of one) in step. Where constants differ, the
// merged kernel selects by its variant, which is the same for all threads.
#include "targets/gpu/MergeKernels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "targets/gpu/DeviceBuilder.h"
#include "targets/gpu/DeviceProgram.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

namespace {
/// Constants of the first kernel to what they are in another one.
using Differences = llvm::MapVector<Operation *, IntegerAttr>;

/// Compares a kernel with another one.
class Matcher {
public:
  /// What differs when only offsets do.
  static std::optional<Differences> match(func::FuncOp first,
                                          func::FuncOp other) {
    Matcher matcher;
    if (first.getFunctionType() != other.getFunctionType() ||
        first->getAttr(kSharedBytesAttr) != other->getAttr(kSharedBytesAttr) ||
        first->getAttr(kBlocksPerUnitAttr) !=
            other->getAttr(kBlocksPerUnitAttr) ||
        !matcher.same(first.getBody(), other.getBody()))
      return std::nullopt;
    return std::move(matcher.differences);
  }

private:
  bool same(Region &a, Region &b);
  bool same(Operation &a, Operation &b);
  bool sameConstant(Operation &a, Operation &b);

  llvm::DenseMap<Value, Value> values;
  llvm::DenseMap<Block *, Block *> blocks;
  Differences differences;
};

/// A kernel with those that it stands for.
struct Merged {
  func::FuncOp kernel;
  std::vector<Differences> others; ///< variants 1, 2, ...
};

/// Kernels, or phases of one, as they are found; equal ones become one.
class Merger {
public:
  /// The kernel that stands for the one called \p name in \p module, and its
  /// variant; nothing where there is none.
  std::optional<std::pair<StringRef, int64_t>> find(ModuleOp module,
                                                    StringRef name);
  /// Lets kernels do what their variants do, and erases those.
  void finish();

private:
  std::pair<size_t, int64_t> place(func::FuncOp kernel);

  std::vector<Merged> kernels;
  /// By name: the kernel and its variant.
  llvm::StringMap<std::pair<size_t, int64_t>> places;
  SmallVector<Operation *> dead;
};

class MergeKernelsPass
    : public PassWrapper<MergeKernelsPass, OperationPass<ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(MergeKernelsPass)

  StringRef getArgument() const override { return "merge-kernels"; }
  StringRef getDescription() const override {
    return "Share kernels and phases of kernels between layers that differ in "
           "addresses only";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, LLVM::LLVMDialect>();
  }
  void runOnOperation() override;

private:
  void mergeBucket(ProgramBucket &bucket);
  void mergePhases(func::FuncOp kernel);
};
} // namespace

bool Matcher::same(Region &a, Region &b) {
  if (a.getBlocks().size() != b.getBlocks().size())
    return false;
  for (auto [x, y] : llvm::zip(a, b)) {
    if (x.getArgumentTypes() != y.getArgumentTypes())
      return false;
    blocks[&x] = &y;
    for (auto [p, q] : llvm::zip(x.getArguments(), y.getArguments()))
      values[p] = q;
  }
  for (auto [x, y] : llvm::zip(a, b)) {
    if (x.getOperations().size() != y.getOperations().size())
      return false;
    for (auto [p, q] : llvm::zip(x, y))
      if (!same(p, q))
        return false;
  }
  return true;
}

/// Whether \p a and \p b are integers that are equal, or that only offset
/// addresses.
bool Matcher::sameConstant(Operation &a, Operation &b) {
  auto x = dyn_cast<IntegerAttr>(cast<arith::ConstantOp>(a).getValue());
  auto y = dyn_cast<IntegerAttr>(cast<arith::ConstantOp>(b).getValue());
  if (!x || !y || x.getType() != y.getType() ||
      !llvm::all_of(a.getUsers(), llvm::IsaPred<LLVM::GEPOp>))
    return false;
  differences[&a] = y;
  return true;
}

bool Matcher::same(Operation &a, Operation &b) {
  if (a.getName() != b.getName() || a.getResultTypes() != b.getResultTypes() ||
      a.getNumOperands() != b.getNumOperands() ||
      a.getNumRegions() != b.getNumRegions() ||
      a.getNumSuccessors() != b.getNumSuccessors())
    return false;
  if (a.getAttrDictionary() != b.getAttrDictionary() &&
      (!isa<arith::ConstantOp>(a) || !sameConstant(a, b)))
    return false;
  for (auto [x, y] : llvm::zip(a.getOperands(), b.getOperands()))
    if (values.lookup(x) != y)
      return false;
  for (auto [x, y] : llvm::zip(a.getSuccessors(), b.getSuccessors()))
    if (blocks.lookup(x) != y)
      return false;
  for (auto [x, y] : llvm::zip(a.getRegions(), b.getRegions()))
    if (!same(x, y))
      return false;
  for (auto [x, y] : llvm::zip(a.getResults(), b.getResults()))
    values[x] = y;
  return true;
}

/// Lets the kernel of \p merged do what its variants do.
static void selectByVariant(const Merged &merged) {
  func::FuncOp kernel = merged.kernel;
  Value layer = kernel.getArgument(1);
  auto b = ImplicitLocOpBuilder::atBlockBegin(kernel.getLoc(),
                                              &kernel.getBody().front());
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
  };
  Value variant = arith::ShRUIOp::create(b, layer, constant(32));
  Value repetition = arith::AndIOp::create(b, layer, constant(UINT32_MAX));
  layer.replaceUsesWithIf(repetition, [&](OpOperand &use) {
    return use.getOwner() != repetition.getDefiningOp() &&
           use.getOwner() != variant.getDefiningOp();
  });
  for (auto [number, differences] : llvm::enumerate(merged.others)) {
    b.setInsertionPointAfter(repetition.getDefiningOp());
    Value isIt = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, variant,
                                       constant(int64_t(number) + 1));
    for (auto &[op, value] : differences) {
      Value before = op->getResult(0);
      // Behind the selects of the variants before.
      while (auto select = before.hasOneUse() ? dyn_cast<arith::SelectOp>(
                                                    *before.getUsers().begin())
                                              : arith::SelectOp())
        before = select;
      b.setInsertionPointAfter(before.getDefiningOp());
      Value mine = arith::ConstantOp::create(b, value);
      auto select = arith::SelectOp::create(b, isIt, mine, before);
      before.replaceAllUsesExcept(select, select);
    }
  }
}

std::pair<size_t, int64_t> Merger::place(func::FuncOp kernel) {
  for (auto [i, merged] : llvm::enumerate(kernels))
    if (auto differences = Matcher::match(merged.kernel, kernel)) {
      merged.others.push_back(std::move(*differences));
      dead.push_back(kernel);
      return {i, int64_t(merged.others.size())};
    }
  kernels.push_back({kernel, {}});
  return {kernels.size() - 1, 0};
}

std::optional<std::pair<StringRef, int64_t>> Merger::find(ModuleOp module,
                                                          StringRef name) {
  auto kernel = module.lookupSymbol<func::FuncOp>(name);
  if (!kernel)
    return std::nullopt;
  auto [entry, isNew] = places.try_emplace(name);
  if (isNew)
    entry->second = place(kernel);
  auto [index, variant] = entry->second;
  return std::pair(kernels[index].kernel.getSymName(), variant);
}

void Merger::finish() {
  for (const Merged &merged : kernels)
    if (!merged.others.empty())
      selectByVariant(merged);
  for (Operation *kernel : dead)
    kernel->erase();
}

void MergeKernelsPass::mergeBucket(ProgramBucket &bucket) {
  Merger merger;
  for (ProgramLaunch &launch : bucket.launches)
    if (auto found = merger.find(getOperation(), launch.kernel)) {
      launch.kernel = found->first.str();
      launch.layer |= found->second << 32;
    }
  merger.finish();
}

void MergeKernelsPass::mergePhases(func::FuncOp kernel) {
  Merger merger;
  kernel.walk([&](func::CallOp call) {
    auto found = merger.find(getOperation(), call.getCallee());
    if (!found)
      return;
    call.setCallee(found->first);
    if (int64_t variant = found->second) {
      ImplicitLocOpBuilder b(call.getLoc(), call);
      Value upper =
          arith::ConstantOp::create(b, b.getI64IntegerAttr(variant << 32));
      call.setOperand(1, arith::OrIOp::create(b, call.getOperand(1), upper));
    }
  });
  merger.finish();
}

void MergeKernelsPass::runOnOperation() {
  auto program = programOf(getOperation());
  if (!program) {
    getOperation().emitError() << llvm::toString(program.takeError());
    return signalPassFailure();
  }
  for (auto *buckets : {&program->buckets, &program->mtpBuckets})
    for (ProgramBucket &bucket : *buckets)
      mergeBucket(bucket);
  SmallVector<func::FuncOp> kernels;
  for (auto function : getOperation().getOps<func::FuncOp>())
    if (function->hasAttr(kKernelAttr))
      kernels.push_back(function);
  llvm::for_each(kernels, [&](func::FuncOp kernel) { mergePhases(kernel); });
  setProgram(getOperation(), *program);
}

std::unique_ptr<Pass> quartet::gpu::createMergeKernels() {
  return std::make_unique<MergeKernelsPass>();
}

void quartet::gpu::registerMergeKernels() {
  PassRegistration<MergeKernelsPass>();
}
