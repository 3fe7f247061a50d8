// One run of quartetc build: what its stages share. Driver.cpp runs the stages;
// BuildTargets.cpp, BuildInput.cpp, BuildCode.cpp and BuildOutput.cpp have
// them.
#ifndef QUARTET_COMPILER_BUILD_H
#define QUARTET_COMPILER_BUILD_H
#include "compiler/Driver.h"
#include "compiler/Progress.h"
#include "compiler/import/ModelInput.h"
#include "compiler/import/quant/ActivationStats.h"
#include "compiler/import/quant/Recipe.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "models/BuildModel.h"
#include "passes/Lower/ProgramTable.h"
#include "targets/Target.h"

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
  llvm::Error orderTargets();
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
  llvm::Error scheduleSteps();
  llvm::Error lowerTo(Target &target);
  llvm::Error compile(Target &target);
  llvm::Error joinPrograms();
  /// One executable for several CPUs: names of what exists for each differ.
  bool several() const { return targets.size() > 1; }
  /// What all targets share is that of the best one.
  const Capabilities &machine() const {
    return targets.front()->capabilities();
  }
  llvm::Error emitText(llvm::StringRef text, llvm::StringRef suffix);
  llvm::Error emitModule(llvm::StringRef suffix);
  llvm::Error dump(llvm::StringRef fileName,
                   llvm::function_ref<void(llvm::raw_ostream &)> print);
  llvm::Error dumpModule(llvm::StringRef fileName);
  llvm::Error pack();
  llvm::Error link();

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
  std::vector<std::unique_ptr<Target>> targets; ///< the most capable first
  std::string kit, output, weightsPath, weightsId, manifest, chatTemplate;
  std::string stepPlan; ///< for the manifest; empty: none
  std::vector<uint8_t> tokenizer;
  BuildOptions irOptions;
  Dtype matrixDtype = Dtype::BF16;
  mlir::MLIRContext context;
  mlir::ScopedDiagnosticHandler diagnostics;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<std::string> objects; ///< one per target; several: their table
  std::vector<ProgramPart> parts;   ///< one per target, when there are several
  std::string optimizedIr;          ///< of the target compiled last
  int64_t tokenLimit = 0;
};

} // namespace quartet
#endif
