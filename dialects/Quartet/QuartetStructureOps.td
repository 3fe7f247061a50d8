// Structure: model, weights, states, the step and its repeated block.
#ifndef QUARTET_STRUCTURE_OPS
#define QUARTET_STRUCTURE_OPS

include "dialects/Quartet/QuartetDialect.td"
include "dialects/Quartet/QuartetTypes.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def ModelOp : Quartet_Op<"model", [
    IsolatedFromAbove, NoTerminator, SingleBlock, SymbolTable, Symbol]> {
  let summary = "Hold the weights, states and step of one compiled model";
  let description = [{
    Constraints:
    - (C1) holds only `quartet.weight`, `quartet.state` and `quartet.step`,
    - (C2) exactly one `quartet.step`, and at most one `quartet.step mtp`.

    The order of the weights and of the states is the order in which the
    runtime passes their addresses.

    ```mlir
    quartet.model @one_layer {
      quartet.weight @norm : tensor<64xf32>
      quartet.step {
      ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
           %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
           %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
           %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
           %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
           %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
           %uniform: tensor<?xf32>):
        ...
        quartet.return %logits, %sampled : tensor<?x128xf32>, tensor<?xi32>
      }
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
}

def WeightOp : Quartet_Op<"weight", [Symbol, HasParent<"ModelOp">]> {
  let summary = "Declare a weight of the model";
  let description = [{
    With `repeat B` there are B weights of the type, one for each repetition of
    the `quartet.block` that loads them, stored one after the other.

    With `parts` the matrix is made of rows of other weights of the model's plan,
    which need not be declared; what no part covers is zero. A weight without
    parts is the weight of its own name.

    Constraints: (C1) the type is a packed matrix, or has a static shape and an
    element type of f32, f16 or bf16, (C2) `repeat` is at least 1, (C3) a weight
    with parts has rank 2 or 3, at least one part, and all of them within its
    shape, (C4) no two parts cover the same row of the same expert.

    ```mlir
    quartet.weight @l0.qkv_z repeat 10 parts [
        #quartet.part<@l0.qkv rows 8192 columns 2048>,
        #quartet.part<@l0.z rows 4096 to 8192 columns 2048>
      ] : !quartet.packed<12288x2048, "int4:64">
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       OptionalAttr<I64Attr>:$repeat,
                       OptionalAttr<Quartet_PartsAttr>:$parts,
                       TypeAttrOf<Quartet_AnyWeight>:$type);
  let assemblyFormat = [{
    $sym_name (`repeat` $repeat^)? (`parts` $parts^)? attr-dict `:` $type
  }];
  let builders = [OpBuilder<(ins "llvm::StringRef":$name,
                                 "::mlir::IntegerAttr":$repeat,
                                 "::mlir::Type":$type), [{
    build($_builder, $_state, name, repeat, ::mlir::ArrayAttr(), type);
  }]>];
  let hasVerifier = 1;
}

def StateOp : Quartet_Op<"state", [Symbol, HasParent<"ModelOp">]> {
  let summary = "Declare what sequences keep between steps";
  let description = [{
    The first dimension is the runtime's: `slots` (one entry per sequence) or
    `pages` (64 tokens of KV cache each). A fresh slot is all zero. With
    `repeat B` there is one such state for each repetition of the block.

    Constraints: (C1) the first dimension is dynamic and no other is, the element
    type is f32, f16, bf16 or i8, (C2) `repeat` is at least 1.

    ```mlir
    quartet.state @l0.conv slots repeat 10 : tensor<?x3x8192xbf16>
    quartet.state @l3.key pages repeat 10 : tensor<?x2x64x256xbf16>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Quartet_StateDimAttr:$dim,
                       OptionalAttr<I64Attr>:$repeat,
                       TypeAttrOf<AnyRankedTensor>:$type);
  let assemblyFormat = "$sym_name `` $dim (`repeat` $repeat^)? attr-dict `:` $type";
  let hasVerifier = 1;
}

def StepOp : Quartet_Op<"step", [
    HasParent<"ModelOp">, IsolatedFromAbove, SingleBlock]> {
  let summary = "One forward pass over ragged tokens";
  let description = [{
    The block's arguments are the step's inputs, in the order of
    `StepInput` (QuartetOps.h).

    With `mtp` it is the step of multi-token prediction, which drafts the token
    after the next. It has one more input: for each token x the output, after
    the last norm, that came with the token before x, of the model or of this
    step itself.

    Constraints: (C1) the arguments are those of the example of
    `quartet.model`, in number and type; with `mtp` one more, of f32 [N, H],
    (C2) the body ends in `quartet.return`; with `mtp` it returns the hidden
    rows, of the type of that argument.
  }];
  let arguments = (ins UnitAttr:$mtp);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "(`mtp` $mtp^)? attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
}

def ReturnOp : Quartet_Op<"return", [HasParent<"StepOp">, Terminator, Pure]> {
  let summary = "End the step with its logits and sampled tokens";
  let description = [{
    `hidden`: the rows behind the last norm, of all tokens; a step of
    multi-token prediction reads them.

    Constraints: (C1) logits and sampled agree on R.

    ```mlir
    quartet.return %logits, %sampled hidden %h
      : tensor<?x128xf32>, tensor<?xi32>, tensor<?x64xf32>
    ```
  }];
  let arguments = (ins 2DTensorOf<[F32]>:$logits,              // [R, V]
                       1DTensorOf<[I32]>:$sampled,             // [R]
                       Optional<2DTensorOf<[F32]>>:$hidden);   // [N, H]
  let assemblyFormat = [{
    $logits `,` $sampled (`hidden` $hidden^)? attr-dict
    `:` type($logits) `,` type($sampled) (`,` type($hidden)^)?
  }];
  let hasVerifier = 1;
}

def BlockOp : Quartet_Op<"block", [
    SingleBlock, AllTypesMatch<["init", "result"]>]> {
  let summary = "Repeat a group of layers (the family's 3:1 block)";
  let description = [{
    ```
    h = init;  for i in 0..repeat-1: h = body(h);  result = h
    ```

    `quartet.load_weight`, `quartet.load_state` and `quartet.store_state` in the
    body mean the i-th weight or state of a repeated declaration. Ten blocks are
    one body: the layer loop stays a loop down to the machine code.

    Constraints: (C1) `repeat` is at least 1, (C2) the body has one argument of
    the type of `init` and ends in a `quartet.yield` of that type, (C3) blocks
    do not nest.

    ```mlir
    %y = quartet.block repeat 10 init(%x) {
    ^bb0(%h: tensor<?x2048xf32>):
      ...
      quartet.yield %h1 : tensor<?x2048xf32>
    } : tensor<?x2048xf32>
    ```
  }];
  let arguments = (ins I64Attr:$repeat, AnyRankedTensor:$init);
  let results = (outs AnyRankedTensor:$result);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `repeat` $repeat `init` `(` $init `)` attr-dict-with-keyword $body `:` type($init)
  }];
  let hasRegionVerifier = 1;
}

def PhaseOp : Quartet_Op<"phase", [
    SingleBlock, NoRegionArguments, RecursiveMemoryEffects]> {
  let summary = "Work without dependences between its tasks";
  let description = [{
    The body's ops as one phase of the step program: a part of the step whose
    tasks do not wait for each other. Phases run one after the other, in order;
    values of earlier phases are complete. The meaning is that of the body's ops
    in place.

    Constraints: (C1) the body ends in a `quartet.yield` of the types of the
    results, (C2) phases do not nest.

    ```mlir
    %y = quartet.phase @l0.out {
      %1 = quartet.linear %x, %w residual(%r)
        : (tensor<?x64xf32>, tensor<32x64xbf16>, tensor<?x32xf32>) -> tensor<?x32xf32>
      quartet.yield %1 : tensor<?x32xf32>
    } : tensor<?x32xf32>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$name);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$name attr-dict-with-keyword $body (`:` type($results)^)?";
  let hasRegionVerifier = 1;
}

def YieldOp : Quartet_Op<"yield", [
    ParentOneOf<["BlockOp", "PhaseOp"]>, Terminator, Pure]> {
  let summary = "End one repetition of a block, or a phase";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^)? attr-dict (`:` type($values)^)?";
}

def LoadWeightOp : Quartet_Op<"load_weight", [
    Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "The value of a weight";
  let description = [{
    Constraints: (C1) names a `quartet.weight` of the model, (C2) the result has
    the declared type, (C3) a weight with `repeat B` is loaded inside a
    `quartet.block` with `repeat B`.

    ```mlir
    %w = quartet.load_weight @l0.qkv : tensor<8192x2048xbf16>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs Quartet_AnyWeight:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

def LoadStateOp : Quartet_Op<"load_state", [
    MemoryEffects<[MemRead]>, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "The value of a state before the step's tokens";
  let description = [{
    Constraints: (C1) names a `quartet.state` of the model, (C2) the result has
    the declared type, (C3) a state with `repeat B` is loaded inside a
    `quartet.block` with `repeat B`.

    ```mlir
    %s = quartet.load_state @l0.conv : tensor<?x3x8192xbf16>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$state);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$state attr-dict `:` type($result)";
}

def StoreStateOp : Quartet_Op<"store_state", [
    MemoryEffects<[MemWrite]>, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Make a value the state that the next step sees";
  let description = [{
    Constraints: (C1) names a `quartet.state` of the model, (C2) the value has
    the declared type, (C3) a state with `repeat B` is stored inside a
    `quartet.block` with `repeat B`.

    ```mlir
    quartet.store_state @l0.conv, %s1 : tensor<?x3x8192xbf16>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$state, AnyRankedTensor:$value);
  let assemblyFormat = "$state `,` $value attr-dict `:` type($value)";
}

#endif
