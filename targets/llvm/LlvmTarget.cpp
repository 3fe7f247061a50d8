// Translates the LLVM dialect to LLVM IR, optimises at O3 for the CPU, and
// emits an object file. Deterministic: no timestamps, no paths, no host state.
#include "targets/llvm/LlvmTarget.h"
#include "targets/llvm/Optimize.h"
#include "targets/llvm/Translate.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/AArch64TargetParser.h"
#include "llvm/TargetParser/Host.h"

using namespace quartet;

LlvmTarget::LlvmTarget(llvm::StringRef name, Capabilities facts,
                       std::unique_ptr<llvm::TargetMachine> machine)
    : targetName(name.str()), facts(std::move(facts)),
      machine(std::move(machine)) {}

LlvmTarget::~LlvmTarget() = default;

static void initializeCpus() {
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

Capabilities LlvmTarget::hostCapabilities() {
  Capabilities facts;
  facts.triple =
      llvm::Triple(llvm::sys::getProcessTriple()).getArchName().str() +
      "-unknown-linux-gnu";
  facts.cpu = llvm::sys::getHostCPUName().str();
  // A virtual machine may hide features that the CPU's name implies.
  std::vector<std::string> features;
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    features.push_back((feature.second ? "+" : "-") + feature.first().str());
  llvm::sort(features);
  facts.features = llvm::join(features, ",");
  return facts;
}

std::vector<std::string> LlvmTarget::cpuNames(llvm::StringRef tripleText) {
  initializeCpus();
  llvm::Triple triple(tripleText);
  std::string why;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, why);
  if (!target)
    return {};
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      target->createMCSubtargetInfo(triple, "", ""));
  std::vector<std::string> names;
  for (const auto &entry : info->getAllProcessorDescriptions()) {
    // LLVM's list for x86 goes back to CPUs of 32 bits.
    std::unique_ptr<llvm::MCSubtargetInfo> cpu(
        target->createMCSubtargetInfo(triple, entry.Key, ""));
    if (!triple.isX86() || cpu->checkFeatures("+64bit"))
      names.push_back(entry.Key);
  }
  llvm::sort(names);
  return names;
}

/// "'a', 'b', 'c'": those of \p names that are most like \p wrong.
static std::string closest(llvm::StringRef wrong,
                           const std::vector<std::string> &names) {
  std::vector<std::pair<unsigned, llvm::StringRef>> ranked;
  for (llvm::StringRef name : names)
    ranked.emplace_back(wrong.edit_distance_insensitive(name), name);
  llvm::sort(ranked);
  std::string text;
  for (const auto &entry : llvm::ArrayRef(ranked).take_front(3))
    text += (text.empty() ? "'" : ", '") + entry.second.str() + "'";
  return text;
}

/// Moves what follows the CPU's name, "znver5+amx-tile", to the features.
static llvm::Error takeFeatures(Capabilities &facts,
                                const llvm::Target &target) {
  auto [cpu, more] = llvm::StringRef(facts.cpu).split('+');
  if (more.empty())
    return llvm::Error::success();
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      target.createMCSubtargetInfo(llvm::Triple(facts.triple), "", ""));
  std::vector<std::string> known;
  for (const auto &feature : info->getAllProcessorFeatures())
    known.push_back(feature.Key);
  llvm::SmallVector<llvm::StringRef> names;
  more.split(names, '+');
  for (llvm::StringRef name : names) {
    if (!llvm::is_contained(known, name))
      return llvm::createStringError("unknown feature '" + name + "' for " +
                                     facts.triple + "; the closest are " +
                                     closest(name, known));
    facts.features += (facts.features.empty() ? "+" : ",+") + name.str();
  }
  facts.cpu = cpu.str();
  return llvm::Error::success();
}

llvm::Expected<std::unique_ptr<Target>> LlvmTarget::create(llvm::StringRef name,
                                                           Capabilities facts) {
  initializeCpus();
  llvm::Triple triple(facts.triple);
  std::string why;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, why);
  if (!target)
    return llvm::createStringError("target '" + name + "': " + why);
  if (llvm::Error wrong = takeFeatures(facts, *target))
    return llvm::createStringError("target '" + name +
                                   "': " + llvm::toString(std::move(wrong)));
  if (triple.isAArch64()) // e.g. apple-m1, which LLVM's table calls apple-a14
    facts.cpu = llvm::AArch64::resolveCPUAlias(facts.cpu).str();
  std::vector<std::string> known = cpuNames(facts.triple);
  if (!llvm::is_contained(known, facts.cpu))
    return llvm::createStringError(
        "target '" + name + "': unknown CPU '" + facts.cpu + "' for " +
        facts.triple + "; the closest are " + closest(facts.cpu, known) +
        "; 'quartetc targets " + name + "' lists all");
  llvm::TargetOptions options;
  options.FunctionSections = true;
  options.DataSections = true;
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, facts.cpu, facts.features, options, llvm::Reloc::PIC_,
      std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  return std::unique_ptr<Target>(
      new LlvmTarget(name, std::move(facts), std::move(machine)));
}

static void makePositionIndependent(llvm::Module &module) {
  module.setPICLevel(llvm::PICLevel::BigPIC);
  module.setPIELevel(llvm::PIELevel::Large);
}

llvm::Expected<std::string>
LlvmTarget::emit(mlir::ModuleOp op, std::string *optimizedIr, bool quick) {
  llvm::LLVMContext context;
  auto translated = translate(op, context, *machine);
  if (!translated)
    return translated.takeError();
  llvm::Module &module = **translated;
  makePositionIndependent(module);
  // The matrices stream through; wide vectors pay on every target that has
  // them.
  for (llvm::Function &function : module)
    if (!function.isDeclaration())
      function.addFnAttr("prefer-vector-width", "512");
  machine->setOptLevel(quick ? llvm::CodeGenOptLevel::Less
                             : llvm::CodeGenOptLevel::Aggressive);
  optimize(module, *machine,
           quick ? llvm::OptimizationLevel::O1 : llvm::OptimizationLevel::O3);
  if (optimizedIr) {
    llvm::raw_string_ostream stream(*optimizedIr);
    module.print(stream, nullptr);
  }
  return generateCode(module, *machine);
}

llvm::Expected<std::string>
LlvmTarget::emitBlobs(const std::vector<Blob> &blobs) {
  llvm::LLVMContext context;
  llvm::Module module("quartet_blobs", context);
  module.setTargetTriple(machine->getTargetTriple());
  module.setDataLayout(machine->createDataLayout());
  makePositionIndependent(module);
  auto *pointer = llvm::PointerType::getUnqual(context);
  auto *size = llvm::Type::getInt64Ty(context);
  auto *pair = llvm::StructType::get(context, {pointer, size});
  for (const Blob &blob : blobs) {
    llvm::Constant *address = llvm::ConstantPointerNull::get(pointer);
    if (!blob.data.empty()) {
      auto *bytes = llvm::ConstantDataArray::getRaw(
          blob.data, blob.data.size(), llvm::Type::getInt8Ty(context));
      auto *data = new llvm::GlobalVariable(
          module, bytes->getType(), /*isConstant=*/true,
          llvm::GlobalValue::PrivateLinkage, bytes, blob.symbol + ".data");
      data->setAlignment(llvm::Align(64));
      address = data;
    }
    auto *value = llvm::ConstantStruct::get(
        pair, {address, llvm::ConstantInt::get(size, blob.data.size())});
    new llvm::GlobalVariable(module, pair, /*isConstant=*/true,
                             llvm::GlobalValue::ExternalLinkage, value,
                             blob.symbol);
  }
  return generateCode(module, *machine);
}
