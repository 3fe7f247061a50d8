// The pass from end to end: what kernels compute in the emulator, and that it
// finds what is wrong with them and says where.
#include "targets/gpu/GpuToEmulator.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "runtime/src/emulator/Emulator.h"
#include "targets/gpu/VendorPasses.h"
#include "targets/llvm/Optimize.h"
#include "test/targets/gpu/EmulatorSymbols.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include <gtest/gtest.h>

using namespace quartet;

static llvm::ExitOnError check("kernel: ");

namespace {
/// The kernel "k" of a module as text; its arguments are words of 64 bits.
class Kernel {
public:
  explicit Kernel(const std::string &text)
      : context(mlir::MLIRContext::Threading::DISABLED) {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    mlir::DialectRegistry registry;
    gpu::registerDeviceDialects(registry);
    mlir::registerBuiltinDialectTranslation(registry);
    mlir::registerLLVMDialectTranslation(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    mlir::PassManager passes(&context);
    gpu::addEmulatorPasses(passes);
    if (!module || mlir::failed(passes.run(*module)))
      check(llvm::createStringError("the kernel does not lower"));
    compile(*module);
  }

  /// What the emulator reports when \p blocks blocks of 64 threads run with
  /// \p arguments; they may touch \p data.
  std::vector<emu::Report> run(llvm::MutableArrayRef<int32_t> data,
                               int64_t blocks = 2, int64_t lanes = 32) {
    int64_t words[] = {reinterpret_cast<int64_t>(data.data())};
    emu::Options options;
    options.threads = 64;
    options.lanes = lanes;
    options.blocks = blocks;
    emu::Emulator emulator(options);
    emulator.addRegion(words, sizeof(words), "arguments",
                       emu::RegionKind::ReadOnly);
    emulator.addRegion(data.data(), data.size() * 4, "data",
                       emu::RegionKind::ReadWrite);
    emulator.beginStep();
    emu::Launch launch;
    launch.kernel = check(jit->lookup("k")).toPtr<emu::Kernel>();
    launch.name = "k";
    launch.args = reinterpret_cast<const quartet_step_args *>(words);
    launch.sharedBytes = 1024;
    emulator.launch(launch);
    return emulator.reports();
  }

private:
  void compile(mlir::ModuleOp module) {
    auto llvmContext = std::make_unique<llvm::LLVMContext>();
    auto code = mlir::translateModuleToLLVMIR(module, *llvmContext);
    auto host = check(llvm::orc::JITTargetMachineBuilder::detectHost());
    auto machine = check(host.createTargetMachine());
    code->setDataLayout(machine->createDataLayout());
    code->setTargetTriple(machine->getTargetTriple());
    optimize(*code, *machine);
    jit = check(
        llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(host).create());
    check(jit->getMainJITDylib().define(
        llvm::orc::absoluteSymbols(test::emulatorSymbols(*jit))));
    jit->getMainJITDylib().addGenerator(
        check(llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
            jit->getDataLayout().getGlobalPrefix())));
    check(jit->addIRModule(
        llvm::orc::ThreadSafeModule(std::move(code), std::move(llvmContext))));
  }

  mlir::MLIRContext context;
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

/// data[block][t] = data[block][63 - t], by way of shared memory, with
/// \p between in the middle. Loads stand at "turn / load", stores of the
/// results, which are \p shift words further, at "turn / store".
std::string turn(const char *between, int shift) {
  return R"(
llvm.mlir.global external @quartet_shared() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<0 x i8>
func.func @k(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %c63 = arith.constant 63 : i64
  %c64 = arith.constant 64 : i64
  %shift = arith.constant )" +
         std::to_string(shift) + R"( : i64
  %ti = gpu.thread_id x
  %bi = gpu.block_id x
  %t = arith.index_cast %ti : index to i64
  %b = arith.index_cast %bi : index to i64
  %data = llvm.load %args : !llvm.ptr<1> -> !llvm.ptr<1>
  %first = arith.muli %b, %c64 : i64
  %mine = llvm.getelementptr %data[%first] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i32
  %from = llvm.getelementptr %mine[%t] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i32
  %v = llvm.load %from : !llvm.ptr<1> -> i32 loc("turn / load")
  %shared = llvm.mlir.addressof @quartet_shared : !llvm.ptr<3>
  %at = llvm.getelementptr %shared[%t] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i32
  llvm.store %v, %at : i32, !llvm.ptr<3> loc("turn / share")
  )" + between +
         R"(
  %o = arith.subi %c63, %t : i64
  %other = llvm.getelementptr %shared[%o] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i32
  %w = llvm.load %other : !llvm.ptr<3> -> i32 loc("turn / take")
  %further = arith.addi %t, %shift : i64
  %to = llvm.getelementptr %mine[%further] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i32
  llvm.store %w, %to : i32, !llvm.ptr<1> loc("turn / store")
  return
})";
}

std::vector<int32_t> counting(size_t size) {
  std::vector<int32_t> data(size);
  for (size_t i = 0; i < size; ++i)
    data[i] = int32_t(i);
  return data;
}

TEST(GpuToEmulator, ThreadsOfABlockExchange) {
  Kernel kernel(turn("gpu.barrier", 0));
  std::vector<int32_t> data = counting(128);
  for (const emu::Report &report : kernel.run(data))
    ADD_FAILURE() << report.message;
  for (int32_t i = 0; i < 128; ++i)
    EXPECT_EQ(data[size_t(i)], i / 64 * 64 + 63 - i % 64);
}

TEST(GpuToEmulator, AMissingBarrierIsFoundWhereItMatters) {
  Kernel kernel(turn("", 0));
  std::vector<int32_t> data = counting(128);
  bool found = false;
  for (const emu::Report &report : kernel.run(data))
    found |= (report.kind == emu::ReportKind::Race ||
              report.kind == emu::ReportKind::Unwritten) &&
             report.message.find("turn / take") != std::string::npos;
  EXPECT_TRUE(found);
}

TEST(GpuToEmulator, AccessesOutOfBoundsSayWhere) {
  Kernel kernel(turn("gpu.barrier", 1)); // the last thread, one word too far
  std::vector<int32_t> data = counting(128);
  std::vector<emu::Report> reports = kernel.run(data);
  bool found = false;
  for (const emu::Report &report : reports)
    found |= report.kind == emu::ReportKind::OutOfBounds &&
             report.message.find("turn / store") != std::string::npos;
  EXPECT_TRUE(found);
}

/// data[t] = sums[0] of a product of rows of ones by \p columns columns of
/// ones.
std::string multiply(const char *product) {
  return std::string(R"(
func.func @k(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %ones = arith.constant 16843009 : i32
  %zero = arith.constant 0 : i32
  %ones64 = arith.constant 72340172838076673 : i64
  %sums = arith.constant dense<3> : vector<4xi32>
  %three = arith.constant 3 : i32
  %ti = gpu.thread_id x
  %t = arith.index_cast %ti : index to i64
  %data = llvm.load %args : !llvm.ptr<1> -> !llvm.ptr<1>
  )") + product +
         R"(
  %to = llvm.getelementptr %data[%t] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i32
  llvm.store %r, %to : i32, !llvm.ptr<1>
  return
})";
}

void expectProduct(const char *product, int64_t lanes, int32_t sum) {
  Kernel kernel(multiply(product));
  std::vector<int32_t> data(64);
  for (const emu::Report &report : kernel.run(data, 1, lanes))
    ADD_FAILURE() << report.message;
  for (int32_t value : data)
    EXPECT_EQ(value, sum);
}

TEST(GpuToEmulator, MatrixInstructionsOfBothVendorsMultiply) {
  expectProduct(R"(
  %d = nvvm.mma.sync A[%ones, %ones, %ones, %ones] B[%ones, %ones]
      C[%three, %three, %three, %three]
      {intOverflowBehavior = #nvvm.mma_int_overflow<wrapped>,
       layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>,
       multiplicandAPtxType = #nvvm.mma_type<s8>,
       multiplicandBPtxType = #nvvm.mma_type<s8>, shape = #nvvm.shape<m = 16, n = 8, k = 32>}
      : (i32, i32, i32) -> !llvm.struct<(i32, i32, i32, i32)>
  %r = llvm.extractvalue %d[3] : !llvm.struct<(i32, i32, i32, i32)>)",
                32, 32 + 3);
  expectProduct(R"(
  %d = rocdl.mfma.i32.16x16x32.i8 %ones64, %ones64, %sums, %zero, %zero, %zero
      : (i64, i64, vector<4xi32>, i32, i32, i32) -> vector<4xi32>
  %r = vector.extract %d[2] : i32 from vector<4xi32>)",
                64, 32 + 3);
}
} // namespace
