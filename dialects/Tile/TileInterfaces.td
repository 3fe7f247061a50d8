// What an op tells the schedule's verifier and the plan.
#ifndef TILE_INTERFACES
#define TILE_INTERFACES

include "mlir/IR/OpBase.td"

def AccessOpInterface : OpInterface<"AccessOpInterface"> {
  let cppNamespace = "::quartet::tile";
  let description = [{
    An op that reads or writes buffers, states or weights by symbol.
  }];
  let methods = [
    InterfaceMethod<"Appends what one execution of the op touches.", "void",
                    "getAccesses",
                    (ins "::llvm::SmallVectorImpl<::quartet::tile::Access> &":$accesses)>
  ];
}
#endif
