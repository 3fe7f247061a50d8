// One bucket per step, one program per module: kernels, and the attribute that
// says how they are launched.
#include "targets/gpu/TileToGpu.h"
#include "dialects/Tile/TileOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "runtime/include/quartet/abi.h"
#include "targets/Chips.h"
#include "targets/gpu/DeviceProgram.h"
#include "targets/gpu/StepLowering.h"
#include "targets/gpu/kernels/FillWeights.h"
#include "targets/gpu/kernels/MatrixPeak.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

namespace {
class TileToGpuPass
    : public PassWrapper<TileToGpuPass, OperationPass<ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TileToGpuPass)

  TileToGpuPass() = default;
  explicit TileToGpuPass(TileToGpuOptions options) : given(std::move(options)) {
    launch = given->launch;
  }
  TileToGpuPass(const TileToGpuPass &other)
      : PassWrapper(other), given(other.given) {}

  StringRef getArgument() const override { return "tile-to-gpu"; }
  StringRef getDescription() const override {
    return "Lower the steps of a tile.program to kernels of a GPU";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, func::FuncDialect,
                    mlir::gpu::GPUDialect, LLVM::LLVMDialect, math::MathDialect,
                    NVVM::NVVMDialect, ROCDL::ROCDLDialect, scf::SCFDialect,
                    tile::TileDialect, vector::VectorDialect>();
  }
  void runOnOperation() override;

private:
  LogicalResult lower(tile::ProgramOp program, const TileToGpuOptions &options);

  std::optional<TileToGpuOptions> given;
  Option<std::string> chip{*this, "chip",
                           llvm::cl::desc("GPU, as in `quartetc targets`"),
                           llvm::cl::init("sm_90a")};
  Option<LaunchMode> launch{
      *this, "launch", llvm::cl::desc("How phases become launches"),
      llvm::cl::init(LaunchMode::Graph),
      llvm::cl::values(
          clEnumValN(LaunchMode::Graph, "graph", "a kernel per phase"),
          clEnumValN(LaunchMode::Persistent, "persistent",
                     "a kernel per step"))};
};
} // namespace

LogicalResult TileToGpuPass::lower(tile::ProgramOp program,
                                   const TileToGpuOptions &options) {
  ModuleOp module = getOperation();
  const GpuFacts &facts = options.facts;
  DeviceBuilder k(module, program.getLoc(), facts);
  Program made;
  made.target = options.target;
  ProgramDevice device;
  device.kind =
      facts.vendor == Vendor::Nvidia ? QUARTET_DEVICE_CUDA : QUARTET_DEVICE_HIP;
  device.arch = facts.name;
  device.threads = facts.threads;
  device.lanes = facts.lanes;
  device.clockHertz = facts.clockHertz;
  // Blocks that wait for each other must all be there: see lowerPersistent.
  device.blocksPerUnit =
      options.launch == LaunchMode::Persistent ? 1 : facts.blocksPerUnit;
  made.device = std::move(device);
  for (auto step : program.getBody().front().getOps<tile::StepOp>()) {
    FailureOr<ProgramBucket> bucket =
        StepLowering(k, program, step)
            .lower(("step_" + step.getSymName()).str(), options.launch);
    if (failed(bucket))
      return failure();
    (step.getMtp() ? made.mtpBuckets : made.buckets)
        .push_back(std::move(*bucket));
  }
  made.device->fill = addFillWeights(k);
  made.device->peaks = addMatrixPeaks(k);
  setProgram(module, made);
  program.erase();
  return success();
}

void TileToGpuPass::runOnOperation() {
  TileToGpuOptions options;
  if (given) {
    options = *given;
  } else {
    llvm::Expected<GpuFacts> facts = findGpuFacts(chip);
    if (!facts) {
      getOperation().emitError() << llvm::toString(facts.takeError());
      return signalPassFailure();
    }
    options.facts = std::move(*facts);
    options.target = chip;
    options.launch = launch;
  }
  SmallVector<tile::ProgramOp> programs(
      getOperation().getOps<tile::ProgramOp>());
  for (tile::ProgramOp program : programs)
    if (failed(lower(program, options)))
      return signalPassFailure();
}

std::unique_ptr<Pass> quartet::gpu::createTileToGpu(TileToGpuOptions options) {
  return std::make_unique<TileToGpuPass>(std::move(options));
}

void quartet::gpu::registerTileToGpu() { PassRegistration<TileToGpuPass>(); }
