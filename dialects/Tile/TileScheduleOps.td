// The schedule: program, steps, buffers, phases, tasks, events.
#ifndef TILE_SCHEDULE_OPS
#define TILE_SCHEDULE_OPS

include "dialects/Tile/TileDialect.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def ProgramOp : Tile_Op<"program", [
    IsolatedFromAbove, NoTerminator, SingleBlock, SymbolTable, Symbol]> {
  let summary = "Hold the weights, states and steps of one compiled model";
  let description = [{
    Matrices and vectors in their order are the weights of the executable;
    states in theirs are its states.

    Constraints: (C1) holds only `tile.matrix`, `tile.vector`, `tile.state` and
    `tile.step`, (C2) at least one step that is not `mtp`, and both kinds in
    ascending order of tokens.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
}

def MatrixOp : Tile_Op<"matrix", [Symbol, HasParent<"ProgramOp">]> {
  let summary = "Declare a packed matrix, or one per expert";
  let description = [{
    `repeat B`: one for each repetition of the layers. `experts E`: E matrices of
    [rows, columns] each.

    Constraints: (C1) `format` is a packed format, (C2) all numbers are at least
    1.

    ```mlir
    tile.matrix @l0.gate_up repeat 10 experts 257 rows 1024 columns 2048 format "int4:64"
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, DefaultValuedAttr<I64Attr, "1">:$repeat,
                       DefaultValuedAttr<I64Attr, "1">:$experts, I64Attr:$rows,
                       I64Attr:$columns, StrAttr:$format);
  let assemblyFormat = [{
    $sym_name (`repeat` $repeat^)? (`experts` $experts^)? `rows` $rows
    `columns` $columns `format` $format attr-dict
  }];
  let extraClassDeclaration = [{
    /// The format, parsed.
    ::quartet::PackedFormat getPackedFormat();
  }];
  let hasVerifier = 1;
}

def VectorOp : Tile_Op<"vector", [Symbol, HasParent<"ProgramOp">]> {
  let summary = "Declare a weight that is stored plain: a norm, taps, the embedding";
  let description = [{
    Constraints: (C1) a static shape, an element type of f32, f16 or bf16.

    ```mlir
    tile.vector @l0.input_norm repeat 10 : tensor<2048xf32>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, DefaultValuedAttr<I64Attr, "1">:$repeat,
                       TypeAttrOf<AnyRankedTensor>:$type);
  let assemblyFormat = "$sym_name (`repeat` $repeat^)? attr-dict `:` $type";
  let hasVerifier = 1;
}

def StateOp : Tile_Op<"state", [Symbol, HasParent<"ProgramOp">]> {
  let summary = "Declare what sequences keep between steps";
  let description = [{
    As `quartet.state`. Constraints: (C1) the first dimension is dynamic and no
    other is, the element type is f32, f16, bf16 or i8.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Tile_StateDimAttr:$dim,
                       DefaultValuedAttr<I64Attr, "1">:$repeat,
                       TypeAttrOf<AnyRankedTensor>:$type);
  let assemblyFormat = "$sym_name $dim (`repeat` $repeat^)? attr-dict `:` $type";
  let hasVerifier = 1;
}

def StepOp : Tile_Op<"step", [
    Symbol, SymbolTable, HasParent<"ProgramOp">, NoTerminator, SingleBlock]> {
  let summary = "The schedule for up to `tokens` tokens";
  let description = [{
    Holds `tile.buffer`, `tile.event`, `tile.phase` and `tile.layers`. Workers run
    phases in the order in which they stand.

    `kind` many: token tiles are a dimension of the tasks, the delta rule runs in
    its chunked form. Steps of one kind give the same bits.

    `scratch`, `scratch_per_page` and `local` are set by `tile-plan-memory`, in
    bytes: the buffers need scratch + scratch_per_page * W where W is the width of
    the page table; each worker needs `local` for its local values.

    `mtp`: the step of multi-token prediction, see `quartet.step`.

    Constraints: (C1) holds only the ops above, (C2) tokens and sequences are at
    least 1, (C3) no two phases have one name.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, UnitAttr:$mtp,
                       Tile_StepKindAttr:$kind,
                       I64Attr:$tokens, I64Attr:$sequences,
                       OptionalAttr<I64Attr>:$scratchBytes,
                       OptionalAttr<I64Attr>:$scratchPageBytes,
                       OptionalAttr<I64Attr>:$localBytes);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name (`mtp` $mtp^)? $kind `tokens` $tokens `sequences` $sequences
    (`scratch` $scratchBytes^)? (`scratch_per_page` $scratchPageBytes^)?
    (`local` $localBytes^)? attr-dict-with-keyword $body
  }];
  let hasRegionVerifier = 1;
}

def BufferOp : Tile_Op<"buffer", [Symbol, HasParent<"StepOp">]> {
  let summary = "Declare memory that all workers share during a step";
  let description = [{
    A `memref`, or `!tile.rows` for staged rows. At most the third dimension of
    a memref is dynamic: the number of ranges of the longest sequence
    (`pieces` pages each; one number for all buffers of a step). `tile-plan-memory`
    gives a buffer its `offset` in the step's scratch memory, in bytes. Dynamic
    ones come behind all others, and their offset is in bytes per piece: their
    address is scratch + dynamicBase + offset * ceil(W / pieces), where W is the
    width of the page table and `dynamicBase` (TileSizes.h) follows from the step.
    Floats of staged rows in `parts` are sums of so many bf16 where they lie,
    in an order of the target's.

    Constraints: (C1) a memref of f32, f16, bf16, i8 or i32 without layout, or
    !tile.rows, (C2) only dimension 2 is dynamic, and if and only if there are
    `pieces`, at least 1, (C3) the offset is not negative, (C4) `parts` are 1 or
    2, of !tile.rows of group 0.

    ```mlir
    tile.buffer @x : memref<16x2048xf32>
    tile.buffer @staged in 2 parts : !tile.rows<64, 2048, 0>
    tile.buffer @partials pieces of 8 pages : memref<16x16x?x272xf32>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$type,
                       OptionalAttr<I64Attr>:$piecePages,
                       OptionalAttr<I64Attr>:$parts,
                       OptionalAttr<I64Attr>:$offset);
  let assemblyFormat = [{
    $sym_name (`pieces` `of` $piecePages^ `pages`)? (`in` $parts^ `parts`)?
    (`at` $offset^)? attr-dict `:` $type
  }];
  let hasVerifier = 1;
}

def EventOp : Tile_Op<"event", [Symbol, HasParent<"StepOp">]> {
  let summary = "Declare that a phase can be waited for";
  let arguments = (ins SymbolNameAttr:$sym_name);
  let assemblyFormat = "$sym_name attr-dict";
}

def LayersOp : Tile_Op<"layers", [HasParent<"StepOp">, NoTerminator, SingleBlock]> {
  let summary = "Repeat phases, once for each block of layers";
  let description = [{
    Matrices, vectors and states with `repeat` mean their i-th one in the i-th
    repetition.

    Constraints: (C1) holds phases only, and at least one, (C2) repeat is at
    least 1.
  }];
  let arguments = (ins I64Attr:$repeat);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "`repeat` $repeat attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
}

def PhaseOp : Tile_Op<"phase", [
    ParentOneOf<["StepOp", "LayersOp"]>, NoTerminator, SingleBlock]> {
  let summary = "Work whose tasks do not depend on each other";
  let description = [{
    In order: what may begin before anything is waited for (`tile.prefetch`), the
    waits, what every worker does for itself (`tile.stage`, `tile.route`,
    `tile.recall`), one or more `tile.tasks`, and at most one `tile.signal`.

    A worker does what it does for itself when it has its first task of the
    phase, not before: the event counts tasks only, and when they are done, later
    phases may overwrite what a late worker would still read. Only a phase with
    `tile.route` counts all workers too.

    Constraints: (C1) that order, (C2) at least one `tile.tasks`.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
}

def WaitOp : Tile_Op<"wait", [HasParent<"PhaseOp">, Tile_SymbolUser]> {
  let summary = "Go on when all tasks of the phase that signals the event are done";
  let description = [{
    Inside `tile.layers`, an event of the same loop means the same repetition's;
    with `previous`, the one before (nothing in the first). Outside, an event of
    a loop means its last repetition's.

    Constraints: (C1) names a `tile.event` of the step.

    ```mlir
    tile.wait @l0.in
    tile.wait previous @l3.down
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$event, UnitAttr:$previous);
  let assemblyFormat = "(`previous` $previous^)? $event attr-dict";
}

def SignalOp : Tile_Op<"signal", [HasParent<"PhaseOp">, Tile_SymbolUser]> {
  let summary = "All tasks of this phase are done";
  let description = [{
    Constraints: (C1) names a `tile.event` of the step.
  }];
  let arguments = (ins FlatSymbolRefAttr:$event);
  let assemblyFormat = "$event attr-dict";
}

def PrefetchOp : Tile_Op<"prefetch", [HasParent<"PhaseOp">, Tile_SymbolUser]> {
  let summary = "Begin to read the first tiles of a stream before waiting";
  let description = [{
    Weights do not depend on activations: while a phase waits, its workers read
    the first `bytes` of what the matrix's tasks will read.

    Constraints: (C1) names a `tile.matrix`, (C2) at least one byte.
  }];
  let arguments = (ins FlatSymbolRefAttr:$matrix, I64Attr:$bytes);
  let assemblyFormat = "$matrix `bytes` $bytes attr-dict";
}

def TasksOp : Tile_Op<"tasks", [HasParent<"PhaseOp">, NoTerminator, SingleBlock]> {
  let summary = "A grid of tasks";
  let description = [{
    The body runs once for each point of the grid, in any order, on any worker.
    Its arguments are the point's coordinates; the last one runs fastest.

    Constraints: (C1) one `index` argument per extent, (C2) an extent `experts`
    needs the phase's `tile.route`, (C3) the body holds micro-kernels only, which
    use the coordinates of this grid, (C4) a coordinate counts what the op cuts
    with it, in tiles of the same size: `<tokens n>` or `<rows n>` tiles of n
    tokens or rows, `<sequences 1>` sequences, `<ranges n>` n pages,
    `<experts 1>` experts, and `<count n>` columns, heads and rows of weights.

    ```mlir
    tile.tasks [<tokens 64>, <count 193>] {
    ^bb0(%t: index, %r: index):
      ...
    }
    ```
  }];
  let arguments = (ins Tile_ExtentArrayAttr:$extents,
                       Optional<Tile_Groups>:$groups);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    custom<Extents>($extents) (`groups` $groups^ `:` qualified(type($groups)))? attr-dict-with-keyword $body
  }];
  let hasRegionVerifier = 1;
}

#endif
