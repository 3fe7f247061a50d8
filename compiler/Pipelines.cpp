// The stages of a compilation, as lists of passes.
#include "compiler/Pipelines.h"
#include "dialects/Quartet/QuartetOps.h"
#include "dialects/Tile/TileOps.h"
#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Transforms/BufferDeallocationOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/FuncBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/ControlFlow/Transforms/BufferDeallocationOpInterfaceImpl.h"
#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/BufferDeallocationOpInterfaceImpl.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/SCF/Transforms/Passes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Passes.h"
#include "targets/codegen/KernelLowering.h"
#include "targets/cpu/TileToCpu.h"
#include "targets/gpu/GpuToEmulator.h"
#include "targets/gpu/MergeKernels.h"
#include "targets/gpu/SplitRows.h"
#include "targets/gpu/TileToGpu.h"
#include "targets/gpu/VendorPasses.h"
#include "targets/gpu/WidenTasks.h"

using namespace mlir;
using namespace quartet;

/// Most tokens of the steps that are compiled for CPUs unless the user says
/// otherwise: one sequence, a batch, a prompt.
static constexpr int64_t kCpuBuckets[] = {1, 16, 512};
/// The same for GPUs, where a matrix instruction has 8 or 16 tokens. A step of
/// 512 reads nearly all experts, for 16 tokens each: long prompts are bounded
/// by that (24,000 tokens/s of 35B-A3B in bf16 on an H100) until steps have
/// some thousand tokens.
static constexpr int64_t kGpuBuckets[] = {1, 8, 16, 512, 4096};

void quartet::buildPhasesPipeline(OpPassManager &pm,
                                  const PhasesOptions &options) {
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  QuantizeOptions quantize;
  llvm::append_range(quantize.formats, options.formats);
  pm.addPass(createQuantize(quantize));
  pm.addPass(createFuseExperts());
  pm.addPass(createFuseProjections());
  pm.addPass(createFuseElementwise());
  FormPhasesOptions phases;
  phases.explain = options.explain;
  pm.addPass(createFormPhases(phases));
}

void quartet::buildTilePipeline(OpPassManager &pm, const TileOptions &options) {
  QuartetToTileOptions buckets;
  for (int64_t tokens : options.buckets)
    buckets.buckets.push_back(tokens);
  buckets.gpu = options.gpu;
  pm.addPass(createQuartetToTile(buckets));
  TilePipelineOptions prefetch;
  prefetch.prefetchBytes = options.prefetchBytes;
  pm.addPass(createTilePipeline(prefetch));
  pm.addPass(createTilePlanMemory());
  pm.addPass(createTileVerifySchedule());
}

void quartet::buildCpuPipeline(OpPassManager &pm,
                               const CpuPipelineOptions &options) {
  pm.addPass(cpu::createTileToCpu(
      {options.target, options.triple, options.cpu, options.features}));
  addKernelLoweringPasses(pm, /*expandArith=*/true);
}

void quartet::buildLinalgPipeline(OpPassManager &pm) {
  pm.addPass(createQuartetToLinalg());
  pm.addPass(createConvertElementwiseToLinalgPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void quartet::buildBufferPipeline(OpPassManager &pm) {
  pm.addPass(createLowerModel());
  pm.addPass(createCSEPass());
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  bufferize.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createOneShotBufferizePass(bufferize));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createCanonicalizerPass());
  bufferization::buildBufferDeallocationPipeline(pm, {});
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void quartet::buildLlvmPipeline(OpPassManager &pm,
                                const ReferenceOptions &options) {
  pm.addNestedPass<func::FuncOp>(createForallToParallelLoopPass());
  pm.addNestedPass<func::FuncOp>(createConvertLinalgToParallelLoopsPass());
  pm.addPass(createCanonicalizerPass());
  LowerParallelOptions parallel;
  parallel.grain = options.grain;
  pm.addPass(createLowerParallel(parallel));
  LowerEntryOptions entry;
  entry.target = options.target;
  entry.features = options.needs;
  pm.addPass(createLowerEntry(entry));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createLoopInvariantCodeMotionPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createSCFToControlFlowPass());
  arith::ArithExpandOpsPassOptions expand;
  // libgcc before 13 has no bf16 rounding; as integer operations it vectorizes.
  expand.includeBf16 = true;
  pm.addPass(arith::createArithExpandOpsPass(expand));
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void quartet::buildReferencePipeline(OpPassManager &pm,
                                     const ReferenceOptions &options) {
  buildLinalgPipeline(pm);
  buildBufferPipeline(pm);
  buildLlvmPipeline(pm, options);
}

llvm::Error
quartet::runPipeline(mlir::ModuleOp module, llvm::StringRef what,
                     llvm::function_ref<void(mlir::OpPassManager &)> build) {
  mlir::PassManager passes(module.getContext());
  passes.enableVerifier(true);
  build(passes);
  if (failed(passes.run(module)))
    return llvm::createStringError("lowering to " + what +
                                   " failed (see above)");
  return llvm::Error::success();
}

llvm::Error quartet::runTilePipeline(mlir::ModuleOp module,
                                     llvm::ArrayRef<int64_t> buckets,
                                     bool gpu) {
  TileOptions options;
  if (buckets.empty())
    buckets = gpu ? llvm::ArrayRef(kGpuBuckets) : llvm::ArrayRef(kCpuBuckets);
  for (int64_t tokens : buckets)
    options.buckets.push_back(tokens);
  options.gpu = gpu;
  return runPipeline(module, "tile", [&](mlir::OpPassManager &pm) {
    buildTilePipeline(pm, options);
  });
}

void quartet::registerPipelines() {
  PassPipelineRegistration<PhasesOptions>(
      "quartet-phases-pipeline", "Model ops to the phases of the step program",
      buildPhasesPipeline);
  PassPipelineRegistration<TileOptions>("quartet-tile-pipeline",
                                        "Phases to the schedule of the steps",
                                        buildTilePipeline);
  PassPipelineRegistration<CpuPipelineOptions>(
      "quartet-cpu-pipeline", "The schedule to the LLVM dialect for one CPU",
      buildCpuPipeline);
  cpu::registerTileToCpu();
  quartet::gpu::registerTileToGpu();
  quartet::gpu::registerSplitRows();
  quartet::gpu::registerWidenTasks();
  quartet::gpu::registerMergeKernels();
  quartet::gpu::registerVendorPasses();
  quartet::gpu::registerGpuToEmulator();
  PassPipelineRegistration<>("quartet-emulator-pipeline",
                             "Kernels to host functions of the LLVM dialect",
                             quartet::gpu::addEmulatorPasses);
  PassPipelineRegistration<>("quartet-linalg-pipeline",
                             "Model ops to linalg on tensors",
                             buildLinalgPipeline);
  PassPipelineRegistration<>("quartet-buffer-pipeline",
                             "linalg on tensors to loops over buffers",
                             buildBufferPipeline);
  PassPipelineRegistration<ReferenceOptions>(
      "quartet-llvm-pipeline", "Loops over buffers to the LLVM dialect",
      buildLlvmPipeline);
  PassPipelineRegistration<ReferenceOptions>(
      "quartet-reference-pipeline",
      "The generic lowering: model ops to the LLVM dialect",
      buildReferencePipeline);
}

void quartet::registerDialects(DialectRegistry &registry) {
  registry
      .insert<QuartetDialect, tile::TileDialect, affine::AffineDialect,
              arith::ArithDialect, bufferization::BufferizationDialect,
              cf::ControlFlowDialect, func::FuncDialect, linalg::LinalgDialect,
              LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect,
              scf::SCFDialect, tensor::TensorDialect, vector::VectorDialect>();
  arith::registerBufferizableOpInterfaceExternalModels(registry);
  arith::registerBufferDeallocationOpInterfaceExternalModels(registry);
  bufferization::func_ext::registerBufferizableOpInterfaceExternalModels(
      registry);
  cf::registerBufferDeallocationOpInterfaceExternalModels(registry);
  linalg::registerBufferizableOpInterfaceExternalModels(registry);
  scf::registerBufferDeallocationOpInterfaceExternalModels(registry);
  scf::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerBufferizableOpInterfaceExternalModels(registry);
}
