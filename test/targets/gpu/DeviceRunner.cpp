// From kernels through the emulator's passes and the JIT to the emulator.
#include "test/targets/gpu/DeviceRunner.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "targets/Chips.h"
#include "targets/gpu/GpuToEmulator.h"
#include "targets/gpu/VendorPasses.h"
#include "targets/llvm/Optimize.h"
#include "test/targets/gpu/EmulatorSymbols.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include <cstring>
#include <gtest/gtest.h>

using namespace quartet;
using namespace quartet::test;

static llvm::ExitOnError check("kernel of a GPU: ");

DeviceRunner::Argument::Argument(float value) : bits(0) {
  std::memcpy(&bits, &value, sizeof(value));
}

DeviceRunner::DeviceRunner(const gpu::GpuFacts &machine)
    : machine(machine), context(mlir::MLIRContext::Threading::DISABLED) {
  mlir::DialectRegistry registry;
  gpu::registerDeviceDialects(registry);
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  mlir::Location location = mlir::UnknownLoc::get(&context);
  module = mlir::ModuleOp::create(location);
  builder.emplace(*module, location, this->machine);
}

DeviceRunner::~DeviceRunner() = default;

void DeviceRunner::add(const std::string &name, llvm::StringRef letters,
                       llvm::function_ref<void(llvm::ArrayRef<V>)> body,
                       bool alone) {
  gpu::DeviceBuilder &k = *builder;
  auto withArguments = [&](V args, V) {
    llvm::SmallVector<V> values;
    for (size_t i = 0; i < letters.size(); ++i) {
      mlir::Type type = letters[i] == 'p'   ? k.ptr(gpu::kGlobalSpace)
                        : letters[i] == 'f' ? k.f32()
                                            : k.i64();
      values.push_back(k.load(type, args, int64_t(i) * 8, 4));
    }
    body(values);
  };
  mlir::func::FuncOp kernel = k.kernel(name, withArguments, alone);
  int64_t bytes =
      kernel->getAttrOfType<mlir::IntegerAttr>(gpu::kSharedBytesAttr).getInt();
  EXPECT_LE(bytes, alone ? machine.loneSharedBytes : machine.sharedBytes)
      << name;
  sharedOf.push_back({name, bytes});
}

int64_t DeviceRunner::sharedBytes(const std::string &name) const {
  for (auto &[known, bytes] : sharedOf)
    if (known == name)
      return bytes;
  return 0;
}

void DeviceRunner::compile() {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  mlir::PassManager passes(&context);
  gpu::addEmulatorPasses(passes);
  if (mlir::failed(passes.run(*module)))
    check(llvm::createStringError("the lowering fails"));
  auto llvmContext = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> code =
      mlir::translateModuleToLLVMIR(*module, *llvmContext);
  if (!code)
    check(llvm::createStringError("translation to LLVM IR fails"));
  auto host = check(llvm::orc::JITTargetMachineBuilder::detectHost());
  auto target = check(host.createTargetMachine());
  code->setDataLayout(target->createDataLayout());
  code->setTargetTriple(target->getTargetTriple());
  for (llvm::Function &function : *code) {
    function.addFnAttr("target-cpu", host.getCPU());
    function.addFnAttr("target-features", host.getFeatures().getString());
  }
  optimize(*code, *target);
  jit = check(
      llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(host).create());
  jit->getMainJITDylib().addGenerator(
      check(llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
          jit->getDataLayout().getGlobalPrefix())));
  check(jit->getMainJITDylib().define(
      llvm::orc::absoluteSymbols(emulatorSymbols(*jit))));
  check(jit->addIRModule(
      llvm::orc::ThreadSafeModule(std::move(code), std::move(llvmContext))));
}

void DeviceRunner::know(const void *base, int64_t bytes, const char *name,
                        emu::RegionKind kind) {
  if (bytes)
    regions.push_back({base, bytes, name, kind});
}

void DeviceRunner::forget() { regions.clear(); }

void DeviceRunner::launch(const std::string &name, int64_t blocks,
                          llvm::ArrayRef<Argument> arguments, uint64_t seed) {
  if (!jit)
    compile();
  std::vector<int64_t> words;
  for (const Argument &argument : arguments)
    words.push_back(argument.bits);
  words.push_back(0);
  emu::Options options;
  options.lanes = machine.lanes;
  options.threads = machine.threads;
  options.blocks = blocks;
  options.sharedLimit = machine.loneSharedBytes;
  emu::Emulator &emulator =
      emulators.try_emplace(blocks, options).first->second;
  emulator.setSeed(seed);
  emulator.addRegion(words.data(), words.size() * 8, "arguments",
                     emu::RegionKind::ReadOnly);
  for (const Region &region : regions)
    EXPECT_TRUE(emulator.addRegion(region.base, uint64_t(region.bytes),
                                   region.name, region.kind))
        << region.name;
  emulator.beginStep();
  emu::Launch launch;
  launch.kernel = check(jit->lookup(name)).toPtr<emu::Kernel>();
  launch.name = name.c_str();
  launch.args = reinterpret_cast<const quartet_step_args *>(words.data());
  launch.sharedBytes = sharedBytes(name);
  EXPECT_TRUE(emulator.launch(launch));
  for (const emu::Report &report : emulator.reports())
    ADD_FAILURE() << machine.name << ": " << report.message;
  emulator.clearReports();
  emulator.removeRegion(words.data());
  for (const Region &region : regions)
    emulator.removeRegion(region.base);
}

std::vector<gpu::GpuFacts> test::kernelGpus() {
  return {check(findGpuFacts("sm_90a")), check(findGpuFacts("gfx942"))};
}
