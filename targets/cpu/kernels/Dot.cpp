// Names and arguments of the kernels, and the loops around them.
#include "targets/cpu/kernels/Dot.h"
#include "targets/cpu/kernels/DotParts.h"
#include "targets/cpu/kernels/DotUnpack.h"

using namespace quartet;
using namespace quartet::cpu;

/// How far ahead of its use a line is asked for.
static constexpr int64_t kPrefetchBytes = 4096;
/// Blocks of up to this many tokens wait for memory, larger ones compute.
static constexpr int kPrefetchTokens = 4;

V cpu::alignTo64(V size) { return (size + 63) & int64_t(-64); }

PanelOffsets::PanelOffsets(KernelBuilder &k, const PackedFormat &format,
                           V columns) {
  zeros = values = k.i64(0);
  if (!format.group)
    return;
  groups = columns / int64_t(format.group);
  int64_t scale = scaleBytes(format.scale);
  int64_t zero = format.zero == ZeroKind::None    ? 0
                 : format.zero == ZeroKind::Point ? 1
                                                  : scale;
  zeros = alignTo64(groups * (kPanelRows * scale));
  values = zeros + alignTo64(groups * (kPanelRows * zero));
}

V cpu::panelBytes(KernelBuilder &k, const PackedFormat &format, V columns) {
  return PanelOffsets(k, format, columns).values +
         columns / columnsPerLine(format.value) * kPanelAlign;
}

V cpu::stagedRow(const DotBlock &block, int token) {
  return block.rows + block.rowStride * int64_t(token);
}

void cpu::prefetchAhead(KernelBuilder &k, const DotBlock &block, V line) {
  if (block.tokens <= kPrefetchTokens)
    k.prefetch(line + kPrefetchBytes);
}

/// The format as part of a function's name.
static std::string symbol(const PackedFormat &format) {
  std::string text = format.str();
  std::replace(text.begin(), text.end(), ':', '_');
  return text;
}

llvm::ArrayRef<int> cpu::tokenBlocks(const Isa &isa,
                                     const PackedFormat &format) {
  static constexpr int kWide[] = {12, 4, 2, 1}, kNarrow[] = {4, 2, 1};
  if (isa.lanes == 16)
    return kWide;
  return kNarrow;
}

mlir::func::FuncOp cpu::dotKernel(KernelBuilder &k, const PackedFormat &format,
                                  int tokens) {
  std::string name = "dot_" + symbol(format) + "_t" + std::to_string(tokens);
  return k.function(name, "ppiipi", [&](llvm::ArrayRef<V> a) {
    DotBlock block{format, tokens, 1, a[0], {}, a[1], a[2], a[3], a[4], a[5]};
    format.isInteger() ? emitIntegerDot(k, block) : emitFloatDot(k, block);
  });
}

void cpu::emitMatmul(KernelBuilder &k, const PackedFormat &format, V panels,
                     V panelCount, V panelBytes, V rows, V rowStride, V columns,
                     V tokens, V out, V outStride) {
  // Panels outside: one stays in the cache while all tokens meet it.
  k.loop(panelCount, [&](V p) {
    V panel = panels + p * panelBytes;
    V results = out + p * (kPanelRows * 4);
    V done = k.i64(0);
    for (int size : tokenBlocks(k.machine, format)) {
      V whole = (tokens - done) / int64_t(size) * int64_t(size);
      V end = done + whole;
      auto kernel = dotKernel(k, format, size);
      k.loop(done, end, size, [&](V t) {
        k.call(kernel, {panel, rows + t * rowStride, rowStride, columns,
                        results + t * outStride, outStride});
      });
      done = end;
    }
  });
}

mlir::func::FuncOp cpu::matmulKernel(KernelBuilder &k,
                                     const PackedFormat &format) {
  return k.function(
      "matmul_" + symbol(format), "pipiiipi", [&](llvm::ArrayRef<V> a) {
        emitMatmul(k, format, a[0], a[1], panelBytes(k, format, a[4]), a[2],
                   a[3], a[4], a[5], a[6], a[7]);
      });
}
