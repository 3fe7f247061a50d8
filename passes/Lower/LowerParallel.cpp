// Outlines outermost scf.parallel loops into functions over a range of
// iterations that the runtime's workers call (quartet_parallel_for in abi.h).
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/Passes.h"

#define DEBUG_TYPE "quartet-lower-parallel"

namespace quartet {
#define GEN_PASS_DEF_LOWERPARALLEL
#include "passes/Passes.h.inc"
} // namespace quartet

using namespace mlir;
using namespace quartet;

/// Largest buffer of an iteration that moves to the stack of a worker, which
/// has at least 1 MiB.
static constexpr int64_t kMaxStackBytes = 64 * 1024;
/// Assumed iterations of a loop whose bounds are not constant.
static constexpr int64_t kUnknownTrips = 64;
/// Cost of a call into the math library, in scalar operations.
static constexpr int64_t kMathCost = 20;

/// Estimated scalar operations of one run of \p block.
static int64_t estimateWork(Block &block) {
  int64_t work = 0;
  for (Operation &op : block) {
    if (op.getName().getDialectNamespace() == "math") {
      work += kMathCost;
      continue;
    }
    int64_t trips = 1;
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      auto from = getConstantIntValue(loop.getLowerBound());
      auto to = getConstantIntValue(loop.getUpperBound());
      trips = from && to ? std::max<int64_t>(*to - *from, 0) : kUnknownTrips;
    } else if (auto loop = dyn_cast<scf::ParallelOp>(op)) {
      for (Value to : loop.getUpperBound())
        trips *= getConstantIntValue(to).value_or(kUnknownTrips);
    }
    work += 1;
    for (Region &region : op.getRegions())
      for (Block &inner : region)
        work += trips * estimateWork(inner);
  }
  return work;
}

static bool hasLoop(scf::ParallelOp op) {
  return op.getBody()
      ->walk([&](Operation *inner) {
        return isa<scf::ForOp, scf::ParallelOp, scf::WhileOp>(inner)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

namespace {
class Outliner {
public:
  Outliner(ModuleOp module, int64_t grain)
      : module(module), grain(grain), converter(module.getContext()) {}

  LogicalResult outline(scf::ParallelOp op);

private:
  func::FuncOp createRange(scf::ParallelOp op, ArrayRef<Value> captured,
                           StringRef name);
  LLVM::LLVMFuncOp createThunk(func::FuncOp range, LLVM::LLVMStructType context,
                               StringRef name);
  LLVM::LLVMFuncOp parallelFor(Location loc);

  ModuleOp module;
  int64_t grain;
  LLVMTypeConverter converter;
  unsigned count = 0;
};
} // namespace

/// Values that the body uses from outside; constants are cloned into it first.
static SmallVector<Value> captureValues(scf::ParallelOp op) {
  Region &region = op.getRegion();
  llvm::SetVector<Value> used;
  getUsedValuesDefinedAbove(region, used);
  // The bounds are needed to recover the indices of a flat one.
  for (Value bound : op.getUpperBound())
    used.insert(bound);
  SmallVector<Value> captured;
  OpBuilder b(op.getContext());
  b.setInsertionPointToStart(op.getBody());
  for (Value value : used) {
    if (Operation *def = value.getDefiningOp();
        def && def->hasTrait<OpTrait::ConstantLike>()) {
      Value clone = b.clone(*def)->getResult(0);
      replaceAllUsesInRegionWith(value, clone, region);
      continue;
    }
    captured.push_back(value);
  }
  return captured;
}

/// Turns parallel loops inside an outlined body into ordinary ones.
static void sequentialize(Operation *root) {
  SmallVector<scf::ParallelOp> inner;
  root->walk([&](scf::ParallelOp op) { inner.push_back(op); });
  for (scf::ParallelOp op : inner) {
    ImplicitLocOpBuilder b(op.getLoc(), op);
    SmallVector<Value> ivs;
    for (auto [from, to, step] :
         llvm::zip(op.getLowerBound(), op.getUpperBound(), op.getStep())) {
      auto loop = scf::ForOp::create(b, from, to, step);
      ivs.push_back(loop.getInductionVar());
      b.setInsertionPointToStart(loop.getBody());
    }
    Block *target = b.getInsertionBlock();
    for (auto [argument, iv] : llvm::zip(op.getInductionVars(), ivs))
      argument.replaceAllUsesWith(iv);
    op.getBody()->getTerminator()->erase();
    target->getOperations().splice(b.getInsertionPoint(),
                                   op.getBody()->getOperations());
    op.erase();
  }
}

/// Small buffers of an iteration go to the frame of \p func, shared by all its
/// iterations: each writes them before it reads them.
static void moveBuffersToFrame(func::FuncOp func) {
  SmallVector<memref::AllocOp> allocs;
  func.walk([&](memref::AllocOp op) { allocs.push_back(op); });
  for (memref::AllocOp op : allocs) {
    MemRefType type = op.getType();
    unsigned bits = type.getElementTypeBitWidth();
    if (!type.hasStaticShape() ||
        type.getNumElements() * bits / 8 > kMaxStackBytes)
      continue;
    for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
      if (isa<memref::DeallocOp>(user))
        user->erase();
    OpBuilder b = OpBuilder::atBlockBegin(&func.getBody().front());
    Value alloca =
        memref::AllocaOp::create(b, op.getLoc(), type, b.getI64IntegerAttr(64));
    op.replaceAllUsesWith(alloca);
    op.erase();
  }
}

/// Recovers the indices of dimensions [0, n) from a flat one.
static SmallVector<Value> delinearize(ImplicitLocOpBuilder &b, Value flat,
                                      ArrayRef<Value> extents) {
  SmallVector<Value> indices(extents.size());
  for (int64_t d = int64_t(extents.size()) - 1; d > 0; --d) {
    indices[d] = arith::RemUIOp::create(b, flat, extents[d]);
    flat = arith::DivUIOp::create(b, flat, extents[d]);
  }
  if (!extents.empty())
    indices[0] = flat;
  return indices;
}

func::FuncOp Outliner::createRange(scf::ParallelOp op, ArrayRef<Value> captured,
                                   StringRef name) {
  ImplicitLocOpBuilder b(op.getLoc(), module.getContext());
  b.setInsertionPointToEnd(module.getBody());
  SmallVector<Type> types(2, b.getIndexType());
  for (Value value : captured)
    types.push_back(value.getType());
  auto func = func::FuncOp::create(b, name, b.getFunctionType(types, {}));
  func.setPrivate();
  func->setAttr("llvm.linkage", LLVM::LinkageAttr::get(
                                    b.getContext(), LLVM::Linkage::Internal));
  Block *entry = func.addEntryBlock();
  b.setInsertionPointToStart(entry);
  IRMapping mapping;
  for (auto [i, value] : llvm::enumerate(captured))
    mapping.map(value, entry->getArgument(i + 2));
  auto inside = [&](Value value) -> Value {
    if (Value mapped = mapping.lookupOrNull(value))
      return mapped;
    Value clone = b.clone(*value.getDefiningOp())->getResult(0); // a constant
    mapping.map(value, clone);
    return clone;
  };
  SmallVector<Value> extents;
  for (Value bound : op.getUpperBound())
    extents.push_back(inside(bound));
  Value begin = entry->getArgument(0), end = entry->getArgument(1);
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value one = arith::ConstantIndexOp::create(b, 1);

  SmallVector<Value> indices;
  if (hasLoop(op) || op.getNumLoops() == 1) {
    auto loop = scf::ForOp::create(b, begin, end, one);
    b.setInsertionPointToStart(loop.getBody());
    indices = delinearize(b, loop.getInductionVar(), extents);
  } else {
    // Rows of the last dimension, so that the inner loop vectorizes.
    Value width = extents.back();
    Value first = arith::DivUIOp::create(b, begin, width);
    Value last = arith::CeilDivUIOp::create(b, end, width);
    auto rows = scf::ForOp::create(b, first, last, one);
    b.setInsertionPointToStart(rows.getBody());
    Value row = rows.getInductionVar();
    Value base = arith::MulIOp::create(b, row, width);
    Value from = arith::MaxSIOp::create(
        b, arith::SubIOp::create(b, begin, base).getResult(), zero);
    Value to = arith::MinSIOp::create(
        b, arith::SubIOp::create(b, end, base).getResult(), width);
    indices = delinearize(b, row, ArrayRef(extents).drop_back());
    auto columns = scf::ForOp::create(b, from, to, one);
    b.setInsertionPointToStart(columns.getBody());
    indices.push_back(columns.getInductionVar());
  }
  for (auto [argument, index] : llvm::zip(op.getInductionVars(), indices))
    mapping.map(argument, index);
  for (Operation &inner : op.getBody()->without_terminator())
    b.clone(inner, mapping);
  b.setInsertionPointToEnd(entry);
  func::ReturnOp::create(b);
  sequentialize(func);
  moveBuffersToFrame(func);
  return func;
}

LLVM::LLVMFuncOp Outliner::createThunk(func::FuncOp range,
                                       LLVM::LLVMStructType context,
                                       StringRef name) {
  ImplicitLocOpBuilder b(range.getLoc(), module.getContext());
  b.setInsertionPointToEnd(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto type =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                  {pointer, b.getI64Type(), b.getI64Type()});
  auto thunk = LLVM::LLVMFuncOp::create(b, name, type, LLVM::Linkage::Internal);
  Block *entry = thunk.addEntryBlock(b);
  b.setInsertionPointToStart(entry);
  Value values = LLVM::LoadOp::create(b, context, entry->getArgument(0));
  SmallVector<Value> operands{entry->getArgument(1), entry->getArgument(2)};
  for (unsigned i = 0; i < context.getBody().size(); ++i)
    operands.push_back(LLVM::ExtractValueOp::create(b, values, i));
  for (auto [operand, expected] :
       llvm::zip(operands, range.getFunctionType().getInputs()))
    if (operand.getType() != expected)
      operand =
          UnrealizedConversionCastOp::create(b, expected, operand).getResult(0);
  func::CallOp::create(b, range, operands);
  LLVM::ReturnOp::create(b, ValueRange{});
  return thunk;
}

LLVM::LLVMFuncOp Outliner::parallelFor(Location loc) {
  constexpr StringLiteral name = "quartet_parallel_for";
  if (auto found = module.lookupSymbol<LLVM::LLVMFuncOp>(name))
    return found;
  OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(b.getContext()),
      {pointer, pointer, b.getI64Type(), b.getI64Type()});
  return LLVM::LLVMFuncOp::create(b, loc, name, type);
}

LogicalResult Outliner::outline(scf::ParallelOp op) {
  if (op.getNumResults() != 0)
    return op.emitOpError("with reductions has no range form");
  for (auto [from, step] : llvm::zip(op.getLowerBound(), op.getStep()))
    if (getConstantIntValue(from) != 0 || getConstantIntValue(step) != 1)
      return op.emitOpError("must start at 0 and step by 1: normalize first");
  auto function = op->getParentOfType<func::FuncOp>();
  if (!function)
    return op.emitOpError("is not in a function");

  int64_t work = std::max<int64_t>(estimateWork(*op.getBody()), 1);
  SmallVector<Value> captured = captureValues(op);
  std::string name = (function.getSymName() + "_range" + Twine(count++)).str();
  func::FuncOp range = createRange(op, captured, name);

  ImplicitLocOpBuilder b(op.getLoc(), op);
  SmallVector<Value> fields;
  SmallVector<Type> types;
  for (Value value : captured) {
    Type type = converter.convertType(value.getType());
    if (type != value.getType())
      value = UnrealizedConversionCastOp::create(b, type, value).getResult(0);
    fields.push_back(value);
    types.push_back(type);
  }
  auto context = LLVM::LLVMStructType::getLiteral(b.getContext(), types);
  LLVM::LLVMFuncOp thunk = createThunk(range, context, name + "_thunk");

  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value slot;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&function.getBody().front());
    Value one = LLVM::ConstantOp::create(b, b.getI64Type(), 1);
    slot = LLVM::AllocaOp::create(b, pointer, context, one);
  }
  Value values = LLVM::PoisonOp::create(b, context);
  for (auto [i, field] : llvm::enumerate(fields))
    values = LLVM::InsertValueOp::create(b, values, field, i);
  LLVM::StoreOp::create(b, values, slot);
  Value total;
  for (Value bound : op.getUpperBound())
    total = total ? Value(arith::MulIOp::create(b, total, bound)) : bound;
  Value iterations = arith::IndexCastOp::create(b, b.getI64Type(), total);
  Value least = LLVM::ConstantOp::create(b, b.getI64Type(),
                                         std::max<int64_t>(grain / work, 1));
  Value callee = LLVM::AddressOfOp::create(b, thunk);
  LLVM::CallOp::create(b, parallelFor(op.getLoc()),
                       ValueRange{callee, slot, iterations, least});
  op.erase();
  return success();
}

namespace {
struct LowerParallelPass : quartet::impl::LowerParallelBase<LowerParallelPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<scf::ParallelOp> outermost;
    getOperation().walk<WalkOrder::PreOrder>([&](scf::ParallelOp op) {
      outermost.push_back(op);
      return WalkResult::skip();
    });
    Outliner outliner(getOperation(), grain);
    for (scf::ParallelOp op : outermost)
      if (failed(outliner.outline(op)))
        return signalPassFailure();
  }
};
} // namespace
