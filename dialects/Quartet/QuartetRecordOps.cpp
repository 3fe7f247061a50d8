// Verifiers of the ops that record activations. Each check carries the number
// of its constraint in QuartetRecordOps.td.
#include "dialects/Quartet/QuartetOps.h"
#include "dialects/Quartet/ShapeChecks.h"

using namespace mlir;
using namespace quartet;

LogicalResult AccumulateSquaresOp::verify() {
  Extent n("N"), k("K", Extent::kStatic), c("C", Extent::kStatic);
  Extent slots("slots"), e("E", Extent::kStatic), s("S");
  bool experts = bool(getIds());
  bool own = cast<RankedTensorType>(getX().getType()).getRank() == 3;
  // C1
  if (own && !experts)
    return emitOpError() << "expected 'ids' where 'x' has rank 3, found "
                         << getX().getType() << " without them";
  if (failed(own ? checkShape(*this, "x", getX(), {&n, &k, &c})
                 : checkShape(*this, "x", getX(), {&n, &c})))
    return failure();
  if (experts && failed(checkShape(*this, "ids", getIds(), {&n, &k}))) // C2
    return failure();
  Extent width("C+1", c.getValue() + 1, "x");
  for (auto [name, state] : {std::pair("state_in", getStateIn()),
                             std::pair("state_out", getStateOut())})
    if (failed(experts
                   ? checkShape(*this, name, state, {&slots, &e, &width})
                   : checkShape(*this, name, state, {&slots, &width}))) // C3
      return failure();
  if (failed(checkShape(*this, "token_seq", getTokenSeq(), {&n})) || // C4
      failed(checkShape(*this, "seq_slot", getSeqSlot(), {&s})))     // C4
    return failure();
  return success();
}
