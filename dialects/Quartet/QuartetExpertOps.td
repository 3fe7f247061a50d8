// The mixture of experts, the dense MLP, and both ends of the model.
#ifndef QUARTET_EXPERT_OPS
#define QUARTET_EXPERT_OPS

include "dialects/Quartet/QuartetDialect.td"
include "dialects/Quartet/QuartetMixerOps.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def EmbedOp : Quartet_Op<"embed", [Pure]> {
  let summary = "Look up the embedding row of each token";
  let description = [{
    ```
    y[t,:] = table[tokens[t], :]
    ```

    Constraints: (C1) shape(table) = [V, H], static, (C2) shape(y) = [N, H] with
    N elements in tokens.

    ```mlir
    %x = quartet.embed %tokens, %table
      : (tensor<?xi32>, tensor<248320x2048xbf16>) -> tensor<?x2048xf32>
    ```
  }];
  let arguments = (ins 1DTensorOf<[I32]>:$tokens,     // [N], in [0, V)
                       2DTensorOf<FloatTypes>:$table); // [V, H]
  let results = (outs 2DTensorOf<FloatTypes>:$y);      // [N, H]
  let assemblyFormat = "$tokens `,` $table attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def RouteOp : Quartet_Op<"route", [Pure]> {
  let summary = "Choose the experts of each token";
  let description = [{
    ```
    p[t,:] = softmax_e( sum_i x[t,i] * w[e,i] )        // over all E, in f32
    ids[t,:] = the top_k experts by p, largest first; lowest id first on ties
    weights[t,j] = p[t, ids[t,j]]; with `renormalize` divided by their sum
    ```

    Constraints: (C1) shape(w) = [E, H], static, and shape(x) = [N, H], (C2)
    1 <= top_k <= E, (C3) shape(weights) = shape(ids) = [N, top_k].

    ```mlir
    %p, %ids = quartet.route %x, %w top_k 8 renormalize
      : (tensor<?x2048xf32>, tensor<256x2048xbf16>) -> (tensor<?x8xf32>, tensor<?x8xi32>)
    ```

    Source: Qwen3_5MoeTopKRouter in Hugging Face transformers.
  }];
  let arguments = (ins 2DTensorOf<FloatTypes>:$x,      // [N, H]
                       Quartet_Matrix:$weight,         // [E, H]
                       I64Attr:$topK, UnitAttr:$renormalize);
  let results = (outs 2DTensorOf<[F32]>:$weights, // [N, top_k]
                      2DTensorOf<[I32]>:$ids);    // [N, top_k]
  let assemblyFormat = [{
    $x `,` $weight `top_k` $topK (`renormalize` $renormalize^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def ExpertsOp : Quartet_Op<"experts", [Pure]> {
  let summary = "Run the routed SwiGLU experts and sum them by weight";
  let description = [{
    With e = ids[t,j]:

    ```
    h[t,j,i] = silu(sum_c gate_up[e,i,c] * x[t,c]) * (sum_c gate_up[e,I+i,c] * x[t,c])
    y[t,o] = sum_j weights[t,j] * (sum_i down[e,o,i] * h[t,j,i])   // j ascending
    ```

    Reads top_k of the E experts per token.

    Constraints: (C1) shape(gate_up) = [E, 2I, H] and shape(down) = [E, H, I],
    static, (C2) shape(x) = shape(y) = [N, H], (C3) shape(weights) = shape(ids)
    = [N, K] with K static.

    ```mlir
    %y = quartet.experts %x, %p, %ids, %gate_up, %down
      : (tensor<?x2048xf32>, tensor<?x8xf32>, tensor<?x8xi32>,
         tensor<256x1024x2048xbf16>, tensor<256x2048x512xbf16>) -> tensor<?x2048xf32>
    ```

    Source: Qwen3_5MoeExperts in Hugging Face transformers.
  }];
  let arguments = (ins 2DTensorOf<FloatTypes>:$x,       // [N, H]
                       2DTensorOf<[F32]>:$weights,      // [N, K]
                       2DTensorOf<[I32]>:$ids,          // [N, K], in [0, E)
                       Quartet_ExpertMatrices:$gateUp,  // [E, 2I, H]: gate, then up
                       Quartet_ExpertMatrices:$down);   // [E, H, I]
  let results = (outs 2DTensorOf<FloatTypes>:$y);       // [N, H]
  let assemblyFormat = [{
    $x `,` $weights `,` $ids `,` $gateUp `,` $down attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def MlpOp : Quartet_Op<"mlp", [Pure]> {
  let summary = "Dense SwiGLU";
  let description = [{
    ```
    h[t,i] = silu(sum_c gate_up[i,c] * x[t,c]) * (sum_c gate_up[I+i,c] * x[t,c])
    y[t,o] = sum_i down[o,i] * h[t,i]
    ```

    Constraints: (C1) shape(gate_up) = [2I, H] and shape(down) = [H, I], static,
    (C2) shape(x) = shape(y) = [N, H].

    ```mlir
    %y = quartet.mlp %x, %gate_up, %down
      : (tensor<?x64xf32>, tensor<256x64xbf16>, tensor<64x128xbf16>) -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins 2DTensorOf<FloatTypes>:$x,      // [N, H]
                       Quartet_Matrix:$gateUp,         // [2I, H]: gate, then up
                       Quartet_Matrix:$down);          // [H, I]
  let results = (outs 2DTensorOf<FloatTypes>:$y);
  let assemblyFormat = [{
    $x `,` $gateUp `,` $down attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def SharedExpertOp : Quartet_Op<"shared_expert", [Pure]> {
  let summary = "The expert that every token uses, with its scalar gate";
  let description = [{
    ```
    y[t,:] = sigmoid(sum_c gate[0,c] * x[t,c]) * mlp(x[t], gate_up, down)
    ```

    with `quartet.mlp`.

    Constraints: (C1) shape(gate_up) = [2I, H] and shape(down) = [H, I], static,
    (C2) shape(x) = shape(y) = [N, H], (C3) shape(gate) = [1, H].

    ```mlir
    %y = quartet.shared_expert %x, %gate_up, %down, %gate
      : (tensor<?x64xf32>, tensor<256x64xbf16>, tensor<64x128xbf16>, tensor<1x64xbf16>)
      -> tensor<?x64xf32>
    ```

    Source: Qwen3_5MoeSparseMoeBlock in Hugging Face transformers.
  }];
  let arguments = (ins 2DTensorOf<FloatTypes>:$x,      // [N, H]
                       Quartet_Matrix:$gateUp,         // [2I, H]: gate, then up
                       Quartet_Matrix:$down,           // [H, I]
                       Quartet_Matrix:$gate);          // [1, H]
  let results = (outs 2DTensorOf<FloatTypes>:$y);
  let assemblyFormat = [{
    $x `,` $gateUp `,` $down `,` $gate attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def LmHeadOp : Quartet_Op<"lm_head", [Pure]> {
  let summary = "Logits of the chosen rows";
  let description = [{
    ```
    logits[r,v] = sum_i x[rows[r], i] * w[v,i]
    ```

    Accumulated in f32.

    Constraints: (C1) shape(w) = [V, H], static, and shape(x) = [N, H], (C2)
    shape(logits) = [R, V] with R elements in rows.

    ```mlir
    %logits = quartet.lm_head %x, %rows, %w
      : (tensor<?x2048xf32>, tensor<?xi32>, tensor<248320x2048xbf16>)
      -> tensor<?x248320xf32>
    ```
  }];
  let arguments = (ins 2DTensorOf<FloatTypes>:$x,       // [N, H]
                       1DTensorOf<[I32]>:$rows,         // [R], in [0, N)
                       Quartet_Matrix:$weight);         // [V, H]
  let results = (outs 2DTensorOf<[F32]>:$logits);       // [R, V]
  let assemblyFormat = "$x `,` $rows `,` $weight attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def SampleOp : Quartet_Op<"sample", [Pure]> {
  let summary = "Draw one token per row";
  let description = [{
    For row r, with ids below `token_limit` only:

    ```
    temperature[r] == 0: the id of the largest logit, the lowest such id
    otherwise, K = min(top_k[r], candidates):
      c_0..c_{K-1} = the K largest logits, largest first, lowest id first on ties
      p_j = softmax_j(c_j / temperature[r])
      drop every j with p_j < min_p[r] * p_0
      keep the shortest prefix with p_0 + p_1 + ... >= top_p[r]
      the first j with p_0 + ... + p_j > uniform[r] * (sum of kept p)
    ```

    All sums are f32, in order. The runtime gives rows to this op only with
    1 <= top_k[r] <= candidates or temperature[r] = 0.

    Constraints: (C1) logits is [R, V] with static V, (C2) temperature, top_k,
    top_p, min_p, uniform and the result have R elements, (C3) 1 <= token_limit
    <= V, (C4) candidates >= 1.

    ```mlir
    %ids = quartet.sample %logits, %temperature, %top_k, %top_p, %min_p, %uniform
        token_limit 248077 candidates 64
      : (tensor<?x248320xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>,
         tensor<?xf32>, tensor<?xf32>) -> tensor<?xi32>
    ```
  }];
  let arguments = (ins 2DTensorOf<[F32]>:$logits,      // [R, V]
                       1DTensorOf<[F32]>:$temperature, // [R], >= 0
                       1DTensorOf<[I32]>:$topK,        // [R]
                       1DTensorOf<[F32]>:$topP,        // [R], in (0, 1]
                       1DTensorOf<[F32]>:$minP,        // [R], in [0, 1]
                       1DTensorOf<[F32]>:$uniform,     // [R], in [0, 1)
                       I64Attr:$tokenLimit, I64Attr:$candidates);
  let results = (outs 1DTensorOf<[I32]>:$ids);         // [R]
  let assemblyFormat = [{
    $logits `,` $temperature `,` $topK `,` $topP `,` $minP `,` $uniform
    `token_limit` $tokenLimit `candidates` $candidates attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif
