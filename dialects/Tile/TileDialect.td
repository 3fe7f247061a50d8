// The tile dialect: HOW one step runs. See docs/architecture.md.
#ifndef TILE_DIALECT
#define TILE_DIALECT

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::quartet::tile";
  let summary = "The schedule of a step: phases of independent tasks on tiles";
  let description = [{
    A `tile.program` declares matrices, vectors and states, and has a `tile.step`
    per bucket. A step is a list of phases, some of them repeated with the layers.
    The tasks of a phase do not depend on each other; a phase waits for events
    of others, and signals its own when its tasks are done. Workers (threads,
    thread blocks) run all phases in order and share each phase's tasks.

    What a task works on lies in three places: buffers (`tile.buffer`, shared by
    all workers), weights that are streamed (`tile.stream`), and local values
    (`!tile.rows`, `!tile.acc`, `!tile.groups`), which a worker keeps for itself.

    No thread, lane or instruction appears here: every target lowers the same
    program. Names in shapes are those of the quartet dialect: N tokens, S
    sequences, R rows whose logits are wanted.

    An access is written `@buffer[%i, %j]`: the coordinates of the task that
    select its piece. Pieces of different coordinates do not overlap. A symbol
    means the step's buffer or event of that name, else the program's weight or
    state.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
}

class Tile_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::quartet::tile";
  let genSpecializedAttr = 0;
}
class Tile_EnumAttr<I32EnumAttr e, string mnemonic>
    : EnumAttr<Tile_Dialect, e, mnemonic> {
  let assemblyFormat = "`` $value";
}

def Tile_StepKind : Tile_Enum<"StepKind", "how many tokens a step is made for", [
    I32EnumAttrCase<"Few", 0, "few">, I32EnumAttrCase<"Many", 1, "many">]>;
def Tile_StepKindAttr : Tile_EnumAttr<Tile_StepKind, "step_kind">;

def Tile_StateDim : Tile_Enum<"StateDim", "what the runtime chooses the first dimension by", [
    I32EnumAttrCase<"Slots", 0, "slots">, I32EnumAttrCase<"Pages", 1, "pages">]>;
def Tile_StateDimAttr : Tile_EnumAttr<Tile_StateDim, "state_dim">;

def Tile_Gate : Tile_Enum<"Gate", "activation of a gate", [
    I32EnumAttrCase<"Silu", 0, "silu">, I32EnumAttrCase<"Sigmoid", 1, "sigmoid">]>;
def Tile_GateAttr : Tile_EnumAttr<Tile_Gate, "gate">;

def Tile_Staging : Tile_Enum<"Staging", "what happens to rows on their way in", [
    I32EnumAttrCase<"Plain", 0, "plain">,
    I32EnumAttrCase<"RmsNorm", 1, "rms_norm">,
    I32EnumAttrCase<"GatedNorm", 2, "gated_norm">,
    I32EnumAttrCase<"Merge", 3, "merge">]>;
def Tile_StagingAttr : Tile_EnumAttr<Tile_Staging, "staging">;

def Tile_ExtentKind : Tile_Enum<"ExtentKind", "what a dimension of a task grid counts", [
    I32EnumAttrCase<"Count", 0, "count">,
    I32EnumAttrCase<"Tokens", 1, "tokens">,
    I32EnumAttrCase<"Rows", 2, "rows">,
    I32EnumAttrCase<"Sequences", 3, "sequences">,
    I32EnumAttrCase<"Ranges", 4, "ranges">,
    I32EnumAttrCase<"Experts", 5, "experts">]>;

def Tile_ExtentAttr : AttrDef<Tile_Dialect, "Extent"> {
  let mnemonic = "extent";
  let summary = "One dimension of a task grid";
  let description = [{
    `<count n>`: n tasks. `<tokens n>`: ceil(N / n). `<rows n>`: ceil(R / n).
    `<sequences 1>`: S. `<ranges n>`: ceil(longest sequence in pages / n).
    `<experts 1>`: blocks of up to 64 (token, expert) pairs of one expert, from the
    phase's `tile.route`.
  }];
  let parameters = (ins EnumParameter<Tile_ExtentKind>:$kind, "int64_t":$size);
  let assemblyFormat = "`<` $kind $size `>`";
  let genVerifyDecl = 1;
}
def Tile_ExtentArrayAttr : TypedArrayAttrBase<Tile_ExtentAttr, "extents of a task grid">;

class Tile_Type<string name, string typeMnemonic> : TypeDef<Tile_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Tile_Rows : Tile_Type<"Rows", "rows"> {
  let summary = "Activation rows staged in local memory";
  let description = [{
    Up to `tokens` rows of `columns` values. `group` 0: f32. Otherwise int8 with
    an f32 scale and the sum of the values for every `group` columns.
  }];
  let parameters = (ins "int64_t":$tokens, "int64_t":$columns, "int64_t":$group);
  let assemblyFormat = "`<` $tokens `,` $columns `,` $group `>`";
  let genVerifyDecl = 1;
}

def Tile_Acc : Tile_Type<"Acc", "acc"> {
  let summary = "Results of a matmul: f32, tokens x rows of the weight";
  let parameters = (ins "int64_t":$tokens, "int64_t":$rows);
  let assemblyFormat = "`<` $tokens `,` $rows `>`";
}

def Tile_Weights : Tile_Type<"Weights", "weights"> {
  let summary = "A tile of a matrix on its way in, in a packed format";
  let description = [{
    `format` is the text of `PackedFormat` (dialects/Quartet/PackedFormat.h).
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns,
                        StringRefParameter<"packed format">:$format);
  let assemblyFormat = "`<` $rows `,` $columns `,` $format `>`";
  let extraClassDeclaration = [{
    /// The format, parsed.
    ::quartet::PackedFormat getPackedFormat() const;
  }];
  let genVerifyDecl = 1;
}

def Tile_Groups : Tile_Type<"Groups", "groups"> {
  let summary = "Which tokens each expert has, and with which weight";
}

def Tile_SymbolUser : DeclareOpInterfaceMethods<SymbolUserOpInterface>;

class Tile_Op<string mnemonic, list<Trait> traits = []>
    : Op<Tile_Dialect, mnemonic, traits>;

#endif
