// What fusion makes of projections, experts and dense SwiGLUs: ops that each
// fit into one phase of the step program.
#ifndef QUARTET_FUSED_OPS
#define QUARTET_FUSED_OPS

include "dialects/Quartet/QuartetDialect.td"
include "dialects/Quartet/QuartetTypes.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def ProjectionsOp : Quartet_Op<"projections", [Pure]> {
  let summary = "Several linear maps of the same rows in one matrix";
  let description = [{
    For result j, with O_j columns:

    ```
    y_j[t,o] = sum_i x[t,i] * w[rows[j]+o, i]
    ```

    Rows of w between the results are padding and not read. Each row range
    starts at a panel of packed matrices.

    Constraints: (C1) shape(w) = [R, I], static, and shape(x) = [N, I], (C2)
    shape(y_j) = [N, O_j], O_j static, (C3) one row per result, each a multiple
    of 16, rows[j] + O_j <= rows[j+1] and the last end <= R.

    ```mlir
    %qkv, %z = quartet.projections %x, %w rows [0, 8192]
      : (tensor<?x2048xf32>, !quartet.packed<12288x2048, "int4:64">)
      -> (tensor<?x8192xf32>, tensor<?x4096xf32>)
    ```
  }];
  let arguments = (ins 2DTensorOf<FloatTypes>:$x, // [N, I]
                       Quartet_Matrix:$weight,    // [R, I]
                       DenseI64ArrayAttr:$rows);  // first row of each result
  let results = (outs Variadic<2DTensorOf<FloatTypes>>:$ys);
  let assemblyFormat = [{
    $x `,` $weight `rows` $rows attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def SelectExpertsOp : Quartet_Op<"select_experts", [Pure]> {
  let summary = "Choose the experts of each token from the router's logits";
  let description = [{
    With k = top_k and S = shared:

    ```
    p[t,:] = softmax_e( logits[t,e] )            // over all E, in f32
    ids[t,j] = the j-th expert by p, largest first; lowest id first on ties, j < k
    weights[t,j] = p[t, ids[t,j]]; with `renormalize` divided by their sum
    ids[t,k+s] = E + s,  weights[t,k+s] = sigmoid(gate[t,0]),  s < S
    ```

    So the shared expert is S more experts that every token uses.

    Constraints: (C1) shape(logits) = [N, E], E static, (C2) 1 <= top_k <= E,
    (C3) shape(gate) = [N, 1], there if and only if S >= 1, (C4)
    shape(weights) = shape(ids) = [N, top_k + S].

    ```mlir
    %p, %ids = quartet.select_experts %logits top_k 8 renormalize shared 1 gate(%gate)
      : (tensor<?x256xf32>, tensor<?x1xf32>) -> (tensor<?x9xf32>, tensor<?x9xi32>)
    ```

    Source: Qwen3_5MoeTopKRouter and Qwen3_5MoeSparseMoeBlock in Hugging Face
    transformers.
  }];
  let arguments = (ins 2DTensorOf<FloatTypes>:$logits,         // [N, E]
                       Optional<2DTensorOf<FloatTypes>>:$gate, // [N, 1]
                       I64Attr:$topK, UnitAttr:$renormalize,
                       DefaultValuedAttr<I64Attr, "0">:$shared);
  let results = (outs 2DTensorOf<[F32]>:$weights, // [N, top_k + S]
                      2DTensorOf<[I32]>:$ids);    // [N, top_k + S]
  let assemblyFormat = [{
    $logits `top_k` $topK (`renormalize` $renormalize^)?
    (`shared` $shared^)? (`gate` `(` $gate^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def ExpertUpOp : Quartet_Op<"expert_up", [Pure]> {
  let summary = "First half of the experts: gate, up and SwiGLU";
  let description = [{
    With e = ids[t,j] and P = I rounded up to a multiple of 16, or P = I where
    gate_up is a tensor:

    ```
    h[t,j,i] = silu(sum_c gate_up[e,i,c] * x[t,c]) * (sum_c gate_up[e,P+i,c] * x[t,c])
    ```

    Constraints: (C1) shape(h) = [N, K, I], K and I static, (C2)
    shape(gate_up) = [E, 2P, H], static, (C3) shape(x) = [N, H], (C4)
    shape(ids) = [N, K].

    ```mlir
    %h = quartet.expert_up %x, %ids, %gate_up
      : (tensor<?x2048xf32>, tensor<?x9xi32>, !quartet.packed<257x1024x2048, "int4:64">)
      -> tensor<?x9x512xf32>
    ```
  }];
  let arguments = (ins 2DTensorOf<FloatTypes>:$x,         // [N, H]
                       2DTensorOf<[I32]>:$ids,            // [N, K], in [0, E)
                       Quartet_ExpertMatrices:$gateUp);   // [E, 2P, H]
  let results = (outs 3DTensorOf<FloatTypes>:$h);         // [N, K, I]
  let assemblyFormat = [{
    $x `,` $ids `,` $gateUp attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def ExpertDownOp : Quartet_Op<"expert_down", [Pure]> {
  let summary = "Second half of the experts: down, sum by weight, residual";
  let description = [{
    With e = ids[t,j]:

    ```
    y[t,o] = residual[t,o] + sum_j weights[t,j] * (sum_i down[e,o,i] * h[t,j,i])
    ```

    j ascending, the residual last; without `residual` there is no such term.

    Constraints: (C1) shape(down) = [E, H, I], static, (C2) shape(h) =
    [N, K, I], K static, (C3) shape(weights) = shape(ids) = [N, K], (C4)
    shape(y) = shape(residual) = [N, H].

    ```mlir
    %y = quartet.expert_down %h, %p, %ids, %down residual(%x)
      : (tensor<?x9x512xf32>, tensor<?x9xf32>, tensor<?x9xi32>,
         !quartet.packed<257x2048x512, "int4:64">, tensor<?x2048xf32>)
      -> tensor<?x2048xf32>
    ```
  }];
  let arguments = (ins 3DTensorOf<FloatTypes>:$h,          // [N, K, I]
                       2DTensorOf<[F32]>:$weights,         // [N, K]
                       2DTensorOf<[I32]>:$ids,             // [N, K], in [0, E)
                       Quartet_ExpertMatrices:$down,       // [E, H, I]
                       Optional<2DTensorOf<FloatTypes>>:$residual); // [N, H]
  let results = (outs 2DTensorOf<FloatTypes>:$y);          // [N, H]
  let assemblyFormat = [{
    $h `,` $weights `,` $ids `,` $down (`residual` `(` $residual^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def MlpUpOp : Quartet_Op<"mlp_up", [Pure]> {
  let summary = "First half of a dense SwiGLU";
  let description = [{
    With P = I rounded up to a multiple of 16, or P = I where gate_up is a
    tensor:

    ```
    h[t,i] = silu(sum_c gate_up[i,c] * x[t,c]) * (sum_c gate_up[P+i,c] * x[t,c])
    ```

    The second half is a `quartet.linear`.

    Constraints: (C1) shape(h) = [N, I], I static, (C2) shape(gate_up) =
    [2P, H], static, (C3) shape(x) = [N, H].

    ```mlir
    %h = quartet.mlp_up %x, %gate_up
      : (tensor<?x5120xf32>, !quartet.packed<34816x5120, "int4:64">) -> tensor<?x17408xf32>
    ```
  }];
  let arguments = (ins 2DTensorOf<FloatTypes>:$x,  // [N, H]
                       Quartet_Matrix:$gateUp);    // [2P, H]
  let results = (outs 2DTensorOf<FloatTypes>:$h);  // [N, I]
  let assemblyFormat = "$x `,` $gateUp attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

#endif
