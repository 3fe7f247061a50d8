// One function per step, one program per module.
#include "targets/cpu/TileToCpu.h"
#include "dialects/Tile/TileOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"
#include "passes/Lower/ProgramTable.h"
#include "targets/cpu/Features.h"
#include "targets/cpu/StepLowering.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::cpu;

namespace {
class TileToCpuPass
    : public PassWrapper<TileToCpuPass, OperationPass<ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TileToCpuPass)

  TileToCpuPass() = default;
  explicit TileToCpuPass(const CpuOptions &options) {
    target = options.target;
    triple = options.triple;
    cpu = options.cpu;
    features = options.features;
  }
  TileToCpuPass(const TileToCpuPass &other) : PassWrapper(other) {}

  StringRef getArgument() const override { return "tile-to-cpu"; }
  StringRef getDescription() const override {
    return "Lower the steps of a tile.program to functions of worker threads";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect,
                    math::MathDialect, scf::SCFDialect, vector::VectorDialect,
                    tile::TileDialect>();
  }
  void runOnOperation() override;

private:
  LogicalResult lower(tile::ProgramOp program, const Isa &isa);

  Option<std::string> target{*this, "target",
                             llvm::cl::desc("Name in the program table"),
                             llvm::cl::init("host")};
  Option<std::string> triple{*this, "triple",
                             llvm::cl::desc("LLVM's triple of the machine"),
                             llvm::cl::init("x86_64-unknown-linux-gnu")};
  Option<std::string> cpu{*this, "cpu",
                          llvm::cl::desc("LLVM's name of the CPU"),
                          llvm::cl::init("x86-64-v3")};
  Option<std::string> features{*this, "features",
                               llvm::cl::desc("LLVM's features, \"+a,-b\"")};
};
} // namespace

/// The table holds addresses of functions of the LLVM dialect: one that calls
/// \p step. \returns its name.
static std::string addEntry(KernelBuilder &k, func::FuncOp step) {
  OpBuilder::InsertionGuard guard(k.b);
  k.b.setInsertionPointAfter(step);
  std::string name = ("quartet_run_" + step.getSymName()).str();
  auto entry = LLVM::LLVMFuncOp::create(
      k.b, name,
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(k.b.getContext()),
                                  {k.ptr(), k.i64(), k.i64()}),
      LLVM::Linkage::Internal);
  k.b.setInsertionPointToStart(entry.addEntryBlock(k.b));
  func::CallOp::create(k.b, step, entry.getArguments());
  LLVM::ReturnOp::create(k.b, ValueRange());
  return name;
}

/// Kernels are called, not copied: one copy of each stays in the caches, and
/// the step's function stays small enough to optimise quickly.
static void keepApart(ModuleOp module) {
  MLIRContext *context = module.getContext();
  for (auto func : module.getOps<func::FuncOp>()) {
    if (func.isExternal())
      continue;
    func->setAttr("llvm.linkage",
                  LLVM::LinkageAttr::get(context, LLVM::Linkage::Internal));
    func->setAttr(
        "passthrough",
        ArrayAttr::get(context, StringAttr::get(context, "noinline")));
  }
}

LogicalResult TileToCpuPass::lower(tile::ProgramOp program, const Isa &isa) {
  ModuleOp module = getOperation();
  KernelBuilder k(module, program.getLoc(), isa);
  Program entry;
  entry.target = target;
  auto needs = kernelFeatures(triple, cpu, features);
  if (!needs)
    return program.emitError() << llvm::toString(needs.takeError());
  entry.features = *needs;
  for (auto step : program.getBody().front().getOps<tile::StepOp>()) {
    FailureOr<LoweredStep> lowered =
        StepLowering(k, program, step)
            .lower(("step_" + step.getSymName()).str());
    if (failed(lowered))
      return failure();
    ProgramBucket bucket;
    bucket.tokens = lowered->tokens;
    bucket.sequences = lowered->sequences;
    bucket.scratchBytes = lowered->scratchBytes;
    bucket.scratchPageBytes = lowered->scratchPageBytes;
    bucket.localBytes = lowered->localBytes;
    bucket.syncCounters = lowered->syncCounters;
    bucket.team = true;
    bucket.run = addEntry(k, lowered->function);
    (step.getMtp() ? entry.mtpBuckets : entry.buckets).push_back(bucket);
  }
  emitProgramTable(module, {entry});
  program.erase();
  keepApart(module);
  return success();
}

void TileToCpuPass::runOnOperation() {
  auto isa = Isa::of(triple, cpu, features);
  if (!isa) {
    getOperation().emitError() << llvm::toString(isa.takeError());
    return signalPassFailure();
  }
  SmallVector<tile::ProgramOp> programs(
      getOperation().getOps<tile::ProgramOp>());
  for (tile::ProgramOp program : programs)
    if (failed(lower(program, *isa)))
      return signalPassFailure();
}

std::unique_ptr<Pass> quartet::cpu::createTileToCpu(CpuOptions options) {
  return std::make_unique<TileToCpuPass>(options);
}

void quartet::cpu::registerTileToCpu() { PassRegistration<TileToCpuPass>(); }
