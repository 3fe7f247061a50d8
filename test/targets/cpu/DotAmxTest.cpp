// AMX without AMX: the tile instructions of a kernel are exchanged for calls of
// functions that do on plain memory what Intel's manual says of them. That LLVM
// makes the real instructions of them is looked up in its assembly.
#include "targets/cpu/kernels/Dot.h"
#include "test/targets/cpu/DotData.h"
#include "test/targets/cpu/KernelRunner.h"
#include <cstring>
#include <gtest/gtest.h>

using namespace quartet;
using namespace quartet::test;
using Matmul = void(const uint8_t *, int64_t, const uint8_t *, int64_t, int64_t,
                    int64_t, float *, int64_t);

namespace {
/// A tile register: up to 16 rows of 64 bytes.
struct Tile {
  alignas(64) uint8_t bytes[16][64] = {};
};
/// All tiles of a run; kernels name them by their addresses.
std::vector<std::unique_ptr<Tile>> tiles;
Tile *newTile() {
  tiles.push_back(std::make_unique<Tile>());
  return tiles.back().get();
}
Tile *modelZero(int16_t, int16_t) { return newTile(); }
Tile *modelLoad(int16_t rows, int16_t bytes, const uint8_t *from,
                int64_t stride) {
  Tile *tile = newTile();
  for (int r = 0; r < rows; ++r)
    std::memcpy(tile->bytes[r], from + r * stride, bytes);
  return tile;
}
/// sum[m][n] += sum over k, i of signed x[m][4 k + i] * unsigned w[k][4 n + i]
Tile *modelMultiply(int16_t rows, int16_t bytes, int16_t depth, const Tile *sum,
                    const Tile *x, const Tile *w) {
  Tile *result = newTile();
  for (int m = 0; m < rows; ++m)
    for (int n = 0; n < bytes / 4; ++n) {
      int32_t total;
      std::memcpy(&total, &sum->bytes[m][4 * n], 4);
      for (int k = 0; k < depth; ++k)
        total += int32_t(int8_t(x->bytes[m][k])) *
                 int32_t(w->bytes[k / 4][4 * n + k % 4]);
      std::memcpy(&result->bytes[m][4 * n], &total, 4);
    }
  return result;
}
void modelStore(int16_t rows, int16_t bytes, uint8_t *to, int64_t stride,
                const Tile *tile) {
  for (int r = 0; r < rows; ++r)
    std::memcpy(to + r * stride, tile->bytes[r], bytes);
}
} // namespace

/// Makes calls of the tile intrinsics of \p runner's kernels; returns how many.
static int exchangeIntrinsics(KernelRunner &runner) {
  auto define = [&](const char *name, auto *function) {
    runner.define(name, reinterpret_cast<void (*)()>(function));
  };
  define("llvm_x86_tilezero_internal", &modelZero);
  define("llvm_x86_tileloadd64_internal", &modelLoad);
  define("llvm_x86_tdpbsud_internal", &modelMultiply);
  define("llvm_x86_tilestored64_internal", &modelStore);
  mlir::Type pointer = runner.k().ptr();
  llvm::SmallVector<mlir::LLVM::CallIntrinsicOp> found;
  runner.kernels().walk([&](mlir::LLVM::CallIntrinsicOp op) {
    if (op.getIntrin().ends_with(".internal"))
      found.push_back(op);
  });
  for (mlir::LLVM::CallIntrinsicOp op : found) {
    std::string name = op.getIntrin().str();
    std::replace(name.begin(), name.end(), '.', '_');
    mlir::OpBuilder b(op);
    llvm::SmallVector<mlir::Type> results(op->getNumResults(), pointer), types;
    for (mlir::Value argument : op.getArgs()) // a tile may not be exchanged yet
      types.push_back(mlir::isa<mlir::LLVM::LLVMX86AMXType>(argument.getType())
                          ? pointer
                          : argument.getType());
    if (!runner.kernels().lookupSymbol(name)) {
      mlir::OpBuilder top =
          mlir::OpBuilder::atBlockBegin(runner.kernels().getBody());
      mlir::func::FuncOp::create(top, op.getLoc(), name,
                                 b.getFunctionType(types, results))
          .setPrivate();
    }
    auto call =
        mlir::func::CallOp::create(b, op.getLoc(), name, results, op.getArgs());
    op->replaceAllUsesWith(call.getResults());
    op->erase();
  }
  return found.size();
}

TEST(DotAmx, ModelOfTiles) {
  if (KernelRunner::hostIsa().byteDot != cpu::ByteDot::Vnni)
    GTEST_SKIP() << "this machine has no VNNI, which AMX's leftovers need";
  cpu::Isa isa = KernelRunner::hostIsa();
  isa.amxInt8 = true;
  for (const char *text :
       {"int4:64", "int8:16", "int8:32:point", "int8:128", "int4:32:min",
        "int4:128:e2m1", "int6:16", "int6:64:point"}) {
    SCOPED_TRACE(text);
    tiles.clear();
    KernelRunner runner(isa);
    PackedFormat format = *PackedFormat::parse(text);
    std::string name = runner.add(matmulKernel(runner.k(), format));
    ASSERT_GT(exchangeIntrinsics(runner), 0);
    constexpr int64_t kTokens = 34, kRows = 48, kColumns = 200;
    std::mt19937 random(9);
    PackedMatrix matrix(format, kRows, kColumns, random);
    StagedRows rows(format, kTokens, kColumns, random);
    std::vector<float> out(kTokens * kRows);
    runner.get<Matmul>(name)(matrix.bytes.data(), 3, rows.bytes.data(),
                             rows.stride, matrix.paddedColumns, kTokens,
                             out.data(), kRows * 4);
    EXPECT_FALSE(tiles.empty());
    for (int64_t t = 0; t < kTokens; ++t)
      for (int64_t r = 0; r < kRows; ++r)
        ASSERT_EQ(out[t * kRows + r], plainDot(matrix, rows, r, t))
            << "token " << t << ", row " << r;
  }
}

static std::string assemblyFor(const char *triple, const char *cpu) {
  return kernelAssembly(triple, cpu, [](cpu::KernelBuilder &k) {
    matmulKernel(k, *PackedFormat::parse("int4:64"));
  });
}

// The instruction that each CPU is there for.
TEST(DotAssembly, Instructions) {
  auto has = [](const std::string &text, const char *instruction) {
    return text.find(instruction) != std::string::npos;
  };
  std::string amx = assemblyFor("x86_64-unknown-linux-gnu", "sapphirerapids");
  EXPECT_TRUE(has(amx, "tdpbsud"));
  EXPECT_TRUE(has(amx, "tileloadd"));
  EXPECT_TRUE(has(amx, "ldtilecfg"));
  EXPECT_TRUE(has(amx, "vpdpbusd"));
  std::string vnni = assemblyFor("x86_64-unknown-linux-gnu", "znver4");
  EXPECT_TRUE(has(vnni, "vpdpbusd"));
  EXPECT_TRUE(has(vnni, "{1to16}")); // activations straight from memory
  EXPECT_FALSE(has(vnni, "tdpbsud"));
  EXPECT_TRUE(
      has(assemblyFor("x86_64-unknown-linux-gnu", "haswell"), "vpmaddubsw"));
  EXPECT_TRUE(
      has(assemblyFor("aarch64-unknown-linux-gnu", "neoverse-n1"), "sdot"));
}
