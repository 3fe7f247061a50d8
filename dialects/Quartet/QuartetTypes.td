// The type of matrices that are stored in panels, what matrix operands may be,
// and the attribute that says which rows of which weights make up a matrix.
#ifndef QUARTET_TYPES
#define QUARTET_TYPES

include "dialects/Quartet/QuartetDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributes.td"

def Quartet_PackedType : TypeDef<Quartet_Dialect, "Packed"> {
  let mnemonic = "packed";
  let summary = "A weight matrix in panels of 16 rows, quantized or not";
  let description = [{
    Shape [R, K], or [E, R, K] for the matrices of E experts, and how the values
    are stored: the text of a `PackedFormat` (PackedFormat.h). Its values are
    those of the unpacked matrix up to quantization. No op computes with it
    except those that take a weight matrix.

    Constraints: (C1) rank 2 or 3 with extents of at least 1, (C2) the format
    parses.

    ```mlir
    !quartet.packed<12288x2048, "int4:64">
    !quartet.packed<257x1024x2048, "bf16">
    ```
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape,
                        StringRefParameter<>:$format);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The format, parsed.
    ::quartet::PackedFormat getPackedFormat() const;
  }];
}

class Quartet_PackedOfRank<int rank> : Type<
    And<[CPred<"::llvm::isa<::quartet::PackedType>($_self)">,
         CPred<"::llvm::cast<::quartet::PackedType>($_self).getShape().size() == " # rank>]>,
    rank # "D packed matrix", "::quartet::PackedType">;

defvar FloatTypes = [F16, BF16, F32];
/// Of KV pages.
defvar CacheTypes = [F16, BF16, F32, I8];

/// A weight matrix [R, K], and those of experts [E, R, K].
def Quartet_Matrix : AnyTypeOf<[2DTensorOf<FloatTypes>, Quartet_PackedOfRank<2>]>;
def Quartet_ExpertMatrices : AnyTypeOf<[3DTensorOf<FloatTypes>, Quartet_PackedOfRank<3>]>;
/// What a weight may be declared with.
def Quartet_AnyWeight : AnyTypeOf<[AnyRankedTensor, Quartet_PackedType]>;

def Quartet_PartAttr : AttrDef<Quartet_Dialect, "Part"> {
  let mnemonic = "part";
  let summary = "Rows of one source weight in a matrix made of several";
  let description = [{
    The source is a weight of the model's plan (models/Weights.h), seen as
    [experts][rows][columns]. From its row `from`, `rows` rows become the rows
    beginning with row `to` of the matrix, `columns` columns from column `from`
    on become the columns beginning with column 0, and its `experts` experts
    become the experts beginning with expert `to`. What is not said is 0; one
    expert. With `repeat` this holds for every repetition.

    Constraints: (C1) rows, columns and experts are at least 1, the others at
    least 0, (C2) the source has a name.

    ```mlir
    #quartet.part<@l0.qkv rows 8192 columns 2048>
    #quartet.part<@l0.z rows 4096 to 8192 columns 2048>
    #quartet.part<@l0.shared_gate_up rows 512 from 512 to 512 columns 2048 experts 1 to 256>
    ```
  }];
  let parameters = (ins
    "::mlir::FlatSymbolRefAttr":$source, "int64_t":$rows,
    DefaultValuedParameter<"int64_t", "0">:$sourceRow,
    DefaultValuedParameter<"int64_t", "0">:$row,
    "int64_t":$columns,
    DefaultValuedParameter<"int64_t", "0">:$sourceColumn,
    DefaultValuedParameter<"int64_t", "1">:$experts,
    DefaultValuedParameter<"int64_t", "0">:$expert);
  let assemblyFormat = [{
    `<` $source `rows` $rows (`from` $sourceRow^)? (`to` $row^)?
        `columns` $columns (`from` $sourceColumn^)?
        (`experts` $experts^)? (`to` $expert^)? `>`
  }];
  let genVerifyDecl = 1;
}
def Quartet_PartsAttr : TypedArrayAttrBase<Quartet_PartAttr, "parts of a matrix">;

#endif
