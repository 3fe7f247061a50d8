// From a module of kernels through the lowering, LLVM at O3 and the JIT.
#include "test/targets/cpu/KernelRunner.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "targets/codegen/KernelLowering.h"
#include "targets/llvm/Optimize.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
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

static void initializeTargets() {
  static const bool once = [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
    return true;
  }();
  (void)once;
}

/// Describes \p cpu with \p features, or this machine when empty.
static JITTargetMachineBuilder describe(llvm::StringRef cpu,
                                        llvm::StringRef features) {
  initializeTargets();
  JITTargetMachineBuilder host = check(JITTargetMachineBuilder::detectHost());
  if (!cpu.empty()) {
    host = JITTargetMachineBuilder(host.getTargetTriple()).setCPU(cpu.str());
    host.getFeatures() = llvm::SubtargetFeatures(features);
  }
  host.setCodeGenOptLevel(llvm::CodeGenOptLevel::Aggressive);
  return host;
}

static cpu::Isa isaOf(llvm::StringRef cpu, llvm::StringRef features) {
  JITTargetMachineBuilder machine = describe(cpu, features);
  return check(cpu::Isa::of(machine.getTargetTriple().str(), machine.getCPU(),
                            machine.getFeatures().getString()));
}

cpu::Isa KernelRunner::hostIsa() { return isaOf("", ""); }

bool KernelRunner::canRun(llvm::StringRef cpu) {
  JITTargetMachineBuilder host = describe("", "");
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

KernelRunner::KernelRunner(llvm::StringRef cpu, llvm::StringRef features)
    : cpu(cpu.str()), features(features.str()),
      instructions(isaOf(cpu, features)),
      context(mlir::MLIRContext::Threading::DISABLED) {
  start();
}

KernelRunner::KernelRunner(const cpu::Isa &isa)
    : instructions(isa), context(mlir::MLIRContext::Threading::DISABLED) {
  start();
}

KernelRunner::~KernelRunner() = default;

static void loadDialects(mlir::MLIRContext &context) {
  mlir::DialectRegistry registry;
  registerKernelDialects(registry);
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
}

void KernelRunner::start() {
  loadDialects(context);
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

void KernelRunner::define(const std::string &symbol, void (*function)()) {
  definitions.push_back({symbol, function});
}

/// The optimized LLVM module of \p module for the machine of \p described.
static std::unique_ptr<llvm::Module>
translate(mlir::ModuleOp module, llvm::LLVMContext &context,
          JITTargetMachineBuilder &described) {
  mlir::PassManager passes(module.getContext());
  addKernelLoweringPasses(passes, /*expandArith=*/true);
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
  JITTargetMachineBuilder described = describe(cpu, features);
  llvm::LLVMContext llvmContext;
  std::string text;
  llvm::raw_string_ostream stream(text);
  translate(*copy, llvmContext, described)->print(stream, nullptr);
  return text;
}

void KernelRunner::compile() {
  JITTargetMachineBuilder described = describe(cpu, features);
  auto llvmContext = std::make_unique<llvm::LLVMContext>();
  auto llvmModule = translate(*module, *llvmContext, described);
  jit = check(
      llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(described).create());
  llvm::orc::JITDylib &library = jit->getMainJITDylib();
  library.addGenerator(
      check(llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
          jit->getDataLayout().getGlobalPrefix())));
  llvm::orc::SymbolMap symbols;
  define("__truncsfhf2", &__truncsfhf2);
  define("__extendhfsf2", &__extendhfsf2);
  for (auto &[symbol, function] : definitions)
    symbols[jit->mangleAndIntern(symbol)] = {
        llvm::orc::ExecutorAddr::fromPtr(function),
        llvm::JITSymbolFlags::Exported};
  check(library.define(llvm::orc::absoluteSymbols(std::move(symbols))));
  check(jit->addIRModule(llvm::orc::ThreadSafeModule(std::move(llvmModule),
                                                     std::move(llvmContext))));
}

void *KernelRunner::address(const std::string &name) {
  if (!jit)
    compile();
  return check(jit->lookup(name)).toPtr<void *>();
}

std::string
test::kernelAssembly(llvm::StringRef triple, llvm::StringRef cpu,
                     llvm::function_ref<void(cpu::KernelBuilder &)> build) {
  initializeTargets();
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  loadDialects(context);
  mlir::Location location = mlir::UnknownLoc::get(&context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(location);
  cpu::Isa isa = check(cpu::Isa::of(triple, cpu, ""));
  cpu::KernelBuilder builder(*module, location, isa);
  build(builder);
  module->walk([](mlir::func::FuncOp function) { function.setPublic(); });
  JITTargetMachineBuilder described{llvm::Triple(triple)};
  described.setCPU(cpu.str());
  described.setCodeGenOptLevel(llvm::CodeGenOptLevel::Aggressive);
  llvm::LLVMContext llvmContext;
  auto llvmModule = translate(*module, llvmContext, described);
  auto machine = check(described.createTargetMachine());
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr,
                                   llvm::CodeGenFileType::AssemblyFile))
    check(llvm::createStringError("no assembly for " + triple));
  passes.run(*llvmModule);
  return std::string(text);
}
