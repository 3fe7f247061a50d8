// One run of quartetc build: what its stages share. Driver.cpp runs the stages;
// BuildTargets.cpp, BuildInput.cpp, BuildCode.cpp, BuildDevice.cpp and
// BuildOutput.cpp have them.
#ifndef QUARTET_COMPILER_BUILD_H
#define QUARTET_COMPILER_BUILD_H
#include "compiler/BuildTarget.h"
#include "compiler/Driver.h"
#include "compiler/Progress.h"
#include "compiler/import/ModelInput.h"
#include "compiler/import/quant/ActivationStats.h"
#include "compiler/import/quant/Recipe.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "models/BuildModel.h"
#include <map>

namespace quartet {

/// One run of the driver; the members are filled stage by stage.
class Build {
public:
  explicit Build(const BuildCommand &command)
      : command(command), stages(command.quiet),
        diagnostics(&context, printDiagnostic) {
    // A diagnostic names its part of the model; the op may fill a screen.
    context.printOpOnDiagnostic(false);
  }

  llvm::Error run();

private:
  llvm::Error chooseTargets();
  llvm::Error checkEmit() const;
  llvm::Error chooseLowering();
  llvm::Error readModel();
  llvm::Error checkOutputs();
  llvm::Error readTexts();
  llvm::Error buildIr();
  /// The model's IR; fails when it does not verify.
  llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> makeModel();
  llvm::Error planFormats();
  llvm::Error formPhases();
  llvm::Error lower();
  llvm::Error scheduleGeneric();
  llvm::Error scheduleSteps(BuildTarget &target);
  llvm::Error lowerTo(BuildTarget &target);
  llvm::Error lowerToCpu(BuildTarget &target);
  llvm::Error lowerToDevice(BuildTarget &target);
  llvm::Error lowerToEmulator(BuildTarget &target, Program program);
  llvm::Error makeImages(BuildTarget &target, Program program);
  llvm::Error compile(BuildTarget &target);
  llvm::Expected<std::string> joinPrograms(const Executable &executable);
  /// Whether executables hold programs for several machines.
  bool joined() const { return executables.front().targets.size() > 1; }
  /// The machine that executables start on.
  const Capabilities &machine() const { return targets.front().hostFacts(); }
  /// "4-llvm.x86-64-v3.mlir": of several targets, the name says which.
  std::string stageName(llvm::StringRef stage, const BuildTarget &target,
                        llvm::StringRef extension) const;
  llvm::Error emitText(llvm::StringRef text, llvm::StringRef suffix);
  llvm::Error emitModule(llvm::StringRef suffix);
  llvm::Error dump(llvm::StringRef fileName,
                   llvm::function_ref<void(llvm::raw_ostream &)> print);
  llvm::Error dumpModule(llvm::StringRef fileName);
  llvm::Error pack();
  llvm::Expected<std::string> manifestOf(const Executable &executable);
  llvm::Error link(const Executable &executable);
  llvm::Error finish();

  const BuildCommand &command;
  StageProgress stages;
  std::unique_ptr<ModelInput> input;
  std::unique_ptr<WeightSource> source;    ///< null without weights
  std::unique_ptr<WeightSource> quantized; ///< of the generic lowering
  std::unique_ptr<ActivationStats> stats;
  Recipe recipe;
  bool stepProgram = true;
  std::vector<std::string> formats; ///< "l0.qkv=int4:64"
  ModelConfig config;
  WeightPlan plan;
  PackPlan packPlan, plannedQuantization;
  WeightLayout layout;
  std::vector<BuildTarget> targets;
  std::vector<Executable> executables;
  std::string kit, output, weightsPath, weightsId, chatTemplate;
  std::vector<uint8_t> tokenizer;
  BuildOptions irOptions;
  Dtype matrixDtype = Dtype::BF16;
  mlir::MLIRContext context;
  mlir::ScopedDiagnosticHandler diagnostics;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// In phases (of the generic lowering: loops over buffers), for all targets.
  mlir::OwningOpRef<mlir::ModuleOp> shared;
  /// Schedules, by whether they are for GPUs, with their plan.
  std::map<bool, std::pair<mlir::OwningOpRef<mlir::ModuleOp>, std::string>>
      schedules;
  std::string optimizedIr; ///< of the target compiled last
  std::string isa;         ///< of the GPU compiled last
  int64_t tokenLimit = 0;
};

} // namespace quartet
#endif
