// LLVM's part, the same for both vendors: translation, O3, code.
#include "targets/gpu/DeviceTarget.h"
#include "targets/amd/AmdTarget.h"
#include "targets/gpu/DeviceBuilder.h"
#include "targets/gpu/VendorPasses.h"
#include "targets/llvm/Optimize.h"
#include "targets/llvm/Translate.h"
#include "targets/nvidia/NvidiaTarget.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace quartet;
using namespace quartet::gpu;

DeviceTarget::DeviceTarget(GpuFacts facts,
                           std::unique_ptr<llvm::TargetMachine> machine)
    : chip(std::move(facts)), machine(std::move(machine)) {}

DeviceTarget::~DeviceTarget() = default;

void DeviceTarget::buildPipeline(mlir::OpPassManager &pm) const {
  buildDevicePipeline(pm, chip);
}

static void initializeGpus() {
  static const bool once = [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    LLVMInitializeAMDGPUTargetInfo();
    LLVMInitializeAMDGPUTarget();
    LLVMInitializeAMDGPUTargetMC();
    LLVMInitializeAMDGPUAsmPrinter();
    return true;
  }();
  (void)once;
}

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
machineFor(const GpuFacts &facts) {
  initializeGpus();
  llvm::Triple triple(facts.triple);
  std::string why;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, why);
  if (!target)
    return llvm::createStringError("target '" + facts.name + "': " + why);
  llvm::TargetOptions options;
  // A product and a sum are two roundings, here as on CPUs.
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, facts.name, facts.features, options, llvm::Reloc::PIC_,
      std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  if (!machine || !machine->getMCSubtargetInfo()->isCPUStringValid(facts.name))
    return llvm::createStringError("target '" + facts.name +
                                   "': LLVM has no such chip for " +
                                   facts.triple);
  return machine;
}

/// What clang says about modules of HIP; the loader reads the version.
static void addAmdFlags(llvm::Module &module) {
  module.addModuleFlag(llvm::Module::Error, "amdhsa_code_object_version", 500);
  module.addModuleFlag(llvm::Module::Error, "wchar_size", 4);
  module.setPICLevel(llvm::PICLevel::BigPIC);
}

/// Threads of a warp, or of a block, may have to come together to whatever a
/// kernel calls and to each piece of assembly: no pass may make two of one, in
/// arms where they part. Passes take it off functions that need it not. The op
/// llvm.inline_asm can't say it (LLVM 22), which is why it is said here.
static void markConvergent(llvm::Module &module) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration()) // intrinsics, which say it themselves
      continue;
    function.addFnAttr(llvm::Attribute::Convergent);
    for (llvm::Instruction &instruction : llvm::instructions(function))
      if (auto *call = llvm::dyn_cast<llvm::CallInst>(&instruction))
        if (call->isInlineAsm())
          call->addFnAttr(llvm::Attribute::Convergent);
  }
}

/// The optimised LLVM IR.
static llvm::Expected<std::unique_ptr<llvm::Module>>
compile(mlir::ModuleOp op, llvm::LLVMContext &context, const GpuFacts &facts,
        llvm::TargetMachine &machine) {
  auto module = translate(op, context, machine);
  if (!module)
    return module.takeError();
  if (facts.vendor == Vendor::Amd)
    addAmdFlags(**module);
  markConvergent(**module);
  optimize(**module, machine);
  return module;
}

static llvm::Expected<std::string> generate(mlir::ModuleOp op,
                                            const GpuFacts &facts,
                                            llvm::TargetMachine &machine,
                                            llvm::CodeGenFileType type) {
  llvm::LLVMContext context;
  auto module = compile(op, context, facts, machine);
  if (!module)
    return module.takeError();
  return generateCode(**module, machine, type);
}

llvm::Expected<std::string> DeviceTarget::emitLlvm(mlir::ModuleOp op) {
  llvm::LLVMContext context;
  auto module = compile(op, context, chip, *machine);
  if (!module)
    return module.takeError();
  std::string text;
  llvm::raw_string_ostream stream(text);
  (*module)->print(stream, nullptr);
  return text;
}

llvm::Expected<std::string> DeviceTarget::emitAssembly(mlir::ModuleOp op) {
  return generate(op, chip, *machine, llvm::CodeGenFileType::AssemblyFile);
}

llvm::Expected<std::string> DeviceTarget::emitObject(mlir::ModuleOp op) {
  return generate(op, chip, *machine, llvm::CodeGenFileType::ObjectFile);
}

std::vector<KernelReport>
DeviceTarget::complete(mlir::ModuleOp module,
                       std::vector<KernelReport> reports) {
  std::vector<KernelReport> ordered;
  for (auto kernel : module.getOps<mlir::LLVM::LLVMFuncOp>()) {
    auto found = llvm::find_if(reports, [&](const KernelReport &report) {
      return report.kernel == kernel.getSymName();
    });
    if (found == reports.end())
      continue;
    ordered.push_back(std::move(*found));
    if (auto bytes = kernel->getAttrOfType<mlir::IntegerAttr>(kSharedBytesAttr))
      ordered.back().dynamicShared = bytes.getInt();
    if (auto own = kernel->getAttrOfType<mlir::IntegerAttr>(kBlocksPerUnitAttr))
      ordered.back().plannedBlocks = own.getInt();
  }
  return ordered;
}

llvm::Expected<std::unique_ptr<DeviceTarget>>
gpu::createDeviceTarget(GpuFacts facts, DeviceOptions options) {
  auto machine = machineFor(facts);
  if (!machine)
    return machine.takeError();
  if (facts.vendor == Vendor::Nvidia)
    return std::make_unique<NvidiaTarget>(std::move(facts), std::move(*machine),
                                          std::move(options));
  return std::make_unique<AmdTarget>(std::move(facts), std::move(*machine));
}
