// All dialects that become LLVM IR are registered: which of them a module uses
// is up to its lowering.
#include "targets/llvm/Translate.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/PrettyStackTrace.h"
#include "llvm/Target/TargetMachine.h"

llvm::Expected<std::unique_ptr<llvm::Module>>
quartet::translate(mlir::ModuleOp op, llvm::LLVMContext &context,
                   const llvm::TargetMachine &machine) {
  mlir::DialectRegistry registry;
  mlir::registerAllToLLVMIRTranslations(registry);
  op.getContext()->appendDialectRegistry(registry);
  std::unique_ptr<llvm::Module> module =
      mlir::translateModuleToLLVMIR(op, context, "quartet");
  if (!module)
    return llvm::createStringError("the module has ops that LLVM IR has not");
  module->setTargetTriple(machine.getTargetTriple());
  module->setDataLayout(machine.createDataLayout());
  llvm::StringRef features = machine.getTargetFeatureString();
  for (llvm::Function &function : *module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", machine.getTargetCPU());
    if (!features.empty())
      function.addFnAttr("target-features", features);
    function.addFnAttr("no-trapping-math", "true");
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
  return module;
}

llvm::Expected<std::string> quartet::generateCode(llvm::Module &module,
                                                  llvm::TargetMachine &machine,
                                                  llvm::CodeGenFileType type) {
  // Says where LLVM was when it crashes or gives up.
  llvm::PrettyStackTraceFormat doing("generating code for %s (%s)",
                                     machine.getTargetCPU().str().c_str(),
                                     machine.getTargetTriple().str().c_str());
  llvm::SmallString<0> code;
  llvm::raw_svector_ostream stream(code);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, type)) {
    bool object = type == llvm::CodeGenFileType::ObjectFile;
    return llvm::createStringError(llvm::Twine("LLVM cannot write ") +
                                   (object ? "object files" : "assembly") +
                                   " for " + machine.getTargetTriple().str());
  }
  passes.run(module);
  return std::string(code);
}
