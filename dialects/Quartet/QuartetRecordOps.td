// What a calibration run adds to the model: statistics of activations.
#ifndef QUARTET_RECORD_OPS
#define QUARTET_RECORD_OPS

include "dialects/Quartet/QuartetDialect.td"
include "dialects/Quartet/QuartetTypes.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def AccumulateSquaresOp : Quartet_Op<"accumulate_squares", [Pure]> {
  let summary = "Add squared activations to the sums of their sequences";
  let description = [{
    With s = seq_slot[token_seq[t]], for all tokens t in order; columns c < C:

    ```
    state_out = state_in, then
    state_out[s,c] += x[t,c]^2
    state_out[s,C] += 1
    ```

    With `ids`, the rows of the experts e = ids[t,j], all j in order; x is one row
    for all of a token's experts, or has one for each:

    ```
    state_out[s,e,c] += x[t,c]^2        or  x[t,j,c]^2
    state_out[s,e,C] += 1
    ```

    So the last column counts rows, exactly up to 2^24.

    Constraints: (C1) shape(x) = [N, C], or [N, K, C] with ids, C static, (C2)
    shape(ids) = [N, K], K static, (C3) shape(state_in) = shape(state_out) =
    [slots, C + 1], or [slots, E, C + 1] with ids, E static, (C4)
    shape(token_seq) = [N] and shape(seq_slot) = [S].

    ```mlir
    %s1 = quartet.accumulate_squares %h experts(%ids) to %s0 at %token_seq, %seq_slot
      : (tensor<?x8x512xf32>, tensor<?x8xi32>, tensor<?x256x513xf32>, tensor<?xi32>,
         tensor<?xi32>) -> tensor<?x256x513xf32>
    ```
  }];
  let arguments = (ins AnyTypeOf<[2DTensorOf<FloatTypes>, 3DTensorOf<FloatTypes>]>:$x,
                       Optional<2DTensorOf<[I32]>>:$ids, // [N, K], in [0, E)
                       AnyTypeOf<[2DTensorOf<[F32]>, 3DTensorOf<[F32]>]>:$stateIn,
                       1DTensorOf<[I32]>:$tokenSeq,      // [N]
                       1DTensorOf<[I32]>:$seqSlot);      // [S]
  let results = (outs AnyTypeOf<[2DTensorOf<[F32]>, 3DTensorOf<[F32]>]>:$stateOut);
  let assemblyFormat = [{
    $x (`experts` `(` $ids^ `)`)? `to` $stateIn `at` $tokenSeq `,` $seqSlot attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif
