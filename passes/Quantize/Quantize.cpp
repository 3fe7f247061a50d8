// Decides how each weight matrix is stored: its type becomes a packed matrix.
// Formats come from outside; what no format names keeps its element type.
#include "dialects/Quartet/QuartetOps.h"
#include "passes/Passes.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

#define DEBUG_TYPE "quartet-quantize"

namespace quartet {
#define GEN_PASS_DEF_QUANTIZE
#include "passes/Passes.h.inc"
} // namespace quartet

using namespace mlir;
using namespace quartet;

/// The operands of \p op that are weight matrices.
static SmallVector<OpOperand *> matrixOperands(Operation *op) {
  using Operands = SmallVector<OpOperand *>;
  return llvm::TypeSwitch<Operation *, Operands>(op)
      .Case<LinearOp, ProjectionsOp, RouteOp, LmHeadOp>(
          [](auto op) { return Operands{&op.getWeightMutable()}; })
      .Case<ExpertsOp, MlpOp>([](auto op) {
        return Operands{&op.getGateUpMutable(), &op.getDownMutable()};
      })
      .Case([](SharedExpertOp op) {
        return Operands{&op.getGateUpMutable(), &op.getDownMutable(),
                        &op.getGateMutable()};
      })
      .Case<ExpertUpOp, MlpUpOp>(
          [](auto op) { return Operands{&op.getGateUpMutable()}; })
      .Case([](ExpertDownOp op) { return Operands{&op.getDownMutable()}; })
      .Default([](Operation *) { return Operands(); });
}

/// The format that stores a tensor's own values.
static StringRef plainFormat(Type element) {
  if (element.isF32())
    return "f32";
  return element.isF16() ? "f16" : "bf16";
}

namespace {
/// Packs the matrices of one model.
class Packer {
public:
  Packer(ModelOp model, const llvm::StringMap<StringRef> &formats,
         llvm::StringSet<> &used)
      : model(model), symbols(model), formats(formats), used(used) {}

  void run();

private:
  PackedType packedType(StringRef name, RankedTensorType type);
  /// A matrix that is also something else, such as the table of embed, gets a
  /// packed twin.
  void pack(OpOperand &operand);

  ModelOp model;
  SymbolTable symbols;
  const llvm::StringMap<StringRef> &formats;
  llvm::StringSet<> &used;
};
} // namespace

PackedType Packer::packedType(StringRef name, RankedTensorType type) {
  auto found = formats.find(name);
  StringRef format = plainFormat(type.getElementType());
  if (found != formats.end()) {
    format = found->second;
    used.insert(name);
  }
  return PackedType::get(type.getContext(), type.getShape(), format);
}

static bool isMatrixUse(OpOperand &use) {
  return llvm::is_contained(matrixOperands(use.getOwner()), &use);
}

void Packer::pack(OpOperand &operand) {
  auto load = operand.get().getDefiningOp<LoadWeightOp>();
  auto type = dyn_cast<RankedTensorType>(operand.get().getType());
  if (!load || !type)
    return;
  auto weight = symbols.lookup<WeightOp>(load.getWeight());
  bool onlyMatrix = true;
  SmallVector<LoadWeightOp> loads;
  model.walk([&](LoadWeightOp other) {
    if (other.getWeight() != load.getWeight())
      return;
    loads.push_back(other);
    onlyMatrix &= llvm::all_of(other->getUses(), isMatrixUse);
  });
  if (onlyMatrix) {
    PackedType packed = packedType(weight.getSymName(), type);
    weight.setTypeAttr(TypeAttr::get(packed));
    for (LoadWeightOp other : loads)
      other.getResult().setType(packed);
    return;
  }
  StringRef role = isa<LmHeadOp>(operand.getOwner()) ? "lm_head" : "matrix";
  std::string name = role.str();
  if (role == "matrix")
    name = (weight.getSymName() + "_" + role).str();
  OpBuilder b(weight->getBlock(), std::next(weight->getIterator()));
  auto twin = symbols.lookup<WeightOp>(name);
  if (!twin) {
    ArrayRef<int64_t> shape = type.getShape();
    auto part = PartAttr::get(b.getContext(),
                              FlatSymbolRefAttr::get(weight.getSymNameAttr()),
                              shape[shape.size() - 2], 0, 0, shape.back(), 0,
                              shape.size() == 3 ? shape[0] : 1, 0);
    twin = WeightOp::create(
        b, weight.getLoc(), b.getStringAttr(name), weight.getRepeatAttr(),
        b.getArrayAttr(Attribute(part)), TypeAttr::get(packedType(name, type)));
    symbols.insert(twin);
  }
  b.setInsertionPoint(operand.getOwner());
  operand.set(LoadWeightOp::create(b, load.getLoc(), twin.getType(),
                                   twin.getSymName()));
}

void Packer::run() {
  SmallVector<OpOperand *> operands;
  model.walk(
      [&](Operation *op) { llvm::append_range(operands, matrixOperands(op)); });
  for (OpOperand *operand : operands)
    pack(*operand);
}

namespace {
struct QuantizePass : quartet::impl::QuantizeBase<QuantizePass> {
  using Base::Base;

  void runOnOperation() override {
    llvm::StringMap<StringRef> chosen;
    for (StringRef text : formats) {
      auto [name, format] = text.split('=');
      if (name.empty() || !PackedFormat::parse(
                              std::string_view(format.data(), format.size()))) {
        getOperation().emitError()
            << "expected formats=weight=format, such as l0.qkv=int4:64, found '"
            << text << "'";
        return signalPassFailure();
      }
      chosen[name] = format;
    }
    llvm::StringSet<> used;
    for (auto model : getOperation().getOps<ModelOp>())
      Packer(model, chosen, used).run();
    // In the order given, so that the error is the same every time.
    for (StringRef text : formats) {
      StringRef name = text.split('=').first;
      if (used.contains(name))
        continue;
      getOperation().emitError()
          << "expected a weight matrix of the model, found '" << name
          << "' in formats";
      return signalPassFailure();
    }
  }
};
} // namespace
