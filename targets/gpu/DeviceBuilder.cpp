// Threads, warps and blocks in terms of the upstream gpu dialect, which each
// vendor's conversion knows.
#include "targets/gpu/DeviceBuilder.h"
#include "dialects/Tile/StagedRow.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::SmallVector;

DeviceBuilder::DeviceBuilder(ModuleOp module, Location loc,
                             const GpuFacts &machine)
    : CodeBuilder(module, loc), machine(machine) {
  if (module.lookupSymbol(kSharedSymbol))
    return;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(module.getBody());
  LLVM::GlobalOp::create(b, LLVM::LLVMArrayType::get(i8(), 0),
                         /*isConstant=*/false, LLVM::Linkage::External,
                         kSharedSymbol, Attribute(), kSharedAlign,
                         kSharedSpace);
}

func::FuncOp DeviceBuilder::entry(llvm::StringRef name, bool lone,
                                  llvm::function_ref<void(V, V)> body) {
  sharedUsed = sharedMost = 0;
  alone = lone && machine.blocksPerUnit > 1;
  Type global = ptr(kGlobalSpace);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(module.getBody());
  auto func = func::FuncOp::create(
      b, name, b.getFunctionType({global, i64(), global}, {}));
  b.setInsertionPointToStart(func.addEntryBlock());
  auto asI64 = [&](Value index) {
    return wrap(arith::IndexCastOp::create(b, i64(), index));
  };
  threadIndex =
      asI64(mlir::gpu::ThreadIdOp::create(b, mlir::gpu::Dimension::x));
  blockIndex = asI64(mlir::gpu::BlockIdOp::create(b, mlir::gpu::Dimension::x));
  blockCount = asI64(mlir::gpu::GridDimOp::create(b, mlir::gpu::Dimension::x));
  laneIndex = threadIndex & (machine.lanes - 1);
  warpIndex = threadIndex >> int(llvm::Log2_64(uint64_t(machine.lanes)));
  sharedBase =
      wrap(LLVM::AddressOfOp::create(b, ptr(kSharedSpace), kSharedSymbol));
  stampBase = wrap(func.getArgument(2));
  body(wrap(func.getArgument(0)), wrap(func.getArgument(1)));
  func::ReturnOp::create(b);
  func->setAttr(kSharedBytesAttr, b.getI64IntegerAttr(sharedMost));
  if (alone)
    func->setAttr(kBlocksPerUnitAttr, b.getI64IntegerAttr(1));
  return func;
}

func::FuncOp DeviceBuilder::kernel(llvm::StringRef name,
                                   llvm::function_ref<void(V, V)> body,
                                   bool lone) {
  func::FuncOp func = entry(name, lone, body);
  func->setAttr(kKernelAttr, b.getUnitAttr());
  return func;
}

func::FuncOp DeviceBuilder::phase(llvm::StringRef name,
                                  llvm::function_ref<void(V, V)> body,
                                  bool lone) {
  func::FuncOp func = entry(name, lone, body);
  func.setPrivate();
  func->setAttr(kPhaseAttr, b.getUnitAttr());
  func->setAttr("llvm.linkage", LLVM::LinkageAttr::get(
                                    b.getContext(), LLVM::Linkage::Internal));
  func->setAttr("passthrough", b.getStrArrayAttr({"noinline", "norecurse"}));
  return func;
}

void DeviceBuilder::callPhase(func::FuncOp phase, V args, V layer, V stamps) {
  call(phase, {args, layer, stamps});
  int64_t bytes = phase->getAttrOfType<IntegerAttr>(kSharedBytesAttr).getInt();
  sharedMost = std::max(sharedMost, bytes);
}

void DeviceBuilder::setSite(llvm::StringRef name) {
  b.setLoc(NameLoc::get(b.getStringAttr(name)));
}

V DeviceBuilder::wantsStamps() {
  Value null = LLVM::ZeroOp::create(b, stampBase.type());
  return wrap(
      LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::ne, stampBase.get(), null));
}

V DeviceBuilder::clock() {
  return intrinsic("llvm.readsteadycounter", i64(), {});
}

void DeviceBuilder::barrier() { mlir::gpu::BarrierOp::create(b); }

void DeviceBuilder::releaseBarrier() {
  auto barrier = mlir::gpu::BarrierOp::create(b);
  barrier->setAttr(kBarrierOrderAttr, b.getStringAttr("release"));
}
void DeviceBuilder::acquireBarrier() {
  auto barrier = mlir::gpu::BarrierOp::create(b);
  barrier->setAttr(kBarrierOrderAttr, b.getStringAttr("acquire"));
}

/// LLVM's name of the scope of the whole device.
static llvm::StringRef scopeOf(const GpuFacts &machine) {
  return machine.vendor == Vendor::Amd ? "agent" : "device";
}

V DeviceBuilder::addCounter(V pointer, V value, LLVM::AtomicOrdering ordering) {
  auto op = LLVM::AtomicRMWOp::create(b, LLVM::AtomicBinOp::add, pointer.get(),
                                      value.get(), ordering, scopeOf(machine),
                                      /*alignment=*/4);
  op->setAttr(kByBarriersAttr, b.getUnitAttr());
  return wrap(op);
}

V DeviceBuilder::readCounter(V pointer) {
  auto op = LLVM::LoadOp::create(b, i32(), pointer.get(), /*alignment=*/4);
  op.setOrdering(LLVM::AtomicOrdering::acquire);
  op.setSyncscope(scopeOf(machine));
  op->setAttr(kByBarriersAttr, b.getUnitAttr());
  return wrap(op);
}

void DeviceBuilder::pause() {
  constexpr int32_t kSleep = 2; // some 128 cycles, as AMD's grid barrier has it
  if (machine.vendor == Vendor::Amd)
    ROCDL::SSleepOp::create(b, kSleep);
}

void DeviceBuilder::groupBarrier() {
  // Barrier 0 is the block's.
  V number = truncate(warp() / kGroupWarps + 1, i32());
  NVVM::BarrierOp::create(b, TypeRange(), number.get(),
                          i32(kGroupWarps * machine.lanes).get(),
                          NVVM::BarrierReductionAttr(), Value());
}

void DeviceBuilder::forThreads(V count, Body1 body) {
  loop(thread(), count, machine.threads, body);
}
void DeviceBuilder::forThreads(int64_t count, Body1 body) {
  if (count % machine.threads == 0 && count <= 4 * machine.threads) {
    for (int64_t i = 0; i < count; i += machine.threads)
      body(thread() + i);
    return;
  }
  forThreads(i64(count), body);
}
void DeviceBuilder::forWarps(V count, Body1 body) {
  loop(warp(), count, machine.warps(), body);
}
void DeviceBuilder::forLanes(V count, Body1 body) {
  loop(lane(), count, machine.lanes, body);
}
void DeviceBuilder::onFirstThread(llvm::function_ref<void()> body) {
  ifThen(thread() == 0, body);
}

V DeviceBuilder::shuffleXor(V value, int64_t mask) {
  return wrap(mlir::gpu::ShuffleOp::create(b, value.get(), int32_t(mask),
                                           int32_t(machine.lanes),
                                           mlir::gpu::ShuffleMode::XOR)
                  .getShuffleResult());
}
V DeviceBuilder::shuffleIndex(V value, V lane) {
  V width = i32(machine.lanes);
  return wrap(
      mlir::gpu::ShuffleOp::create(b, value.get(), truncate(lane, i32()).get(),
                                   width.get(), mlir::gpu::ShuffleMode::IDX)
          .getShuffleResult());
}

V DeviceBuilder::warpSum(V value) {
  for (int64_t mask = machine.lanes / 2; mask > 0; mask /= 2)
    value = value + shuffleXor(value, mask);
  return value;
}
V DeviceBuilder::warpMax(V value) {
  for (int64_t mask = machine.lanes / 2; mask > 0; mask /= 2)
    value = max(value, shuffleXor(value, mask));
  return value;
}

V DeviceBuilder::shared(int64_t bytes, int64_t align) {
  sharedUsed = llvm::alignTo(sharedUsed, align);
  V piece = gep(sharedBase, i64(sharedUsed));
  sharedUsed += tile::alignTo64(bytes);
  sharedMost = std::max(sharedMost, sharedUsed);
  return piece;
}

void DeviceBuilder::copyAsync(V to, V from, int64_t bytes, V valid) {
  // Only whole lines may pass by the first cache.
  auto cache = bytes == 16 ? NVVM::LoadCacheModifierKind::CG
                           : NVVM::LoadCacheModifierKind::CA;
  Value read = valid ? truncate(valid, i32()).get() : Value();
  NVVM::CpAsyncOp::create(b, to.get(), from.get(), uint32_t(bytes), cache,
                          read);
}
void DeviceBuilder::commitCopies() { NVVM::CpAsyncCommitGroupOp::create(b); }
void DeviceBuilder::waitCopies(int64_t groups) {
  NVVM::CpAsyncWaitGroupOp::create(b, uint32_t(groups));
}

void DeviceBuilder::dependencyWait() {
  if (machine.dependentLaunch)
    NVVM::GriddepcontrolOp::create(b, NVVM::GridDepActionKind::wait);
}
void DeviceBuilder::dependencyLaunch() {
  if (machine.dependentLaunch)
    NVVM::GriddepcontrolOp::create(b,
                                   NVVM::GridDepActionKind::launch_dependents);
}
void DeviceBuilder::issueLoads() {
  // Nothing may pass: with arithmetic let through, gfx1100 still had each load
  // right in front of its use.
  if (machine.vendor == Vendor::Amd)
    ROCDL::SchedBarrier::create(b, 0);
}
void DeviceBuilder::keepOrder() {
  constexpr int32_t kScalarAndSharedReads = 0x4 | 0x100; // these may pass
  if (machine.vendor == Vendor::Amd)
    ROCDL::SchedBarrier::create(b, kScalarAndSharedReads);
}
void DeviceBuilder::prefetchShared(V pointer) {
  if (machine.vendor == Vendor::Nvidia)
    NVVM::PrefetchOp::create(b,
                             NVVM::PrefetchCacheLevelAttr::get(
                                 b.getContext(), NVVM::PrefetchCacheLevel::L2),
                             NVVM::CacheEvictionPriorityAttr(), pointer.get(),
                             Value(), UnitAttr(), UnitAttr(), UnitAttr());
}

SmallVector<V> DeviceBuilder::loadWords(V pointer, V offset, int64_t count,
                                        unsigned align) {
  SmallVector<V> words;
  int64_t atOnce = std::max<int64_t>(1, std::min<int64_t>(count, align / 4));
  for (int64_t first = 0; first < count; first += atOnce) {
    V at = offset ? offset + first * 4 : i64(first * 4);
    if (atOnce == 1) {
      words.push_back(load(i32(), pointer, at, 4));
      continue;
    }
    V vector = load(vec(atOnce, i32()), pointer, at, unsigned(atOnce * 4));
    for (int64_t i = 0; i < atOnce; ++i)
      words.push_back(extract(vector, i));
  }
  return words;
}
