// The stages of a compilation and their options: the architecture on one page.
// quartetc and quartet-opt call the same functions, so each stage runs alone on
// text.
#ifndef QUARTET_COMPILER_PIPELINES_H
#define QUARTET_COMPILER_PIPELINES_H
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "llvm/Support/Error.h"

namespace quartet {

struct ReferenceOptions : mlir::PassPipelineOptions<ReferenceOptions> {
  Option<std::string> target{*this, "target",
                             llvm::cl::desc("Name in the program table"),
                             llvm::cl::init("any")};
  Option<std::string> needs{*this, "features",
                            llvm::cl::desc("What the machine must have, for "
                                           "the program table")};
  Option<int64_t> grain{*this, "grain",
                        llvm::cl::desc("Least work of one range of a parallel "
                                       "loop, in scalar operations"),
                        llvm::cl::init(16384)};
};

struct PhasesOptions : mlir::PassPipelineOptions<PhasesOptions> {
  ListOption<std::string> formats{
      *this, "formats",
      llvm::cl::desc("Formats of weight matrices: l0.qkv=int4:64,...")};
  Option<bool> explain{*this, "explain",
                       llvm::cl::desc("Remark why each phase begins and which "
                                      "phase took in what"),
                       llvm::cl::init(false)};
};

/// quartet -> quartet: matrices packed and fused, ops grouped into the phases
/// of the step program.
void buildPhasesPipeline(mlir::OpPassManager &pm, const PhasesOptions &options);

struct TileOptions : mlir::PassPipelineOptions<TileOptions> {
  ListOption<int64_t> buckets{
      *this, "buckets",
      llvm::cl::desc("Most tokens of each specialisation of the step")};
  Option<int64_t> prefetchBytes{
      *this, "prefetch-bytes",
      llvm::cl::desc("What each worker reads ahead while it waits"),
      llvm::cl::init(65536)};
  Option<bool> gpu{*this, "gpu",
                   llvm::cl::desc("Tasks for the blocks of a GPU instead of a "
                                  "CPU's threads"),
                   llvm::cl::init(false)};
};

/// quartet in phases -> tile: the schedule of each bucket's step, with its
/// prefetches and memory, proven sound.
void buildTilePipeline(mlir::OpPassManager &pm, const TileOptions &options);

struct CpuPipelineOptions : mlir::PassPipelineOptions<CpuPipelineOptions> {
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

/// tile -> LLVM dialect for one kind of CPU.
void buildCpuPipeline(mlir::OpPassManager &pm,
                      const CpuPipelineOptions &options);

/// quartet -> linalg: every computation becomes its executable meaning;
/// tensors.
void buildLinalgPipeline(mlir::OpPassManager &pm);

/// linalg -> loops over buffers: the model becomes a function, tensors become
/// memory, states are updated in place.
void buildBufferPipeline(mlir::OpPassManager &pm);

/// loops -> LLVM dialect, with parallel loops as calls of the runtime's workers
/// and the table of programs.
void buildLlvmPipeline(mlir::OpPassManager &pm,
                       const ReferenceOptions &options = {});

/// The three above, one after the other: the generic lowering of any LLVM
/// target.
void buildReferencePipeline(mlir::OpPassManager &pm,
                            const ReferenceOptions &options = {});

/// Runs the passes that \p build adds on \p module. An error says that lowering
/// to \p what failed; diagnostics have said why.
llvm::Error runPipeline(mlir::ModuleOp module, llvm::StringRef what,
                        llvm::function_ref<void(mlir::OpPassManager &)> build);

/// Runs the tile pipeline on \p module, which is in phases, for steps of up to
/// \p buckets tokens each; none: those that suit CPUs, or with \p gpu GPUs.
llvm::Error runTilePipeline(mlir::ModuleOp module,
                            llvm::ArrayRef<int64_t> buckets, bool gpu = false);

/// Makes the pipelines known to quartet-opt as -quartet-phases-pipeline,
/// -quartet-linalg-pipeline, -quartet-buffer-pipeline, -quartet-llvm-pipeline,
/// -quartet-reference-pipeline.
void registerPipelines();

/// Everything that the passes above need to know about dialects.
void registerDialects(mlir::DialectRegistry &registry);

} // namespace quartet
#endif
