// One declaration per function, one global per text, one scratch per kernel.
#include "targets/gpu/EmulatorCalls.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace quartet::gpu;

EmulatorCalls::EmulatorCalls(ModuleOp module, int64_t lanes)
    : lanes(lanes), b(module.getLoc(), module.getContext()), module(module) {}

void EmulatorCalls::at(Operation *op) {
  current = op;
  b.setInsertionPoint(op);
  b.setLoc(op->getLoc());
}

Value EmulatorCalls::call(StringRef name, Type result, ValueRange arguments) {
  std::string symbol = ("quartet_emu_" + name).str();
  if (!module.lookupSymbol(symbol)) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    Type returned = result ? result : LLVM::LLVMVoidType::get(context());
    LLVM::LLVMFuncOp::create(
        b, symbol,
        LLVM::LLVMFunctionType::get(
            returned, llvm::to_vector(ValueRange(arguments).getTypes())));
  }
  auto made = LLVM::CallOp::create(b, result ? TypeRange(result) : TypeRange(),
                                   symbol, arguments);
  return result ? made.getResult() : Value();
}

Value EmulatorCalls::callAtSite(StringRef name, Type result,
                                SmallVector<Value> arguments) {
  arguments.push_back(site());
  return call(name, result, arguments);
}

/// The first name in \p loc; empty: none.
static StringRef nameIn(Location loc) {
  if (auto name = dyn_cast<NameLoc>(loc))
    return name.getName();
  if (auto call = dyn_cast<CallSiteLoc>(loc)) {
    StringRef callee = nameIn(call.getCallee());
    return callee.empty() ? nameIn(call.getCaller()) : callee;
  }
  if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      if (StringRef name = nameIn(part); !name.empty())
        return name;
  return "";
}

Value EmulatorCalls::site() {
  StringRef text = nameIn(current->getLoc());
  if (text.empty()) // the kernel is better than nothing
    text = current->getParentOfType<LLVM::LLVMFuncOp>().getSymName();
  LLVM::GlobalOp &global = sites[text];
  if (!global) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    std::string terminated = text.str() + '\0';
    global = LLVM::GlobalOp::create(
        b, LLVM::LLVMArrayType::get(b.getI8Type(), terminated.size()),
        /*isConstant=*/true, LLVM::Linkage::Internal,
        "quartet_site" + std::to_string(sites.size() - 1),
        b.getStringAttr(terminated));
  }
  return LLVM::AddressOfOp::create(b, global);
}

Value EmulatorCalls::constant(Type type, int64_t value) {
  return LLVM::ConstantOp::create(b, type, b.getIntegerAttr(type, value));
}

Value EmulatorCalls::bits(Value value, Type type) {
  return value.getType() == type
             ? value
             : LLVM::BitcastOp::create(b, type, value).getResult();
}

Value EmulatorCalls::gep(Value base, int64_t bytes) {
  if (bytes == 0)
    return base;
  return LLVM::GEPOp::create(b, pointer(), b.getI8Type(), base,
                             ArrayRef<LLVM::GEPArg>{int32_t(bytes)});
}

/// \p count words on the stack of the function that the op is in.
Value EmulatorCalls::frame(llvm::DenseMap<Operation *, Value> &places,
                           int64_t count) {
  auto function = current->getParentOfType<LLVM::LLVMFuncOp>();
  Value &base = places[function];
  if (!base) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&function.getBody().front());
    base = LLVM::AllocaOp::create(b, pointer(),
                                  LLVM::LLVMArrayType::get(i32(), count),
                                  constant(i64(), 1), /*alignment=*/64);
  }
  return base;
}

Value EmulatorCalls::words(int place) {
  return gep(frame(scratch, 4 * 8), place * 8 * 4);
}

Value EmulatorCalls::groupWords() { return frame(groupScratch, kGroupWords); }

Value EmulatorCalls::loadFields(Type type, Value place) {
  auto fields = dyn_cast<LLVM::LLVMStructType>(type);
  if (!fields)
    return LLVM::LoadOp::create(b, type, place);
  Value all = LLVM::UndefOp::create(b, type);
  for (auto [i, field] : llvm::enumerate(fields.getBody())) {
    Value value = LLVM::LoadOp::create(b, field, gep(place, int64_t(i) * 4));
    all = LLVM::InsertValueOp::create(b, all, value, int64_t(i));
  }
  return all;
}

void EmulatorCalls::replace(Operation *op, ValueRange values) {
  op->replaceAllUsesWith(values);
  op->erase();
}

LogicalResult EmulatorCalls::fail(Operation *op, const llvm::Twine &why) {
  return op->emitError() << "the emulator has no '"
                         << op->getName().getStringRef() << "' " << why.str();
}

std::optional<int64_t> quartet::gpu::constantOf(Value value) {
  APInt number;
  if (!matchPattern(value, m_ConstantInt(&number)))
    return std::nullopt;
  return number.getSExtValue();
}

StringRef quartet::gpu::amdInstruction(Operation *op) {
  StringRef name = op->getName().getStringRef();
  if (auto call = dyn_cast<LLVM::CallIntrinsicOp>(op)) {
    name = call.getIntrin();
    return name.consume_front("llvm.amdgcn.") ? name : "";
  }
  return name.consume_front("rocdl.") ? name : "";
}
