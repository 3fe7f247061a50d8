// From a module of kernels through the lowering, LLVM at O3 and the JIT.
#include "test/targets/cpu/KernelRunner.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "targets/cpu/KernelLowering.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

using namespace quartet;
using namespace quartet::test;
using llvm::orc::JITTargetMachineBuilder;

// Functions of the compiler's own library that LLVM calls on CPUs without the
// instructions.
extern "C" {
void __truncsfhf2();
void __extendhfsf2();
}

static llvm::ExitOnError check("micro-kernel: ");

static void initializeNative() {
  static const bool once = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    return true;
  }();
  (void)once;
}

/// Describes \p cpu, or this machine when empty.
static JITTargetMachineBuilder describe(llvm::StringRef cpu) {
  initializeNative();
  JITTargetMachineBuilder host = check(JITTargetMachineBuilder::detectHost());
  if (!cpu.empty())
    host = JITTargetMachineBuilder(host.getTargetTriple()).setCPU(cpu.str());
  host.setCodeGenOptLevel(llvm::CodeGenOptLevel::Aggressive);
  return host;
}

static cpu::Isa isaOf(llvm::StringRef cpu) {
  JITTargetMachineBuilder machine = describe(cpu);
  return check(cpu::Isa::of(machine.getTargetTriple().str(), machine.getCPU(),
                            machine.getFeatures().getString()));
}

cpu::Isa KernelRunner::hostIsa() { return isaOf(""); }

bool KernelRunner::canRun(llvm::StringRef cpu) {
  JITTargetMachineBuilder host = describe("");
  std::string problem;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(host.getTargetTriple(), problem);
  if (!target)
    return false;
  llvm::Triple triple = host.getTargetTriple();
  std::unique_ptr<llvm::MCSubtargetInfo> has(target->createMCSubtargetInfo(
      triple, host.getCPU(), host.getFeatures().getString()));
  std::unique_ptr<llvm::MCSubtargetInfo> needs(
      target->createMCSubtargetInfo(triple, cpu, ""));
  if (!needs->isCPUStringValid(cpu))
    return false;
  // Tuning flags may differ; instructions may not.
  for (const char *name : {"avx", "avx2", "fma", "f16c", "avx512f", "avx512bw",
                           "avx512vl", "avx512vnni", "avx512bf16", "amx-tile"})
    if (needs->checkFeatures(std::string("+") + name) &&
        !has->checkFeatures(std::string("+") + name))
      return false;
  return true;
}

KernelRunner::KernelRunner(llvm::StringRef cpu)
    : cpu(cpu.str()), instructions(isaOf(cpu)),
      context(mlir::MLIRContext::Threading::DISABLED) {
  start();
}

KernelRunner::KernelRunner(const cpu::Isa &isa)
    : instructions(isa), context(mlir::MLIRContext::Threading::DISABLED) {
  start();
}

KernelRunner::~KernelRunner() = default;

void KernelRunner::start() {
  mlir::DialectRegistry registry;
  cpu::registerKernelDialects(registry);
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  mlir::Location location = mlir::UnknownLoc::get(&context);
  module = mlir::ModuleOp::create(location);
  builder.emplace(*module, location, instructions);
}

std::string KernelRunner::add(mlir::func::FuncOp function) {
  if (jit)
    check(llvm::createStringError("add() every kernel before the first get()"));
  function.setPublic();
  return function.getName().str();
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graph;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder passes(&machine);
  passes.registerModuleAnalyses(modules);
  passes.registerCGSCCAnalyses(graph);
  passes.registerFunctionAnalyses(functions);
  passes.registerLoopAnalyses(loops);
  passes.crossRegisterProxies(loops, functions, graph, modules);
  passes.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3)
      .run(module, modules);
}

/// The optimized LLVM module of \p module for the machine of \p described.
static std::unique_ptr<llvm::Module>
translate(mlir::ModuleOp module, llvm::LLVMContext &context,
          JITTargetMachineBuilder &described) {
  mlir::PassManager passes(module.getContext());
  cpu::addKernelLoweringPasses(passes);
  if (mlir::failed(passes.run(module)))
    check(llvm::createStringError("the lowering fails"));
  std::unique_ptr<llvm::Module> result =
      mlir::translateModuleToLLVMIR(module, context);
  if (!result)
    check(llvm::createStringError("translation to LLVM IR fails"));
  auto machine = check(described.createTargetMachine());
  result->setDataLayout(machine->createDataLayout());
  result->setTargetTriple(machine->getTargetTriple());
  // Loops must not become wider or narrower than the machine is.
  for (llvm::Function &function : *result) {
    function.addFnAttr("target-cpu", described.getCPU());
    function.addFnAttr("target-features", described.getFeatures().getString());
  }
  optimize(*result, *machine);
  return result;
}

std::string KernelRunner::optimizedIr() {
  mlir::OwningOpRef<mlir::ModuleOp> copy(module->clone());
  JITTargetMachineBuilder described = describe(cpu);
  llvm::LLVMContext llvmContext;
  std::string text;
  llvm::raw_string_ostream stream(text);
  translate(*copy, llvmContext, described)->print(stream, nullptr);
  return text;
}

void KernelRunner::compile() {
  JITTargetMachineBuilder described = describe(cpu);
  auto llvmContext = std::make_unique<llvm::LLVMContext>();
  auto llvmModule = translate(*module, *llvmContext, described);
  jit = check(
      llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(described).create());
  llvm::orc::JITDylib &library = jit->getMainJITDylib();
  library.addGenerator(
      check(llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
          jit->getDataLayout().getGlobalPrefix())));
  llvm::orc::SymbolMap symbols;
  auto define = [&](const char *symbol, void (*function)()) {
    symbols[jit->mangleAndIntern(symbol)] = {
        llvm::orc::ExecutorAddr::fromPtr(function),
        llvm::JITSymbolFlags::Exported};
  };
  define("__truncsfhf2", &__truncsfhf2);
  define("__extendhfsf2", &__extendhfsf2);
  check(library.define(llvm::orc::absoluteSymbols(std::move(symbols))));
  check(jit->addIRModule(llvm::orc::ThreadSafeModule(std::move(llvmModule),
                                                     std::move(llvmContext))));
}

void *KernelRunner::address(const std::string &name) {
  if (!jit)
    compile();
  return check(jit->lookup(name)).toPtr<void *>();
}
