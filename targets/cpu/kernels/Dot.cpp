// Names and arguments of the kernels, and the loops around them.
#include "targets/cpu/kernels/Dot.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "targets/cpu/kernels/DotParts.h"
#include "targets/cpu/kernels/DotUnpack.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::cpu;

/// Blocks of up to this many tokens wait for memory; they read one panel.
static constexpr int kFewTokens = 4;
/// How far ahead of its use they ask for a line: early enough for memory, and a
/// second time because a Zen 5 drops requests while its queues are full. One
/// token of int4 then runs at 90 to 100 % of the speed of a plain read; with
/// the first request alone at 78 %, with none at 55 %.
static constexpr int64_t kFarBytes = 8192, kNearBytes = 6144;

/// Into how many parts blocks divide that, at most: a power of two.
static constexpr int64_t kAheadParts = 4;

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
         columns / unitColumns(format.value) *
             (unitLines(format.value) * kPanelAlign);
}

llvm::SmallVector<V> cpu::stagedRows(const DotBlock &block) {
  llvm::SmallVector<V> rows;
  for (int64_t t = 0; t < block.tokens; ++t)
    rows.push_back(block.rows + block.rowStride * t);
  return rows;
}

llvm::SmallVector<V> cpu::panelsOf(const DotBlock &block) {
  llvm::SmallVector<V> panels{block.panel};
  for (int64_t p = 1; p < block.panels; ++p)
    panels.push_back(block.panel + block.panelBytes * p);
  return panels;
}

void cpu::storeTotals(KernelBuilder &k, const DotBlock &block,
                      llvm::ArrayRef<V> totals) {
  for (int64_t i = 0; i < int64_t(totals.size()); ++i)
    k.store(totals[i], block.out + block.outStride * (i / block.panels) +
                           i % block.panels * (kPanelRows * 4));
}

void cpu::prefetchAhead(KernelBuilder &k, const DotBlock &block, V line) {
  if (block.tokens <= kFewTokens) {
    k.prefetch(line + kFarBytes, /*locality=*/3);
    k.prefetch(line + kNearBytes, /*locality=*/3);
  } else if (block.panels > 1) {
    // Each line again and again when the part is smaller than the panels.
    auto address = [&](V pointer) {
      return LLVM::PtrToIntOp::create(k.b, k.i64(), pointer.get()).getResult();
    };
    V done = k.wrap(address(line)) - k.wrap(address(block.panel));
    V shifted =
        k.wrap(arith::ShRUIOp::create(k.b, done.get(), block.aheadShift.get()));
    k.prefetch(block.ahead + shifted, /*locality=*/3);
  }
}

/// The format as part of a function's name.
static std::string symbol(const PackedFormat &format) {
  std::string text = format.str();
  std::replace(text.begin(), text.end(), ':', '_');
  return text;
}

llvm::ArrayRef<int> cpu::tokenBlocks(const Isa &isa,
                                     const PackedFormat &format) {
  // Measured on a Zen 5. 8 tokens of two panels fill 16 of 32 registers with
  // int32 and keep 85 to 93 % of the multipliers busy with int8, all with f32;
  // 12 of one panel reach 80 %, 16 of two spill. An expert has some 16 tokens
  // of a step of 512, so what eights leave over is a block of its own: 4 + 2 +
  // 1 would unpack the weights three times. Of 16 registers, operands of four
  // parts leave room for two tokens.
  static constexpr int kTiles[] = {16, 8, 4, 2, 1};
  static constexpr int kWide[] = {8, 7, 6, 5, 4, 3, 2, 1},
                       kNarrow[] = {4, 2, 1}, kNarrowest[] = {2, 1};
  if (usesTiles(isa, format, 16))
    return kTiles;
  if (isa.lanes == 16)
    return kWide;
  bool inFourParts =
      format.value == ValueType::INT8 || format.codebook == Codebook::IQ4NL;
  if (isa.byteDot == ByteDot::Avx2 && inFourParts)
    return kNarrowest;
  return kNarrow;
}

int cpu::panelsTogether(const Isa &isa, const PackedFormat &format,
                        int tokens) {
  return tokens > kFewTokens ? 2 : 1;
}

mlir::func::FuncOp cpu::dotKernel(KernelBuilder &k, const PackedFormat &format,
                                  int tokens, int panels) {
  std::string name = "dot_" + symbol(format) + "_t" + std::to_string(tokens);
  if (panels > 1)
    name += "_p" + std::to_string(panels);
  bool several = panels > 1;
  std::string arguments = several ? "ppiipipi" : "ppiipi";
  return k.function(name, arguments, [&](llvm::ArrayRef<V> a) {
    V bytes = several ? panelBytes(k, format, a[3]) : V();
    DotBlock block{format, tokens, panels, a[0], bytes, a[1],
                   a[2],   a[3],   a[4],   a[5], V(),   V()};
    if (several) {
      block.ahead = a[6];
      block.aheadShift = a[7];
    }
    format.isInteger() ? emitIntegerDot(k, block) : emitFloatDot(k, block);
  });
}

void cpu::emitMatmul(KernelBuilder &k, const PackedFormat &format, V panels,
                     V panelCount, V panelBytes, V rows, V rowStride, V columns,
                     V tokens, V out, V outStride, V next) {
  llvm::SmallVector<int> paired, single;
  for (int size : tokenBlocks(k.machine, format))
    (panelsTogether(k.machine, format, size) > 1 ? paired : single)
        .push_back(size);
  int64_t most = paired.empty() ? 1 : paired.front();
  /// Panel \p p (and the next, when \p sizes are of pairs) times the tokens
  /// from \p first on in blocks of \p sizes; returns where the last one ends.
  auto blocks = [&](V p, llvm::ArrayRef<int> sizes, V first, V ahead,
                    V aheadShift) {
    for (int size : sizes) {
      V end = first + (tokens - first) / int64_t(size) * int64_t(size);
      auto kernel =
          dotKernel(k, format, size, panelsTogether(k.machine, format, size));
      k.loop(first, end, size, [&](V t) {
        llvm::SmallVector<V> arguments = {panels + p * panelBytes,
                                          rows + t * rowStride,
                                          rowStride,
                                          columns,
                                          out + p * (kPanelRows * 4) +
                                              t * outStride,
                                          outStride};
        if (ahead) {
          V part = t / int64_t(most) * (panelBytes * 2);
          arguments.push_back(ahead + k.wrap(arith::ShRUIOp::create(
                                          k.b, part.get(), aheadShift.get())));
          arguments.push_back(aheadShift);
        }
        k.call(kernel, arguments);
      });
      first = end;
    }
    return first;
  };
  // Panels outside: they stay in the cache while all tokens meet them.
  V inPairs = k.i64(0);
  if (!paired.empty()) {
    inPairs = panelCount / 2 * int64_t(2);
    // The blocks share the work of asking for the next panels: memory could
    // not answer the first one alone, and a Zen 5 drops what is too much.
    V shift = k.i64(0);
    V blocksOfPairs = (tokens + (most - paired.back())) / most;
    for (int64_t parts = 2; parts <= kAheadParts; parts *= 2)
      shift = k.select(blocksOfPairs >= parts, shift + 1, shift);
    k.loop(k.i64(0), inPairs, 2, [&](V p) {
      V ahead = panels + (p + 2) * panelBytes;
      if (next)
        ahead = k.select(p + 2 < inPairs, ahead, next);
      V rest = blocks(p, paired, k.i64(0), ahead, shift);
      k.loop(p, p + 2, 1,
             [&](V each) { blocks(each, single, rest, V(), V()); });
    });
  }
  k.loop(inPairs, panelCount, 1,
         [&](V p) { blocks(p, single, k.i64(0), V(), V()); });
}

mlir::func::FuncOp
cpu::matmulKernel(KernelBuilder &k, const PackedFormat &format, bool followed) {
  std::string name = (followed ? "matmul_on_" : "matmul_") + symbol(format);
  std::string arguments = followed ? "pipiiipip" : "pipiiipi";
  return k.function(name, arguments, [&](llvm::ArrayRef<V> a) {
    emitMatmul(k, format, a[0], a[1], panelBytes(k, format, a[4]), a[2], a[3],
               a[4], a[5], a[6], a[7], followed ? a[8] : V());
  });
}
