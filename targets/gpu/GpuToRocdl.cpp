// AMD's registers, barriers and shuffles. Nothing of the device libraries: what
// the launch says is read where the code object's ABI puts it.
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "targets/gpu/DeviceBuilder.h"
#include "targets/gpu/VendorOps.h"
#include "targets/gpu/VendorPass.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;

namespace {
class RocdlOps : public VendorOps {
public:
  using VendorOps::VendorOps;

  Value threadIndex(ImplicitLocOpBuilder &b) override {
    return ROCDL::ThreadIdXOp::create(b, b.getI32Type());
  }
  Value blockIndex(ImplicitLocOpBuilder &b) override {
    return ROCDL::BlockIdXOp::create(b, b.getI32Type());
  }
  Value blockCount(ImplicitLocOpBuilder &b) override;
  void barrier(ImplicitLocOpBuilder &b) override;
  void releaseBarrier(ImplicitLocOpBuilder &b) override;
  void acquireBarrier(ImplicitLocOpBuilder &b) override;
  Value shuffleXor(ImplicitLocOpBuilder &b, Value value, int32_t mask) override;
  Value shuffleIndex(ImplicitLocOpBuilder &b, Value value, Value lane) override;
  void mark(LLVM::LLVMFuncOp kernel) override;
  void markPhase(LLVM::LLVMFuncOp phase) override;

private:
  /// Adds to LLVM's attributes of \p function what it may count on, and \p
  /// more.
  void addBounds(LLVM::LLVMFuncOp function, ArrayRef<Attribute> more = {});
  /// \p make on the bits of \p value.
  Value onBits(ImplicitLocOpBuilder &b, Value value,
               llvm::function_ref<Value(Value)> make);
};
} // namespace

/// The first of the implicit arguments of code object version 5.
Value RocdlOps::blockCount(ImplicitLocOpBuilder &b) {
  constexpr unsigned kConstantSpace = 4;
  auto call = LLVM::CallIntrinsicOp::create(
      b, LLVM::LLVMPointerType::get(b.getContext(), kConstantSpace),
      b.getStringAttr("llvm.amdgcn.implicitarg.ptr"), ValueRange());
  auto load = LLVM::LoadOp::create(b, b.getI32Type(), call.getResult(0), 4);
  load.setInvariant(true);
  return load;
}

void RocdlOps::barrier(ImplicitLocOpBuilder &b) {
  LLVM::FenceOp::create(b, LLVM::AtomicOrdering::release, "workgroup");
  ROCDL::SBarrierOp::create(b);
  LLVM::FenceOp::create(b, LLVM::AtomicOrdering::acquire, "workgroup");
}

/// A wave counts only its own writes, and where a workgroup's release waits for
/// shared memory alone (gfx9: a block's waves share their first cache), the
/// others' may still be on their way when one wave tells of them: each wave
/// releases its own.
void RocdlOps::releaseBarrier(ImplicitLocOpBuilder &b) {
  // vmcnt 0, nothing of expcnt and lgkmcnt: the counters of gfx9.
  constexpr int32_t kMemoryDone = 0x0F70;
  LLVM::FenceOp::create(b, LLVM::AtomicOrdering::release, "agent");
  // LLVM 22 takes the fence's own wait away where nothing but its buffer_wbl2
  // is to be waited for (llvm/llvm-project#178316).
  if (facts.matrix == MatrixFamily::Mfma)
    ROCDL::SWaitcntOp::create(b, kMemoryDone);
  ROCDL::SBarrierOp::create(b);
  LLVM::FenceOp::create(b, LLVM::AtomicOrdering::acquire, "workgroup");
}

void RocdlOps::acquireBarrier(ImplicitLocOpBuilder &b) {
  LLVM::FenceOp::create(b, LLVM::AtomicOrdering::release, "workgroup");
  ROCDL::SBarrierOp::create(b);
  LLVM::FenceOp::create(b, LLVM::AtomicOrdering::acquire, "agent");
}

/// The barriers around \p op have its fences, for all waves: with an order of
/// its own it would write caches back and drop them once more, a load in each
/// turn of its loop.
static void leaveToBarriers(Operation *op) {
  if (!op->removeAttr(kByBarriersAttr))
    return;
  if (auto add = dyn_cast<LLVM::AtomicRMWOp>(op))
    add.setOrdering(LLVM::AtomicOrdering::monotonic);
  else if (auto load = dyn_cast<LLVM::LoadOp>(op))
    load.setOrdering(LLVM::AtomicOrdering::monotonic);
}

Value RocdlOps::onBits(ImplicitLocOpBuilder &b, Value value,
                       llvm::function_ref<Value(Value)> make) {
  Type type = value.getType();
  if (type == b.getI32Type())
    return make(value);
  Value bits = LLVM::BitcastOp::create(b, b.getI32Type(), value);
  return LLVM::BitcastOp::create(b, type, make(bits));
}

Value RocdlOps::shuffleXor(ImplicitLocOpBuilder &b, Value value, int32_t mask) {
  constexpr int32_t kRowXmask = 0x160, kAll = 0xF;
  // Operand modifiers of the vector unit are the fastest: any order in each
  // four lanes, and since gfx10, where waves are of 32, exchanges in 16.
  std::optional<int32_t> control;
  if (mask < 4) {
    control = 0;
    for (int32_t lane = 0; lane < 4; ++lane)
      *control |= (lane ^ mask) << (2 * lane);
  } else if (mask < 16 && facts.lanes == 32) {
    control = kRowXmask | mask;
  }
  return onBits(b, value, [&](Value bits) -> Value {
    Type type = bits.getType();
    if (control)
      return ROCDL::DPPUpdateOp::create(b, type, bits, bits, *control, kAll,
                                        kAll, /*boundCtrl=*/true);
    // The crossbar of the shared memory, within 32 lanes ...
    if (mask < 32)
      return ROCDL::DsSwizzleOp::create(b, type, bits,
                                        constantI32(b, mask << 10 | 0x1F));
    // ... or with any.
    Value all = constantI32(b, -1), zero = constantI32(b, 0);
    Value lane =
        ROCDL::MbcntLoOp::create(b, type, all, zero, ArrayAttr(), ArrayAttr());
    lane =
        ROCDL::MbcntHiOp::create(b, type, all, lane, ArrayAttr(), ArrayAttr());
    lane = LLVM::XOrOp::create(b, lane, constantI32(b, mask));
    return shuffleIndex(b, bits, lane);
  });
}

/// The index counts bytes of a register.
Value RocdlOps::shuffleIndex(ImplicitLocOpBuilder &b, Value value, Value lane) {
  Value place = LLVM::ShlOp::create(b, lane, constantI32(b, 2));
  return onBits(b, value, [&](Value bits) {
    return ROCDL::DsBpermuteOp::create(b, bits.getType(), place, bits);
  });
}

void RocdlOps::addBounds(LLVM::LLVMFuncOp function, ArrayRef<Attribute> more) {
  Builder b(function.getContext());
  // As many waves as will be there, no more: registers are worth more.
  int64_t waves = std::max<int64_t>(1, blocksPerUnit(function) * facts.warps() /
                                           facts.schedulers);
  std::string bounds = std::to_string(waves) + "," + std::to_string(waves);
  SmallVector<Attribute> all;
  if (ArrayAttr before = function.getPassthroughAttr())
    llvm::append_range(all, before);
  all.push_back(b.getStrArrayAttr({"amdgpu-waves-per-eu", bounds}));
  all.push_back(b.getStrArrayAttr({"uniform-work-group-size", "true"}));
  llvm::append_range(all, more);
  function.setPassthroughAttr(b.getArrayAttr(all));
}

void RocdlOps::mark(LLVM::LLVMFuncOp kernel) {
  Builder b(kernel.getContext());
  ROCDL::ROCDLDialect &dialect =
      *b.getContext()->getLoadedDialect<ROCDL::ROCDLDialect>();
  std::string threads = std::to_string(facts.threads);
  dialect.getKernelAttrHelper().setAttr(kernel, b.getUnitAttr());
  dialect.getReqdWorkGroupSizeAttrHelper().setAttr(
      kernel, b.getDenseI32ArrayAttr({int32_t(facts.threads), 1, 1}));
  dialect.getFlatWorkGroupSizeAttrHelper().setAttr(
      kernel, b.getStringAttr(threads + "," + threads));
  addBounds(kernel);
}

/// The attributes of an argument in scalar registers. LLVM 22 counts these from
/// another one on in the caller than in the function where registers 0 to 3
/// describe the stack (llvm/llvm-project#182754): a chip's features must let it
/// address the stack by scratch instructions, which need no description.
static DictionaryAttr inRegister(MLIRContext *context) {
  Builder b(context);
  return b.getDictionaryAttr(
      b.getNamedAttr(LLVM::LLVMDialect::getInRegAttrName(), b.getUnitAttr()));
}

void RocdlOps::markPhase(LLVM::LLVMFuncOp phase) {
  Builder b(phase.getContext());
  std::string threads = std::to_string(facts.threads);
  addBounds(phase, b.getStrArrayAttr({"amdgpu-flat-work-group-size",
                                      threads + "," + threads}));
  for (unsigned i = 0; i < phase.getNumArguments(); ++i)
    phase.setArgAttrs(i, inRegister(phase.getContext()));
  // What a launch adds to shared memory begins at 0, as nothing else is there;
  // by its name a function finds it in a table only.
  phase.walk([&](LLVM::AddressOfOp shared) {
    if (shared.getGlobalName() != kSharedSymbol)
      return;
    ImplicitLocOpBuilder at(shared.getLoc(), shared);
    shared.replaceAllUsesWith(
        LLVM::IntToPtrOp::create(at, shared.getType(), constantI32(at, 0))
            .getResult());
    shared.erase();
  });
}

/// LLVM calls a device an agent there, and a block a workgroup.
static void renameScope(Operation *op) {
  auto rename = [](auto atomic) {
    std::optional<StringRef> scope = atomic.getSyncscope();
    if (scope == StringRef("device"))
      atomic.setSyncscope(StringRef("agent"));
    else if (scope == StringRef("block"))
      atomic.setSyncscope(StringRef("workgroup"));
  };
  llvm::TypeSwitch<Operation *>(op)
      .Case<LLVM::AtomicRMWOp, LLVM::AtomicCmpXchgOp, LLVM::FenceOp,
            LLVM::LoadOp, LLVM::StoreOp>(rename);
}

/// Functions that no call jumps to need not keep their callers' registers; and
/// what is the same for all threads comes in scalar ones.
static void adaptCall(LLVM::CallOp call) {
  call.setTailCallKind(LLVM::TailCallKind::NoTail);
  call.setArgAttrsAttr(
      Builder(call.getContext())
          .getArrayAttr(SmallVector<Attribute>(call.getArgOperands().size(),
                                               inRegister(call.getContext()))));
}

namespace {
class GpuToRocdlPass : public VendorPass<GpuToRocdlPass> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(GpuToRocdlPass)
  using VendorPass::VendorPass;

  StringRef getArgument() const override { return "gpu-to-rocdl"; }
  StringRef getDescription() const override {
    return "Lower the gpu ops of kernels to the ROCDL dialect";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<LLVM::LLVMDialect, ROCDL::ROCDLDialect>();
  }
  static constexpr Vendor kVendor = Vendor::Amd;
  LogicalResult lower(ModuleOp module, const GpuFacts &facts) {
    RocdlOps ops(facts);
    if (failed(lowerGpuOps(module, facts, ops)))
      return failure();
    module.walk(renameScope);
    module.walk(leaveToBarriers);
    module.walk(adaptCall);
    return success();
  }
};
} // namespace

std::unique_ptr<Pass> quartet::gpu::createGpuToRocdl(GpuFacts facts) {
  return std::make_unique<GpuToRocdlPass>(std::move(facts));
}

void quartet::gpu::detail::registerGpuToRocdl() {
  PassRegistration<GpuToRocdlPass>();
}
