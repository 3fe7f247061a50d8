// The quartet dialect: WHAT the model computes. See docs/architecture.md.
#ifndef QUARTET_DIALECT
#define QUARTET_DIALECT

include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Quartet_Dialect : Dialect {
  let name = "quartet";
  let cppNamespace = "::quartet";
  let summary = "One step of a hybrid Gated DeltaNet / attention / MoE model";
  let description = [{
    A `quartet.model` declares weights and states and has one `quartet.step`:
    the forward pass that advances N tokens, which belong to one or more
    sequences (*ragged* tokens), by all layers. Activations are tensors with
    value semantics. Prefill, decode, batched decode and mixtures of them are
    the same program.

    Names used in all shapes: N tokens of the step, S sequences, R rows whose
    logits are wanted, H hidden size, V vocabulary. The sequence operands are
    those of `quartet_step_args` in `runtime/include/quartet/abi.h`:
    `token_seq [N]` (which sequence), `seq_start [S+1]`, `seq_past [S]` (tokens
    already in the state), `seq_slot [S]`, `page_table [slots, width]`.

    In constraints, an extent that is called static is so, and at least 1,
    wherever its letter stands; other extents agree: they are equal, or one of
    them is dynamic.

    Every op has a decomposition to `linalg`, `scf` and `math`
    (`-quartet-to-linalg`): it is the op's meaning, the oracle in tests and the
    lowering that works on any LLVM target. Unless an op says otherwise, inputs
    are widened to f32, everything is computed and accumulated in f32, and the
    result is rounded once, to the result's type.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
}

def Quartet_Activation : I32EnumAttr<"Activation", "gate activation", [
    I32EnumAttrCase<"Silu", 0, "silu">, I32EnumAttrCase<"Sigmoid", 1, "sigmoid">]> {
  let cppNamespace = "::quartet";
  let genSpecializedAttr = 0;
}
def Quartet_ActivationAttr : EnumAttr<Quartet_Dialect, Quartet_Activation, "activation"> {
  let assemblyFormat = "$value";
}

def Quartet_StateDim : I32EnumAttr<"StateDim", "what the runtime chooses the first dimension of a state by", [
    I32EnumAttrCase<"Slots", 0, "slots">, I32EnumAttrCase<"Pages", 1, "pages">]> {
  let cppNamespace = "::quartet";
  let genSpecializedAttr = 0;
}
def Quartet_StateDimAttr : EnumAttr<Quartet_Dialect, Quartet_StateDim, "state_dim"> {
  let assemblyFormat = "$value";
}

class Quartet_Op<string mnemonic, list<Trait> traits = []>
    : Op<Quartet_Dialect, mnemonic, traits>;

#endif
