// What becomes of a matrix product in machine code: weights come in loads of 16
// bytes, matrix instructions multiply them, and registers do not spill.
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "targets/Chips.h"
#include "targets/gpu/DeviceTarget.h"
#include "targets/gpu/VendorPasses.h"
#include "targets/gpu/kernels/WideMatmul.h"
#include <gtest/gtest.h>

using namespace quartet;
using gpu::DeviceBuilder;

static llvm::ExitOnError check("code of a matrix product: ");

namespace {
/// The code of one product of 4 panels of 2048 columns (of 8 with matmulWide),
/// for up to `rows` rows, which are split into `parts` if not 0.
struct Code {
  Code(llvm::StringRef chip, const char *format, int64_t rows,
       bool wide = false, int parts = 0);
  std::string assembly;
  std::vector<gpu::KernelReport> reports; ///< none without an assembler
  gpu::GpuFacts facts;
};
} // namespace

Code::Code(llvm::StringRef chip, const char *format, int64_t rows, bool wide,
           int parts)
    : facts(check(findGpuFacts(chip))) {
  if (parts)
    facts.activationParts = parts;
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  mlir::DialectRegistry registry;
  gpu::registerDeviceDialects(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  mlir::Location location = mlir::UnknownLoc::get(&context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(location);
  DeviceBuilder k(*module, location, facts);
  auto body = [&](V args, V count) {
    auto argument = [&](int64_t i) {
      return k.load(k.ptr(gpu::kGlobalSpace), args, i * 8);
    };
    int64_t panels = wide ? 8 : 4;
    V acc = k.shared(panels * 64 * rows);
    gpu::WeightsOperand weights = {argument(0), k.i64(panels)};
    gpu::RowsOperand staged = {argument(1), k.i64(8192), count, V(), parts};
    PackedFormat packed = *PackedFormat::parse(format);
    V stride = k.i64(panels * 64);
    if (wide)
      EXPECT_TRUE(gpu::matmulWide(k, packed, 2048, weights, panels, staged,
                                  rows, acc, stride));
    else
      gpu::matmul(k, packed, 2048, weights, panels, staged, rows, acc, stride);
    k.forThreads(count * (panels * 16), [&](V i) {
      k.store(k.load(k.f32(), acc, i * 4), argument(2), i * 4);
    });
  };
  k.kernel("product", body, wide && gpu::wideNeedsUnit(facts));
  auto target = check(gpu::createDeviceTarget(facts));
  mlir::PassManager passes(&context);
  target->buildPipeline(passes);
  if (mlir::failed(passes.run(*module)))
    check(llvm::createStringError("the lowering fails"));
  mlir::OwningOpRef<mlir::ModuleOp> copy(module->clone());
  assembly = check(target->emitAssembly(*copy));
  reports = check(target->emitImages(*module)).kernels;
  if (const char *folder = std::getenv("QUARTET_TEST_KEEP")) {
    std::string name = (chip + "_" + format + "_" + std::to_string(rows) +
                        (wide ? "_wide" : ""))
                           .str();
    std::error_code error;
    llvm::raw_fd_ostream file(std::string(folder) + "/" + name + ".s", error);
    file << assembly;
    for (const gpu::KernelReport &report : reports)
      llvm::errs() << name << ": " << report.registers << " registers, "
                   << report.spillBytes << " bytes spilled, "
                   << report.codeBytes << " bytes of code\n";
  }
}

static size_t countOf(llvm::StringRef text, llvm::StringRef what) {
  return text.count(what);
}

static void expectNoSpills(const Code &code, int64_t mostSpilled = 0) {
  for (const gpu::KernelReport &report : code.reports) {
    EXPECT_LE(report.spillBytes, mostSpilled) << code.facts.name;
    EXPECT_LE(report.registers, code.facts.registers) << code.facts.name;
  }
}

// 256 columns of a warp are 8 loads of 32 columns, all in flight together.
TEST(DeviceMatmulCode, Hopper) {
  Code code("sm_90a", "int4:64", 8);
  EXPECT_GE(countOf(code.assembly, "ld.global.nc.v4"), 8u);
  EXPECT_GE(countOf(code.assembly, "mma.sync.aligned.m16n8k32"), 16u);
  expectNoSpills(code);
  Code floats("sm_90a", "bf16", 8);
  EXPECT_GE(countOf(floats.assembly, "mma.sync.aligned.m16n8k16"), 24u);
  expectNoSpills(floats);
}

TEST(DeviceMatmulCode, ManyRows) {
  for (const char *chip : {"sm_90a", "gfx942"})
    for (const char *format : {"int4:64", "int8:128", "bf16"})
      expectNoSpills(Code(chip, format, 64), /*mostSpilled=*/64);
}

static void expectWide(llvm::StringRef chip, const char *format,
                       const char *copy, const char *product,
                       int64_t mostSpilled, int64_t tokens = 64) {
  Code code(chip, format, tokens, /*wide=*/true);
  EXPECT_GE(countOf(code.assembly, copy), 3u);
  EXPECT_GE(countOf(code.assembly, product), 8u) << format;
  for (const gpu::KernelReport &report : code.reports) {
    EXPECT_LE(report.spillBytes, mostSpilled) << chip.str() << ", " << format;
    EXPECT_EQ(report.plannedBlocks, code.facts.blocksPerUnit > 1 ? 1 : 0);
    EXPECT_EQ(gpu::residentBlocks(code.facts, report), 1);
  }
}

TEST(DeviceMatmulCode, Wide) {
  for (const char *format : {"int4:64", "int8:128", "int4:32:min"}) {
    bool plain = llvm::StringRef(format) != "int4:32:min";
    expectWide("sm_90a", format, "cp.async.bulk.shared::cluster.global",
               "wgmma.mma_async.sync.aligned.m64n64k32.s32.s8.s8",
               plain ? 16 : 64);
    expectWide("sm_80", format, "cp.async.cg.shared.global",
               "mma.sync.aligned.m16n8k32", 128);
  }
}

TEST(DeviceMatmulCode, WideFloats) {
  for (const char *format : {"bf16", "fp8:128:f32"}) {
    expectWide("sm_90a", format, "cp.async.bulk.shared::cluster.global",
               "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16", 0);
    expectWide("sm_80", format, "cp.async.cg.shared.global",
               "mma.sync.aligned.m16n8k16", 0);
  }
  // Twice the tokens have registers as well.
  expectWide("sm_90a", "bf16", "cp.async.bulk.shared::cluster.global",
             "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16", 32, 128);
  // Narrow slabs, which fit beside the results.
  expectWide("sm_89", "bf16", "cp.async.cg.shared.global",
             "mma.sync.aligned.m16n8k16", 0);
}

// What is split already needs no arithmetic, and of one part half of the
// products.
TEST(DeviceMatmulCode, SplitRows) {
  Code floats("sm_90a", "bf16", 64, true), two("sm_90a", "bf16", 64, true, 2),
      one("sm_90a", "bf16", 64, true, 1);
  const char *product = "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16";
  EXPECT_EQ(countOf(two.assembly, product), countOf(floats.assembly, product));
  EXPECT_EQ(2 * countOf(one.assembly, product), countOf(two.assembly, product));
  const char *subtraction = "sub.rn.f32";
  EXPECT_GT(countOf(floats.assembly, subtraction), 0u);
  for (const Code *code : {&two, &one}) {
    EXPECT_EQ(countOf(code->assembly, subtraction), 0u);
    for (const gpu::KernelReport &report : code->reports)
      EXPECT_EQ(report.spillBytes, 0);
  }
}

/// By waves that share rows: those come through registers, as the weights do.
static void expectShared(llvm::StringRef chip, const char *format,
                         const char *load, const char *read,
                         const char *product, int64_t mostSpilled) {
  Code code(chip, format, 64, /*wide=*/true);
  EXPECT_GE(countOf(code.assembly, load), 4u) << format;
  EXPECT_GE(countOf(code.assembly, read), 4u) << format;
  EXPECT_GE(countOf(code.assembly, product), 16u) << format;
  expectNoSpills(code, mostSpilled);
  // As many blocks fit as without wide products.
  for (const gpu::KernelReport &report : code.reports) {
    EXPECT_EQ(report.plannedBlocks, 0) << chip.str() << ", " << format;
    EXPECT_GE(gpu::residentBlocks(code.facts, report),
              code.facts.blocksPerUnit);
  }
}

TEST(DeviceMatmulCode, WideAmd) {
  for (const char *format : {"int4:64", "int8:128", "int4:32:min"}) {
    expectShared("gfx942", format, "global_load_dwordx4", "ds_read",
                 "v_mfma_i32_16x16x32_i8", 0);
    expectShared("gfx1100", format, "global_load_b128", "ds_load",
                 "v_wmma_i32_16x16x16_iu8", 64);
  }
  for (const char *format : {"bf16", "fp8:128:f32"}) {
    expectShared("gfx942", format, "global_load_dwordx4", "ds_read",
                 "v_mfma_f32_16x16x16_bf16", 0);
    expectShared("gfx1100", format, "global_load_b128", "ds_load",
                 "v_wmma_f32_16x16x16_bf16",
                 llvm::StringRef(format) == "bf16" ? 0 : 192);
  }
}

TEST(DeviceMatmulCode, Amd) {
  Code code("gfx942", "int4:64", 8);
  EXPECT_GE(countOf(code.assembly, "global_load_dwordx4"), 8u);
  EXPECT_GE(countOf(code.assembly, "v_mfma_i32_16x16x32_i8"), 32u);
  expectNoSpills(code);
  Code rdna("gfx1100", "int4:64", 8);
  EXPECT_GE(countOf(rdna.assembly, "v_wmma_i32_16x16x16_iu8"), 16u);
  expectNoSpills(rdna);
}
