// Norms, projections and the two mixers: Gated DeltaNet and gated attention.
#ifndef QUARTET_MIXER_OPS
#define QUARTET_MIXER_OPS

include "dialects/Quartet/QuartetDialect.td"
include "dialects/Quartet/QuartetTypes.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def RmsNormOp : Quartet_Op<"rms_norm", [Pure]> {
  let summary = "Zero-centred RMS normalisation of the last dimension";
  let description = [{
    ```
    y[..., d] = x[..., d] * rsqrt(mean_d(x[..., d]^2) + eps) * (1 + w[d])
    ```

    The mean is accumulated in f32.

    Constraints: (C1) x and y have the same shape, of rank 2 or 3, with a static
    last dimension D, (C2) shape(w) = [D], (C3) eps > 0.

    ```mlir
    %y = quartet.rms_norm %x, %w eps 1.0e-6
      : (tensor<?x2048xf32>, tensor<2048xf32>) -> tensor<?x2048xf32>
    ```

    Source: Qwen3_5MoeRMSNorm in Hugging Face transformers.
  }];
  let arguments = (ins TensorRankOf<FloatTypes, [2, 3]>:$x, // [N, D] or [N, heads, D]
                       1DTensorOf<FloatTypes>:$weight,       // [D]
                       F32Attr:$eps);
  let results = (outs TensorRankOf<FloatTypes, [2, 3]>:$y);
  let assemblyFormat = [{
    $x `,` $weight `eps` $eps attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def GatedRmsNormOp : Quartet_Op<"gated_rms_norm", [Pure]> {
  let summary = "RMS normalisation per value head, then a gate (DeltaNet's output norm)";
  let description = [{
    ```
    n[t,h,d] = x[t,h,d] * rsqrt(mean_d(x[t,h,d]^2) + eps)
    y[t,h,d] = w[d] * n[t,h,d] * gate(z[t,h,d])
    ```

    w is *not* zero-centred. gate is silu(z) = z * sigmoid(z), or sigmoid(z).

    Constraints: (C1) x, z and y have the same shape [N, Hv, Dv], Dv static,
    (C2) shape(w) = [Dv], (C3) eps > 0.

    ```mlir
    %y = quartet.gated_rms_norm %x, %z, %w gate silu eps 1.0e-6
      : (tensor<?x32x128xf32>, tensor<?x32x128xf32>, tensor<128xf32>)
      -> tensor<?x32x128xf32>
    ```

    Source: Qwen3_5MoeRMSNormGated in Hugging Face transformers.
  }];
  let arguments = (ins 3DTensorOf<FloatTypes>:$x,      // [N, Hv, Dv]
                       3DTensorOf<FloatTypes>:$z,      // [N, Hv, Dv]
                       1DTensorOf<FloatTypes>:$weight, // [Dv]
                       Quartet_ActivationAttr:$gate, F32Attr:$eps);
  let results = (outs 3DTensorOf<FloatTypes>:$y);
  let assemblyFormat = [{
    $x `,` $z `,` $weight `gate` `` $gate `eps` $eps attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def LinearOp : Quartet_Op<"linear", [Pure]> {
  let summary = "Multiply rows by a matrix stored as [out, in]";
  let description = [{
    ```
    y[t,o] = residual[t,o] + sum_i x[t,i] * w[o,i]
    ```

    Accumulated in f32, the residual last; without `residual` there is no such
    term. No bias: the family has none. 2*N*O*I flops; reads each weight once.

    Constraints: (C1) shape(w) = [O, I], static, (C2) shape(x) = [N, I],
    (C3) shape(y) = shape(residual) = [N, O].

    ```mlir
    %y = quartet.linear %x, %w
      : (tensor<?x2048xf32>, tensor<8192x2048xbf16>) -> tensor<?x8192xf32>
    ```
  }];
  let arguments = (ins 2DTensorOf<FloatTypes>:$x,       // [N, I]
                       Quartet_Matrix:$weight,          // [O, I]
                       Optional<2DTensorOf<FloatTypes>>:$residual); // [N, O]
  let results = (outs 2DTensorOf<FloatTypes>:$y);       // [N, O]
  let assemblyFormat = [{
    $x `,` $weight (`residual` `(` $residual^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  let builders = [OpBuilder<(ins "::mlir::Type":$y, "::mlir::Value":$x,
                                 "::mlir::Value":$weight), [{
    build($_builder, $_state, y, x, weight, ::mlir::Value());
  }]>];
  let hasVerifier = 1;
}

def CausalConvOp : Quartet_Op<"causal_conv", [
    Pure, AllTypesMatch<["stateIn", "stateOut"]>]> { // C4
  let summary = "Causal depthwise convolution over time, then SiLU";
  let description = [{
    For token t of sequence s, at place i = t - seq_start[s] in the step:

    ```
    r[j] = x[seq_start[s] + j] for j >= 0, state_in[seq_slot[s], K-1+j] for j < 0
    y[t,c] = silu( sum_{j=0..K-1} w[c,j] * r[i-(K-1)+j, c] )
    state_out[seq_slot[s], :] = the last K-1 rows of r
    ```

    Tap K-1 is the current token. x is first rounded to the state's type, so a
    window that crosses a step has the same bits as one inside a step. Slots
    that no sequence of the step uses keep their value.

    Constraints: (C1) x and y have the same shape [N, C], C static, (C2)
    shape(w) = [C, K], K >= 2, (C3) shape(state_in) = [slots, K-1, C], (C4)
    type(state_out) = type(state_in), (C5) token_seq has N elements.

    ```mlir
    %y, %s1 = quartet.causal_conv %x, %w, %s0 ragged(%token_seq, %seq_start, %seq_slot)
      : (tensor<?x8192xf32>, tensor<8192x4xf32>, tensor<?x3x8192xbf16>,
         tensor<?xi32>, tensor<?xi32>, tensor<?xi32>)
      -> (tensor<?x8192xf32>, tensor<?x3x8192xbf16>)
    ```

    Source: torch_causal_conv1d_update and its prefill twin in Hugging Face transformers.
  }];
  let arguments = (ins 2DTensorOf<FloatTypes>:$x,       // [N, C]
                       2DTensorOf<FloatTypes>:$weight,  // [C, K]
                       3DTensorOf<FloatTypes>:$stateIn, // [slots, K-1, C]
                       1DTensorOf<[I32]>:$tokenSeq,     // [N]
                       1DTensorOf<[I32]>:$seqStart,     // [S + 1]
                       1DTensorOf<[I32]>:$seqSlot);     // [S]
  let results = (outs 2DTensorOf<FloatTypes>:$y,        // [N, C]
                      3DTensorOf<FloatTypes>:$stateOut);
  let assemblyFormat = [{
    $x `,` $weight `,` $stateIn `ragged` `(` $tokenSeq `,` $seqStart `,` $seqSlot `)`
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def GatedDeltaOp : Quartet_Op<"gated_delta", [
    Pure,
    AllTypesMatch<["q", "k"]>,                  // C1
    AllTypesMatch<["stateIn", "stateOut"]>]> {  // C7
  let summary = "Run the gated delta rule over the tokens of each sequence";
  let description = [{
    For each token t and value head h, with key head j = h / (Hv / Hk):

    ```
    kn = k[t,j] * rsqrt(sum k[t,j]^2 + qk_eps)            // unit length
    qn = q[t,j] * rsqrt(sum q[t,j]^2 + qk_eps) * Dk^-0.5
    beta  = sigmoid(b[t,h])
    alpha = exp(-exp(a_log[h]) * softplus(a[t,h] + dt_bias[h]))
    S = alpha * S                    // decay
    d = beta * (v[t,h] - S kn)       // what the decayed state got wrong
    S = S + d kn^T                   // write
    out[t,h] = S qn                  // read the updated state
    ```

    S is [Dv, Dk] (k is contiguous), starts as state_in[seq_slot[s], h] for the
    sequence s of the tokens and ends as state_out[seq_slot[s], h]; it stays in
    f32. softplus(x) = x for x > 20, else log(1 + exp(x)). Rows of S are
    independent of each other. About 7*Hv*Dk*Dv flops per token.

    Constraints: (C1) type(q) = type(k), [N, Hk, Dk], Hk and Dk static, (C2)
    shape(v) = shape(out) = [N, Hv, Dv], Hv and Dv static, (C3) Hv is a multiple
    of Hk, (C4) shape(a) = shape(b) = [N, Hv], (C5) shape(a_log) =
    shape(dt_bias) = [Hv], (C6) shape(state_in) = [slots, Hv, Dv, Dk], (C7)
    type(state_out) = type(state_in), (C8) qk_eps > 0.

    ```mlir
    %o, %s1 = quartet.gated_delta %q, %k, %v, %a, %b, %a_log, %dt_bias, %s0
        ragged(%seq_start, %seq_slot) qk_eps 1.0e-6
      : (tensor<?x16x128xf32>, tensor<?x16x128xf32>, tensor<?x32x128xf32>,
         tensor<?x32xf32>, tensor<?x32xf32>, tensor<32xf32>, tensor<32xf32>,
         tensor<?x32x128x128xf32>, tensor<?xi32>, tensor<?xi32>)
      -> (tensor<?x32x128xf32>, tensor<?x32x128x128xf32>)
    ```

    Source: Yang, Kautz, Hatamizadeh, arXiv:2412.06464;
    torch_recurrent_gated_delta_rule in Hugging Face transformers.
  }];
  let arguments = (ins 3DTensorOf<FloatTypes>:$q,   // [N, Hk, Dk]
                       3DTensorOf<FloatTypes>:$k,   // [N, Hk, Dk]
                       3DTensorOf<FloatTypes>:$v,   // [N, Hv, Dv]
                       2DTensorOf<FloatTypes>:$a,   // [N, Hv]
                       2DTensorOf<FloatTypes>:$b,   // [N, Hv]
                       1DTensorOf<[F32]>:$aLog,     // [Hv]
                       1DTensorOf<[F32]>:$dtBias,   // [Hv]
                       4DTensorOf<[F32]>:$stateIn,  // [slots, Hv, Dv, Dk]
                       1DTensorOf<[I32]>:$seqStart, // [S + 1]
                       1DTensorOf<[I32]>:$seqSlot,  // [S]
                       F32Attr:$qkEps);
  let results = (outs 3DTensorOf<FloatTypes>:$out,  // [N, Hv, Dv]
                      4DTensorOf<[F32]>:$stateOut);
  let assemblyFormat = [{
    $q `,` $k `,` $v `,` $a `,` $b `,` $aLog `,` $dtBias `,` $stateIn
    `ragged` `(` $seqStart `,` $seqSlot `)` `qk_eps` $qkEps
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def RopeOp : Quartet_Op<"rope", [
    Pure, AllTypesMatch<["x", "y"]>]> { // C5
  let summary = "Rotate the first dimensions of each head by position";
  let description = [{
    With P = number of frequencies, for p in 0..P-1:

    ```
    angle = f32(positions[axes[p], t]) * inv_freq[p]        // rounded to f32
    c, s  = cos(angle) * scale, sin(angle) * scale
    y[t,h,p]   = x[t,h,p] * c - x[t,h,p+P] * s
    y[t,h,p+P] = x[t,h,p+P] * c + x[t,h,p] * s
    y[t,h,d]   = x[t,h,d]   for d >= 2P
    ```

    cos and sin reduce the full range of f32 angles. YaRN is in `inv_freq` and
    `scale`.

    Constraints: (C1) shape(x) = [N, heads, D] with static D, (C2) positions is
    [3, N], (C3) inv_freq and axes have P elements, 1 <= P and 2P <= D, (C4)
    each axis is 0 (time), 1 (height) or 2 (width), (C5) type(y) = type(x).

    ```mlir
    %y = quartet.rope %x, %positions inv_freq [1.0, 0.1] axes [0, 1] scale 1.0
      : (tensor<?x2x8xf32>, tensor<3x?xi32>) -> tensor<?x2x8xf32>
    ```

    Source: Su et al., arXiv:2104.09864; Qwen3_5MoeTextRotaryEmbedding.
  }];
  let arguments = (ins 3DTensorOf<FloatTypes>:$x,    // [N, heads, D]
                       2DTensorOf<[I32]>:$positions, // [3, N]
                       DenseF32ArrayAttr:$invFreq,   // [P], radians per position
                       DenseI32ArrayAttr:$axes,      // [P]
                       F32Attr:$scale);
  let results = (outs 3DTensorOf<FloatTypes>:$y);
  let assemblyFormat = [{
    $x `,` $positions `inv_freq` $invFreq `axes` $axes `scale` $scale
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def GatedAttentionOp : Quartet_Op<"gated_attention", [
    Pure, AllTypesMatch<["keyIn", "keyOut", "valueIn", "valueOut"]>]> { // C5
  let summary = "Causal softmax attention over a paged KV cache, with an output gate";
  let description = [{
    Token t of sequence s stands at place n = seq_past[s] + t - seq_start[s] of
    its sequence. Its k and v are first put into the cache, rounded to the
    cache's type, at [page_table[seq_slot[s], n / 64], :, n % 64, :]. Then, for
    query head h with KV head j = h / (Hq / Hkv), over the places m <= n, with
    key and value as the cache gives them:

    ```
    p[m] = softmax_m( scale * sum_d q[t,h,d] * key[j,m,d] )
    out[t,h,d] = sigmoid(gate[t,h,d]) * sum_m p[m] * value[j,m,d]
    ```

    The softmax runs page by page with a running maximum in f32, so a token's
    bits do not depend on what else is in the step. Without `gate` there is no
    factor.

    A cache of i8 has a scale for each row (one token of one head), an f32 stored
    behind the rows (KvPage.h):

    ```
    scale = max_d |x[d]| / 127        // NaN if there is one in the row
    q[d]  = x[d] / scale, as x[d] * (1 / scale), to the nearest integer, ties to
            even, within -127..127; 0 if scale is 0
    x[d] is read as q[d] * scale      // the scale once per score and per weight
    ```

    Constraints: (C1) shape(q) = shape(out) = shape(gate) = [N, Hq, D], Hq and D
    static, (C2) shape(k) = shape(v) = [N, Hkv, D], Hkv static, (C3) Hq is a
    multiple of Hkv, (C4) key_in and value_in are [pages, Hkv, 64, D], of i8
    [pages, Hkv, 64 + ceil(256 / D), D], (C5)
    type(key_out) = type(key_in) = type(value_out) = type(value_in), (C6)
    token_seq has N elements.

    ```mlir
    %o, %key1, %value1 = quartet.gated_attention %q, %k, %v gate(%g)
        cache(%key0, %value0) ragged(%token_seq, %seq_start, %seq_past, %seq_slot)
        pages(%page_table) scale 6.25e-2
      : (tensor<?x16x256xf32>, tensor<?x2x256xf32>, tensor<?x2x256xf32>,
         tensor<?x16x256xf32>, tensor<?x2x64x256xbf16>, tensor<?x2x64x256xbf16>,
         tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
      -> (tensor<?x16x256xf32>, tensor<?x2x64x256xbf16>, tensor<?x2x64x256xbf16>)
    ```

    Source: Qwen3_5MoeAttention in Hugging Face transformers; running softmax:
    Milakov and Gimelshein, arXiv:1805.02867.
  }];
  let arguments = (ins 3DTensorOf<FloatTypes>:$q,              // [N, Hq, D]
                       3DTensorOf<FloatTypes>:$k,              // [N, Hkv, D]
                       3DTensorOf<FloatTypes>:$v,              // [N, Hkv, D]
                       Optional<3DTensorOf<FloatTypes>>:$gate, // [N, Hq, D]
                       4DTensorOf<CacheTypes>:$keyIn,          // [pages, Hkv, 64, D]
                       4DTensorOf<CacheTypes>:$valueIn,        // [pages, Hkv, 64, D]
                       1DTensorOf<[I32]>:$tokenSeq,            // [N]
                       1DTensorOf<[I32]>:$seqStart,            // [S + 1]
                       1DTensorOf<[I32]>:$seqPast,             // [S]
                       1DTensorOf<[I32]>:$seqSlot,             // [S]
                       2DTensorOf<[I32]>:$pageTable,           // [slots, width]
                       F32Attr:$scale);
  let results = (outs 3DTensorOf<FloatTypes>:$out,             // [N, Hq, D]
                      4DTensorOf<CacheTypes>:$keyOut,
                      4DTensorOf<CacheTypes>:$valueOut);
  let assemblyFormat = [{
    $q `,` $k `,` $v (`gate` `(` $gate^ `)`)? `cache` `(` $keyIn `,` $valueIn `)`
    `ragged` `(` $tokenSeq `,` $seqStart `,` $seqPast `,` $seqSlot `)`
    `pages` `(` $pageTable `)` `scale` $scale
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif
