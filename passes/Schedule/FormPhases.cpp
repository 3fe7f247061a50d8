// Groups the ops of a block into phases. The rules are in the description of
// the pass; what an op is to a phase is in OpRoles.
#include "passes/Passes.h"
#include "passes/Schedule/OpRoles.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

#define DEBUG_TYPE "quartet-form-phases"

namespace quartet {
#define GEN_PASS_DEF_FORMPHASES
#include "passes/Passes.h.inc"
} // namespace quartet

using namespace mlir;
using namespace quartet;

namespace {
struct Phase {
  SmallVector<Operation *> anchors; // in order
  Role role = Role::None;
  std::string name;
  std::string reason;             // why it is not part of the phase before it
  SmallVector<Operation *> ops{}; // all of them, in order
};

/// Forms the phases of one block: of the step, or of its repeated block.
class PhaseFormer {
public:
  PhaseFormer(Block &block, llvm::StringSet<> &names, bool explain)
      : block(block), names(names), explain(explain) {}

  LogicalResult run();

private:
  LogicalResult findRoles();
  void placeAnchors();
  void placeGlue();
  void duplicateFreeOps();
  void build();
  void remark(const Phase &phase);

  bool isHere(Operation *op) const { return op && op->getBlock() == &block; }
  Role role(Operation *op) const { return roles.lookup(op); }
  /// The anchors whose results reach \p op through glue.
  SmallPtrSet<Operation *, 8> sources(Operation *op);
  /// Why \p anchor cannot join \p last; empty if it can.
  std::string whyNot(Operation *anchor, const Phase &last);
  std::string nameOf(const Phase &phase);
  /// The first phase that uses a result of \p op, through glue.
  unsigned firstUse(Operation *op);
  /// The last phase that makes an operand of \p op, or none.
  std::optional<unsigned> lastSource(Operation *op);

  Block &block;
  llvm::StringSet<> &names;
  bool explain;
  llvm::DenseMap<Operation *, Role> roles;
  std::vector<Phase> phases; // a barrier is one, too, without a name
  llvm::DenseMap<Operation *, unsigned> phaseOf;
};
} // namespace

LogicalResult PhaseFormer::findRoles() {
  for (Operation &op : block) {
    Role found = roleOf(&op);
    if (found == Role::None) {
      InFlightDiagnostic diagnostic = op.emitOpError()
                                      << "has no place in a phase";
      if (isa<RouteOp, ExpertsOp, SharedExpertOp, MlpOp>(op))
        diagnostic << ": run quartet-fuse-experts first";
      return diagnostic;
    }
    roles[&op] = found;
  }
  return success();
}

SmallPtrSet<Operation *, 8> PhaseFormer::sources(Operation *op) {
  SmallPtrSet<Operation *, 8> found;
  SmallVector<Operation *> todo{op};
  SmallPtrSet<Operation *, 16> seen;
  while (!todo.empty()) {
    Operation *next = todo.pop_back_val();
    for (Value operand : next->getOperands()) {
      Operation *producer = operand.getDefiningOp();
      if (!isHere(producer) || !seen.insert(producer).second)
        continue;
      if (isAnchor(role(producer)))
        found.insert(producer);
      else
        todo.push_back(producer);
    }
  }
  return found;
}

std::string PhaseFormer::whyNot(Operation *anchor, const Phase &last) {
  auto reached = sources(anchor);
  bool needsLast = llvm::any_of(
      last.anchors, [&](Operation *other) { return reached.contains(other); });
  std::string op = anchor->getName().getStringRef().str();
  std::string made = " what the tasks of phase @" + last.name + " make";
  if (last.role == Role::Barrier)
    return op + " begins after " +
           last.anchors[0]->getName().getStringRef().str();
  Role own = role(anchor);
  if (own == Role::Rows || last.role == Role::Rows)
    return op + (needsLast ? " needs whole rows of" + made
                           : " has other tasks than phase @" + last.name);
  if (own == Role::Matrix && needsLast)
    return op + " needs whole rows of" + made + " in pieces";
  if (own != last.role)
    return own == Role::Heads
               ? op + " needs whole heads over all tokens of" + made +
                     " in pieces of rows"
               : op + " needs rows, phase @" + last.name + " works on heads";
  if (own == Role::Heads)
    return needsLast ? ""
                     : op + " works on other heads than phase @" + last.name;
  if (stagedRows(anchor) != stagedRows(last.anchors[0]))
    return op + " reads other rows than phase @" + last.name;
  return "";
}

/// What a phase with \p anchor first is called in its layer.
static StringRef labelOf(Operation *anchor, bool readsHeads, bool readsHidden) {
  bool isRouter = llvm::any_of(anchor->getUsers(), [](Operation *user) {
    return isa<SelectExpertsOp>(user);
  });
  return llvm::TypeSwitch<Operation *, StringRef>(anchor)
      .Case<EmbedOp>([](auto) { return "embed"; })
      .Case<LmHeadOp>([](auto) { return "head"; })
      .Case<SampleOp>([](auto) { return "sample"; })
      .Case<CausalConvOp, GatedDeltaOp>([](auto) { return "delta"; })
      .Case<GatedAttentionOp>([](auto) { return "attend"; })
      .Case<ExpertUpOp, MlpUpOp>([](auto) { return "up"; })
      .Case<ExpertDownOp>([](auto) { return "down"; })
      .Case<LinearOp, ProjectionsOp>([&](auto) {
        return isRouter      ? "route"
               : readsHidden ? "down"
               : readsHeads  ? "out"
                             : "in";
      })
      .Default([](Operation *) { return "rows"; });
}

/// "l0." if \p ops load something of layer l0.
static std::string layerOf(ArrayRef<Operation *> ops) {
  for (Operation *op : ops)
    for (Value operand : op->getOperands()) {
      StringRef symbol;
      if (auto load = operand.getDefiningOp<LoadWeightOp>())
        symbol = load.getWeight();
      if (auto load = operand.getDefiningOp<LoadStateOp>())
        symbol = load.getState();
      if (symbol.contains('.'))
        return (symbol.split('.').first + ".").str();
    }
  return "";
}

std::string PhaseFormer::nameOf(const Phase &phase) {
  Operation *anchor = phase.anchors[0];
  auto reached = sources(anchor);
  bool readsHeads = llvm::any_of(
      reached, [&](Operation *op) { return role(op) == Role::Heads; });
  bool readsHidden =
      llvm::any_of(reached, [](Operation *op) { return isa<MlpUpOp>(op); });
  std::string name =
      layerOf(phase.anchors) + labelOf(anchor, readsHeads, readsHidden).str();
  std::string unique = name;
  for (unsigned i = 2; !names.insert(unique).second; ++i)
    unique = name + "_" + std::to_string(i);
  return unique;
}

void PhaseFormer::placeAnchors() {
  for (Operation &op : block) {
    if (!isAnchor(role(&op)))
      continue;
    std::string reason;
    if (!phases.empty())
      reason = whyNot(&op, phases.back());
    if (phases.empty() || !reason.empty()) {
      phases.push_back({{}, role(&op), "", reason});
      phases.back().anchors.push_back(&op);
      if (role(&op) != Role::Barrier)
        phases.back().name = nameOf(phases.back());
    } else {
      phases.back().anchors.push_back(&op);
    }
    phaseOf[&op] = phases.size() - 1;
  }
}

unsigned PhaseFormer::firstUse(Operation *op) {
  unsigned first = phases.size() - 1; // the terminator
  for (Operation *user : op->getUsers()) {
    user = block.findAncestorOpInBlock(*user);
    if (user == op)
      continue;
    auto known = phaseOf.find(user);
    first = std::min(first,
                     known != phaseOf.end() ? known->second : firstUse(user));
  }
  return first;
}

std::optional<unsigned> PhaseFormer::lastSource(Operation *op) {
  std::optional<unsigned> last;
  for (Value operand : op->getOperands()) {
    auto known = phaseOf.find(operand.getDefiningOp());
    if (known == phaseOf.end() || role(known->first) == Role::Input)
      continue;
    last = std::max(last.value_or(0), known->second);
  }
  if (last && phases[*last].role == Role::Barrier)
    return std::nullopt;
  return last;
}

void PhaseFormer::placeGlue() {
  // Backwards, so that the users of a way in are placed before it.
  for (Operation &op : llvm::reverse(block))
    if (role(&op) == Role::WayIn)
      phaseOf[&op] = firstUse(&op);
  for (Operation &op : block) {
    Role kind = role(&op);
    if (kind == Role::WayOut || kind == Role::View) {
      std::optional<unsigned> source = lastSource(&op);
      phaseOf[&op] = source ? *source : firstUse(&op);
    }
  }
  for (Operation &op : block)
    if (role(&op) == Role::Input)
      phaseOf[&op] = firstUse(&op);
}

/// Gives every phase its own copies of free ops. What is left of the originals
/// is used by barriers.
void PhaseFormer::duplicateFreeOps() {
  llvm::DenseMap<std::pair<unsigned, Operation *>, Operation *> copies;
  SmallVector<Operation *> originals;
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (role(&op) == Role::Free)
      originals.push_back(&op);
    auto known = phaseOf.find(&op);
    if (known == phaseOf.end() || role(&op) == Role::Barrier)
      continue;
    unsigned phase = known->second;
    for (OpOperand &operand : op.getOpOperands()) {
      Operation *producer = operand.get().getDefiningOp();
      if (!isHere(producer) || role(producer) != Role::Free)
        continue;
      Operation *&copy = copies[{phase, producer}];
      if (!copy) {
        copy = producer->clone();
        block.getOperations().insert(op.getIterator(), copy);
        roles[copy] = Role::View;
        phaseOf[copy] = phase;
      }
      operand.set(copy->getResult(0));
    }
  }
  for (Operation *op : llvm::reverse(originals))
    if (op->use_empty())
      op->erase();
}

void PhaseFormer::remark(const Phase &phase) {
  phase.anchors[0]->emitRemark()
      << "phase @" << phase.name << " begins here: "
      << (phase.reason.empty() ? "it is the first" : phase.reason);
  for (Operation *op : phase.ops) {
    Role kind = role(op);
    if (kind == Role::WayIn || (kind == Role::WayOut && !isa<StoreStateOp>(op)))
      op->emitRemark() << op->getName() << " is done on the way "
                       << (kind == Role::WayIn ? "into" : "out of")
                       << " phase @" << phase.name;
  }
}

void PhaseFormer::build() {
  for (Operation &op : block) {
    auto known = phaseOf.find(&op);
    if (known != phaseOf.end())
      phases[known->second].ops.push_back(&op);
  }
  for (unsigned number = 0; number < phases.size(); ++number) {
    Phase &phase = phases[number];
    if (phase.role == Role::Barrier)
      continue;
    if (explain)
      remark(phase);
    SmallVector<Value> escaping;
    SmallVector<Location> locations;
    for (Operation *op : phase.ops) {
      locations.push_back(op->getLoc());
      for (Value result : op->getResults())
        if (llvm::any_of(result.getUsers(), [&](Operation *user) {
              user = block.findAncestorOpInBlock(*user);
              auto known = phaseOf.find(user);
              return known == phaseOf.end() || known->second != number;
            }))
          escaping.push_back(result);
    }
    // Before the next barrier: all phases up to it stand there in order.
    auto next =
        llvm::find_if(llvm::drop_begin(phases, number), [](const Phase &other) {
          return other.role == Role::Barrier;
        });
    OpBuilder b(next->anchors[0]);
    Location loc = phase.anchors[0]->getLoc();
    auto op = PhaseOp::create(b, loc, ValueRange(escaping).getTypes(),
                              b.getStringAttr(phase.name));
    Block *body = b.createBlock(&op.getBody());
    for (Operation *inner : phase.ops)
      inner->moveBefore(body, body->end());
    for (auto [value, result] : llvm::zip_equal(escaping, op.getResults()))
      value.replaceUsesWithIf(result, [&](OpOperand &use) {
        return !op->isAncestor(use.getOwner());
      });
    YieldOp::create(b, loc, escaping);
  }
}

LogicalResult PhaseFormer::run() {
  if (failed(findRoles()))
    return failure();
  placeAnchors();
  placeGlue();
  duplicateFreeOps();
  // Constants first; free ops that a barrier uses go in front of it.
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (role(&op) == Role::Global)
      op.moveBefore(&block, block.begin());
  build();
  for (Operation &op : llvm::make_early_inc_range(block))
    if (role(&op) == Role::Free && !phaseOf.contains(&op))
      op.moveBefore(block.findAncestorOpInBlock(**op.user_begin()));
  return success();
}

namespace {
struct FormPhasesPass : quartet::impl::FormPhasesBase<FormPhasesPass> {
  using Base::Base;

  void runOnOperation() override {
    for (auto model : getOperation().getOps<ModelOp>()) {
      for (auto step : model.getOps<StepOp>()) {
        llvm::StringSet<> names;
        Block &body = step.getBody().front();
        for (auto block : body.getOps<BlockOp>())
          if (failed(
                  PhaseFormer(block.getBody().front(), names, explain).run()))
            return signalPassFailure();
        if (failed(PhaseFormer(body, names, explain).run()))
          return signalPassFailure();
      }
    }
  }
};
} // namespace
