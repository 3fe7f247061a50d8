// The micro-kernels: what a task does. A port of Quartet to a new machine is a
// lowering of these.
#ifndef TILE_KERNEL_OPS
#define TILE_KERNEL_OPS

include "dialects/Tile/TileDialect.td"
include "dialects/Tile/TileInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Tile_Kernel<string mnemonic, list<Trait> traits = []>
    : Tile_Op<mnemonic, traits # [DeclareOpInterfaceMethods<AccessOpInterface>, Tile_SymbolUser]>;

def EmbedOp : Tile_Kernel<"embed", [HasParent<"TasksOp">]> {
  let summary = "Look up the embedding rows of a tile of tokens";
  let description = [{
    `x[t, :] = table[tokens[t], :]` for the tokens of tile `token`, widened to
    f32.

    Constraints: (C1) `table` is a `tile.vector` of rank 2, (C2) x a buffer of f32
    with as many columns.
  }];
  let arguments = (ins FlatSymbolRefAttr:$table, FlatSymbolRefAttr:$x,
                       Index:$token, I64Attr:$tile);
  let assemblyFormat = "$table `to` $x `[` $token `]` `tile` $tile attr-dict";
}

def RopeTableOp : Tile_Kernel<"rope_table", [HasParent<"TasksOp">]> {
  let summary = "Cosines and sines of a tile of tokens";
  let description = [{
    `table[t] = cos(angle_p) * scale for all p, then sin(angle_p) * scale`, with
    `angle_p = positions[axes[p], t] * inv_freq[p]` as in `quartet.rope`.

    Constraints: (C1) one axis, 0 to 2, for each frequency, (C2) `table` is a buffer of
    f32 with two columns for each frequency.
  }];
  let arguments = (ins FlatSymbolRefAttr:$table, Index:$token, I64Attr:$tile,
                       DenseF32ArrayAttr:$invFreq, DenseI32ArrayAttr:$axes,
                       F32Attr:$scale);
  let assemblyFormat = [{
    $table `[` $token `]` `tile` $tile `inv_freq` $invFreq `axes` $axes
    `scale` $scale attr-dict
  }];
  let hasVerifier = 1;
}

def ReadHiddenOp : Tile_Kernel<"read_hidden", [HasParent<"TasksOp">]> {
  let summary = "Bring the hidden states of a tile of tokens into a buffer";
  let description = [{
    `x[t, :] = hidden_in[t, :]`, an argument of the step, for the tokens of tile
    `token`.

    Constraints: (C1) x is a buffer of f32, (C2) the step is one of multi-token
    prediction.

    ```mlir
    tile.read_hidden @hidden[%t] tile 16
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$x, Index:$token, I64Attr:$tile);
  let assemblyFormat = "$x `[` $token `]` `tile` $tile attr-dict";
}

def WriteHiddenOp : Tile_Kernel<"write_hidden", [HasParent<"TasksOp">]> {
  let summary = "Write the last norm of a tile of tokens as the step's hidden states";
  let description = [{
    `hidden_out[t, :] = rms_norm(x[t, :])` with `weight` and `eps`, for the tokens
    of tile `token`.

    Constraints: (C1) x is a buffer of f32, (C2) the weight is a `tile.vector`
    with as many columns.

    ```mlir
    tile.write_hidden @x[%t] tile 16 weight @norm eps 1.0e-6
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$x, Index:$token, I64Attr:$tile,
                       FlatSymbolRefAttr:$weight, F32Attr:$eps);
  let assemblyFormat = [{
    $x `[` $token `]` `tile` $tile `weight` $weight `eps` $eps attr-dict
  }];
}

def StageOp : Tile_Kernel<"stage", [ParentOneOf<["PhaseOp", "TasksOp"]>]> {
  let summary = "Bring rows of activations into local memory";
  let description = [{
    Tile `token` of the rows of `source` (all rows without one), changed on the
    way:

    - `plain`: as they are,
    - `rms_norm`: `quartet.rms_norm` with `weight` and `eps`,
    - `gated_norm`: `quartet.gated_rms_norm` per head of `weight`'s length, with
      the gate in columns `gate_column` .. of `gate`,
    - `merge`: the partials of `tile.attend` combined, times the sigmoid of
      `gate` if there is one.

    `chosen`: the rows whose logits are wanted (`rows` of the step) instead of
    tokens. `publish`: the staged rows also go to a shared buffer, at the same
    tile. The result's group says whether rows are quantized.

    Constraints: (C1) a weight and an eps if and only if there is a norm, (C2)
    `gated_norm` needs a gate and an activation, `merge` may have a gate, (C3)
    `source` is a buffer with the result's columns; with `merge`
    [N, heads, ranges, D + 2 or more] where heads * D is the result's columns,
    (C4) the weight is a `tile.vector` whose length is the result's columns, or
    divides them with `gated_norm`, (C5) the gate's columns lie in its buffer,
    (C6) `publish` is a buffer of rows with the result's columns and group, (C7)
    without `token` the result has room for all tokens of the step.

    ```mlir
    %a = tile.stage rms_norm @x[%t] weight @l0.input_norm eps 1.0e-6 : !tile.rows<64, 2048, 64>
    ```
  }];
  let arguments = (ins Tile_StagingAttr:$staging, FlatSymbolRefAttr:$source,
                       Optional<Index>:$token, UnitAttr:$chosen,
                       OptionalAttr<FlatSymbolRefAttr>:$weight,
                       OptionalAttr<F32Attr>:$eps,
                       OptionalAttr<FlatSymbolRefAttr>:$gate,
                       DefaultValuedAttr<I64Attr, "0">:$gateColumn,
                       OptionalAttr<Tile_GateAttr>:$activation,
                       OptionalAttr<FlatSymbolRefAttr>:$publish);
  let results = (outs Tile_Rows:$rows);
  let assemblyFormat = [{
    $staging $source (`[` $token^ `]`)? (`chosen` $chosen^)? (`weight` $weight^)?
    (`eps` $eps^)? (`gate` $gate^)? (`column` $gateColumn^)? (`activation` $activation^)?
    (`publish` $publish^)? attr-dict `:` qualified(type($rows))
  }];
  let hasVerifier = 1;
}

def StreamOp : Tile_Kernel<"stream", [HasParent<"TasksOp">]> {
  let summary = "Tile `index` of a run of a matrix's rows";
  let description = [{
    Rows `first + index * tile .. ` of a run of `count` rows; the tile is the
    result's number of rows (the last one may be shorter). All streams of a step
    on one matrix cover its rows exactly once.

    Constraints: (C1) columns and format are those of a `tile.matrix` without
    experts, which has the rows, (C2) first and the tile are multiples of 16
    (panels); without `index` one tile is enough.

    ```mlir
    %w = tile.stream @l0.in[%r] rows 0 count 12288 : !tile.weights<64, 2048, "int4:64">
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$matrix, Optional<Index>:$index,
                       I64Attr:$first, I64Attr:$count);
  let results = (outs Tile_Weights:$weights);
  let assemblyFormat = [{
    $matrix (`[` $index^ `]`)? `rows` $first `count` $count attr-dict
    `:` qualified(type($weights))
  }];
  let hasVerifier = 1;
}

def MatmulOp : Tile_Op<"matmul", [HasParent<"TasksOp">, NoTerminator, SingleBlock]> {
  let summary = "Multiply staged rows by tiles of weights, then run the epilogue";
  let description = [{
    ```
    acc[t, r] = sum_c rows[t, c] * weights[r, c]
    ```

    in f32 (groups of integers exactly), once per operand `weights`. The region
    is the epilogue: what happens to the results while they are still in local
    memory. It has one argument per operand.

    Constraints: (C1) at least one tile of weights; the epilogue holds stores and
    `tile.silu_mul` only, (C2) one argument per tile, (C3) rows have the
    weights' columns, and their group when weights are integers, (C4) arguments
    are the products' types.

    ```mlir
    tile.matmul %a, %w : !tile.rows<64, 2048, 64>, !tile.weights<64, 2048, "int4:64"> {
    ^bb0(%acc: !tile.acc<64, 64>):
      tile.store %acc to @proj[%t, %r] of 12288 : !tile.acc<64, 64>
    }
    ```
  }];
  let arguments = (ins Tile_Rows:$rows, Variadic<Tile_Weights>:$weights);
  let regions = (region SizedRegion<1>:$epilogue);
  let assemblyFormat = [{
    $rows `,` $weights attr-dict `:` qualified(type($rows)) `,` qualified(type($weights)) $epilogue
  }];
  let hasRegionVerifier = 1;
}

def StoreOp : Tile_Kernel<"store", [HasParent<"MatmulOp">]> {
  let summary = "Write results into a buffer, or add them to it";
  let description = [{
    `buffer[t, column + index * width + r] = acc[t, from + r]`, with `add`: `+=`,
    for r < width (all of the results' rows without one). Columns from column +
    `columns` on are left alone.

    Constraints: (C1) a buffer of f32 that has those columns, (C2) the results
    have theirs.
  }];
  let arguments = (ins Tile_Acc:$acc, FlatSymbolRefAttr:$buffer,
                       Optional<Index>:$token, Index:$index,
                       DefaultValuedAttr<I64Attr, "0">:$column,
                       I64Attr:$columns, UnitAttr:$add,
                       DefaultValuedAttr<I64Attr, "0">:$from,
                       OptionalAttr<I64Attr>:$width);
  let assemblyFormat = [{
    $acc (`from` $from^)? (`width` $width^)? (`add` $add^)? `to` $buffer `` custom<Piece>($token, $index)
    (`column` $column^)? `of` $columns attr-dict `:` qualified(type($acc))
  }];
}

def StoreHeadOp : Tile_Kernel<"store_head", [HasParent<"MatmulOp">]> {
  let summary = "Norm and rotate one head's rows and write them to a buffer or the KV cache";
  let description = [{
    Columns `from` .. of the results, `width` of them, are one head. With `norm`: `quartet.rms_norm` over the
    head; with `rope`: rotated by the table. Then to `target`: a buffer
    `[tokens, heads, D]`, or with `cache` a state of pages
    `[pages, heads, 64, D]` at each token's place in its sequence, rounded to its
    type: rows of i8 as `quartet.gated_attention` says, with their scales behind
    the 64 rows.

    Constraints: (C1) `target` is a buffer of f32 with heads of D columns, or with
    `cache` a state of pages of that shape (of i8 with ceil(256 / D) rows more), D =
    width, (C2) `norm` is
    a `tile.vector` of D, and comes with an eps, (C3) `rope` is a buffer of f32 with
    an even number of columns, at most D, (C4) the results have the columns.
  }];
  let arguments = (ins Tile_Acc:$acc, FlatSymbolRefAttr:$target,
                       Optional<Index>:$token, Index:$head, UnitAttr:$cache,
                       OptionalAttr<FlatSymbolRefAttr>:$norm,
                       OptionalAttr<F32Attr>:$eps,
                       OptionalAttr<FlatSymbolRefAttr>:$rope,
                       DefaultValuedAttr<I64Attr, "0">:$from, I64Attr:$width);
  let assemblyFormat = [{
    $acc (`from` $from^)? `width` $width (`cache` $cache^)? `to` $target `` custom<Piece>($token, $head)
    (`norm` $norm^)? (`eps` $eps^)? (`rope` $rope^)? attr-dict `:` qualified(type($acc))
  }];
}

def StoreLogitsOp : Tile_Kernel<"store_logits", [HasParent<"MatmulOp">]> {
  let summary = "Write logits, and the largest of each tile";
  let description = [{
    `logits[row, index * rows + r] = acc[row, r]` for the vocabulary's rows;
    `maxima[row, index]` is the largest of those below `token_limit`.

    Constraints: (C1) `maxima` is a buffer of f32 with a column for each tile, (C2)
    1 <= token_limit <= vocabulary.
  }];
  let arguments = (ins Tile_Acc:$acc, FlatSymbolRefAttr:$maxima,
                       Optional<Index>:$token, Index:$index, I64Attr:$vocabulary,
                       I64Attr:$tokenLimit);
  let assemblyFormat = [{
    $acc `maxima` $maxima `` custom<Piece>($token, $index) `of` $vocabulary
    `limit` $tokenLimit attr-dict `:` qualified(type($acc))
  }];
  let hasVerifier = 1;
}

def SiluMulOp : Tile_Kernel<"silu_mul", [HasParent<"MatmulOp">]> {
  let summary = "Write silu(gate) * up as staged rows";
  let description = [{
    The tile's columns of the buffer of rows, quantized by its group.

    Constraints: (C1) gate and up have one type, (C2) `buffer` is one of rows,
    and the tile's rows are a multiple of its group.
  }];
  let arguments = (ins Tile_Acc:$gate, Tile_Acc:$up, FlatSymbolRefAttr:$buffer,
                       Optional<Index>:$token, Index:$index);
  let assemblyFormat = [{
    $gate `,` $up `to` $buffer custom<Piece>($token, $index) attr-dict
    `:` qualified(type($gate)) `,` qualified(type($up))
  }];
  let hasVerifier = 1;
}

def DeltaPrepareOp : Tile_Kernel<"delta_prepare", [HasParent<"TasksOp">]> {
  let summary = "What the delta rule does with chunks of tokens before it needs the state";
  let description = [{
    Chunks are 32 tokens of a sequence, counted from its start, or what the step
    has of them. For all that begin in tile `token`, and key head `head`: q and k
    from `input`, convolved and scaled to unit length, and for each of the head's
    Hv/Hk value heads, with log decays c summed from the chunk's start,

    ```
    E[i, j] = exp(c[i] - c[j])                                     for j <= i
    T       = (1 + [beta[i] E[i, j] (k[i] . k[j])] for j < i)^-1 diag(beta)
    reads   = [E[i, j] (q[i] . k[j])]                              for j <= i
    ```

    and exp(c[i]), exp(c[last] - c[i]), beta[i]. What belongs to a token is in its row of
    `prepared`, which `tile.delta_scan` reads; dialects/Tile/PreparedRow.h says
    where. `window` is read, and stays. Chunks depend on no state and on none
    before them, while the scan goes from one to the next.

    Constraints: as C1 to C4 of `tile.delta_scan`; (C5) `prepared` is a buffer of
    f32 with the columns of PreparedRow for each key head, (C6) tile >= 1.

    ```mlir
    tile.delta_prepare[%t, %h] tile 32 input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
      dt_bias @dt window @w to @p key_heads 2 value_heads 4 key_dim 16 value_dim 32 qk_eps 1.0e-06
    ```

    Source: Yang, Kautz, Hatamizadeh, arXiv:2412.06464.
  }];
  let arguments = (ins Index:$token, I64Attr:$tile, Index:$head,
                       FlatSymbolRefAttr:$input, I64Attr:$inputColumn,
                       FlatSymbolRefAttr:$controls,
                       I64Attr:$aColumn, I64Attr:$bColumn,
                       FlatSymbolRefAttr:$taps, FlatSymbolRefAttr:$aLog,
                       FlatSymbolRefAttr:$dtBias, FlatSymbolRefAttr:$window,
                       FlatSymbolRefAttr:$prepared,
                       I64Attr:$keyHeads, I64Attr:$valueHeads, I64Attr:$keyDim,
                       I64Attr:$valueDim, F32Attr:$qkEps);
  let assemblyFormat = [{
    `[` $token `,` $head `]` `tile` $tile `input` $input `column` $inputColumn
    `controls` $controls `a` $aColumn `b` $bColumn `taps` $taps `a_log` $aLog
    `dt_bias` $dtBias `window` $window `to` $prepared
    `key_heads` $keyHeads `value_heads` $valueHeads `key_dim` $keyDim
    `value_dim` $valueDim `qk_eps` $qkEps attr-dict
  }];
  let hasVerifier = 1;
}

def DeltaScanOp : Tile_Kernel<"delta_scan", [HasParent<"TasksOp">]> {
  let summary = "Convolution and gated delta rule of one key head of one sequence";
  let description = [{
    `quartet.causal_conv` on the head's q, k and v channels of `input`, whose
    columns are q (Hk heads), k (Hk heads), v (Hv heads), then
    `quartet.gated_delta` for its Hv/Hk value heads, with a and b in `controls`
    at columns `a_column` and `b_column`. Updates `window` and `state` of the
    sequence's slot. `chunked`: the matrix form for many tokens. With `prepared`
    what `tile.delta_prepare` has done is read there; then it reads of `input` the
    values alone, and the last rows for the window, and no controls.

    Constraints: (C1) Hv is a multiple of Hk, (C2) `input` and `controls` are
    buffers of f32 with the columns, `out` one with Hv * value_dim, (C3) `taps` is
    [channels, K], `a_log` and `dt_bias` are [Hv], (C4) `window` is a state
    [slots, K - 1, channels], `state` one of f32 [slots, Hv, value_dim, key_dim],
    (C5) `prepared` is a buffer as `tile.delta_prepare` writes, and comes with
    `chunked`.
  }];
  let arguments = (ins Index:$sequence, Index:$head,
                       FlatSymbolRefAttr:$input, I64Attr:$inputColumn,
                       FlatSymbolRefAttr:$controls,
                       I64Attr:$aColumn, I64Attr:$bColumn,
                       FlatSymbolRefAttr:$taps, FlatSymbolRefAttr:$aLog,
                       FlatSymbolRefAttr:$dtBias, FlatSymbolRefAttr:$window,
                       FlatSymbolRefAttr:$state, FlatSymbolRefAttr:$out,
                       I64Attr:$keyHeads, I64Attr:$valueHeads, I64Attr:$keyDim,
                       I64Attr:$valueDim, F32Attr:$qkEps, UnitAttr:$chunked,
                       OptionalAttr<FlatSymbolRefAttr>:$prepared);
  let assemblyFormat = [{
    `[` $sequence `,` $head `]` (`chunked` $chunked^)? (`prepared` $prepared^)?
    `input` $input `column` $inputColumn
    `controls` $controls `a` $aColumn `b` $bColumn `taps` $taps `a_log` $aLog
    `dt_bias` $dtBias `window` $window `state` $state `to` $out
    `key_heads` $keyHeads `value_heads` $valueHeads `key_dim` $keyDim
    `value_dim` $valueDim `qk_eps` $qkEps attr-dict
  }];
  let hasVerifier = 1;
}

def AttendOp : Tile_Kernel<"attend", [HasParent<"TasksOp">]> {
  let summary = "Attention of a tile of tokens over a range of pages, for one KV head";
  let description = [{
    For the query heads of KV head `head` and each token: the largest score, the
    sum of exponentials and the weighted sum of values over the pages
    `range * pages .. ` of its sequence, up to the token's own place. Written to
    `partials[token, query head, range]` (D sums, the largest score, the sum).

    Constraints: (C1) query heads are a multiple of KV heads, (C2) `query` is a
    buffer of f32 with heads * D columns, (C3) `key` and `value` are states of pages
    [pages, KV heads, 64, D] (of i8 with ceil(256 / D) rows more) of one type, (C4) `partials` is a buffer of f32
    [N, heads, ranges, D + 2 or more] in pieces of `pages`; of one range when
    `pages` is 2^20, more than any sequence has.
  }];
  let arguments = (ins Index:$token, I64Attr:$tile, Index:$head, Index:$range,
                       I64Attr:$pages, FlatSymbolRefAttr:$query,
                       FlatSymbolRefAttr:$key, FlatSymbolRefAttr:$value,
                       FlatSymbolRefAttr:$partials, I64Attr:$queryHeads,
                       I64Attr:$kvHeads, I64Attr:$headDim, F32Attr:$scale);
  let assemblyFormat = [{
    `[` $token `,` $head `,` $range `]` `tile` $tile `pages` $pages `query` $query
    `cache` `(` $key `,` $value `)` `to` $partials `heads` $queryHeads
    `kv_heads` $kvHeads `head_dim` $headDim `scale` $scale attr-dict
  }];
  let hasVerifier = 1;
}

def ChooseExpertsOp : Tile_Kernel<"choose_experts", [HasParent<"TasksOp">]> {
  let summary = "Choose the experts of a tile of tokens from the router's logits";
  let description = [{
    `quartet.route` from `logits` (E columns, and the shared experts' gate in
    column `gate`, E unless said, if `shared` > 0), for the tokens of tile
    `token`. Row t of `chosen` are the experts of token t, the chosen ones and
    then the shared ones, E + i for the i-th; row t of `weights` are their
    weights, sigmoid(gate) for shared ones. `tile.route` of a later phase sorts
    them: in steps of many tokens that leaves no worker a choice that others make
    as well.

    Constraints: (C1) 1 <= top_k <= experts, (C2) `logits` is a buffer of f32 with
    the columns, (C3) `chosen` is a buffer of i32 and `weights` one of f32, with
    top_k + shared columns.

    ```mlir
    tile.choose_experts @logits[%t] tile 8 experts 256 top_k 8 renormalize shared 1 to @chosen weights @weights
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$logits, Index:$token, I64Attr:$tile,
                       I64Attr:$experts, I64Attr:$topK, I64Attr:$shared,
                       OptionalAttr<I64Attr>:$gateColumn, UnitAttr:$renormalize,
                       FlatSymbolRefAttr:$chosen, FlatSymbolRefAttr:$weights);
  let assemblyFormat = [{
    $logits `[` $token `]` `tile` $tile `experts` $experts `top_k` $topK
    (`renormalize` $renormalize^)? `shared` $shared (`gate` $gateColumn^)?
    `to` $chosen `weights` $weights attr-dict
  }];
  let hasVerifier = 1;
}

def RouteOp : Tile_Kernel<"route", [HasParent<"PhaseOp">]> {
  let summary = "Choose experts from the router's logits, and sort tokens by expert";
  let description = [{
    The choice that `tile.choose_experts` describes from the logits `source`, for
    all tokens of the step; or with `weights` the one that it has made, with
    `source` its experts. Every worker does this for itself and finds the same.

    Constraints: (C1) 1 <= top_k <= experts, (C2) `source` is a buffer of logits
    as of `tile.choose_experts`, or `source` and `weights` are buffers as it
    writes, (C3) `tokens` is the step's, (C4) with `weights` there is nothing to
    renormalize and no gate.

    ```mlir
    %g = tile.route @logits experts 256 top_k 8 renormalize shared 1 tokens 16 : !tile.groups
    %g = tile.route @chosen weights @weights experts 256 top_k 8 shared 1 tokens 512 : !tile.groups
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$source,
                       OptionalAttr<FlatSymbolRefAttr>:$weights,
                       I64Attr:$experts, I64Attr:$topK, I64Attr:$shared,
                       OptionalAttr<I64Attr>:$gateColumn, UnitAttr:$renormalize,
                       I64Attr:$tokens);
  let results = (outs Tile_Groups:$groups);
  let assemblyFormat = [{
    $source (`weights` $weights^)? `experts` $experts `top_k` $topK
    (`renormalize` $renormalize^)? `shared` $shared (`gate` $gateColumn^)?
    `tokens` $tokens attr-dict `:` qualified(type($groups))
  }];
  let hasVerifier = 1;
}

def RecallOp : Tile_Op<"recall", [HasParent<"PhaseOp">]> {
  let summary = "The groups that this worker found in an earlier phase";
  let description = [{
    The result of the `tile.route` of the phase called `phase`, which comes
    earlier in the same repetition. Every worker does what precedes the tasks of
    a phase that routes, and the phase's event counts that too.

    Constraints: (C1) an earlier phase of the same parent has that name and a
    `tile.route`.
  }];
  let arguments = (ins StrAttr:$phase);
  let results = (outs Tile_Groups:$groups);
  let assemblyFormat = "$phase attr-dict `:` qualified(type($groups))";
  let hasVerifier = 1;
}

def ExpertUpOp : Tile_Kernel<"expert_up", [HasParent<"TasksOp">]> {
  let summary = "gate and up of one expert on its tokens";
  let description = [{
    ```
    h[row, i] = silu(sum_c gate[i, c] * x[t, c]) * (sum_c up[i, c] * x[t, c])
    ```

    for the tokens t of block `expert` of the groups (up to 64 pairs of one
    expert; their rows in `h` are sorted by expert) and tile `index` of `tile` of the I rows of gate; up stands I
    rows further on (rounded up to a panel). x comes from the staged `rows`, or
    from the buffer `source`. h is quantized by its buffer's group.

    Constraints: (C1) `rows` or `source`, (C2) `matrix` is a `tile.matrix` for
    gate and up (a multiple of 16 rows each), with the rows' columns and group, (C3) `h` is
    a buffer of rows with I columns, (C4) the tile is a multiple of 16 and of
    its group.
  }];
  let arguments = (ins Tile_Groups:$groups, Index:$expert, Index:$index,
                       I64Attr:$tile, FlatSymbolRefAttr:$matrix,
                       Optional<Tile_Rows>:$rows,
                       OptionalAttr<FlatSymbolRefAttr>:$source,
                       FlatSymbolRefAttr:$h, I64Attr:$intermediate);
  let assemblyFormat = [{
    $groups `[` $expert `,` $index `]` `tile` $tile `weights` $matrix
    (`rows` $rows^ `:` qualified(type($rows)))? (`source` $source^)? `to` $h
    `intermediate` $intermediate attr-dict
  }];
  let hasVerifier = 1;
}

def ExpertDownOp : Tile_Kernel<"expert_down", [HasParent<"TasksOp">]> {
  let summary = "Weighted sum of all experts' down projections, for a tile of rows";
  let description = [{
    ```
    x[t, o] += weight[t, e] * (sum_i down[e, o, i] * h[row(t, e), i])
    ```

    for `tile` outputs o from `index * tile` on, experts ascending.

    Constraints: (C1) `matrix` is a `tile.matrix` with the columns and group of
    `h`, a buffer of rows, (C2) `x` is a buffer of f32 with its rows as columns,
    (C3) the tile is a multiple of 16.
  }];
  let arguments = (ins Tile_Groups:$groups, Index:$index, I64Attr:$tile,
                       FlatSymbolRefAttr:$matrix, FlatSymbolRefAttr:$h,
                       FlatSymbolRefAttr:$x);
  let assemblyFormat = [{
    $groups `[` $index `]` `tile` $tile `weights` $matrix `h` $h `to` $x attr-dict
  }];
}

def ExpertPairsOp : Tile_Kernel<"expert_pairs", [HasParent<"TasksOp">]> {
  let summary = "Down projection of one expert's pairs";
  let description = [{
    ```
    y[row, o] = sum_i down[e, o, i] * h[row, i]
    ```

    for the pairs of block `expert` of the groups, whose rows are those of `h`,
    and `tile` outputs o from `index * tile` on. `tile.expert_sum` adds up what
    belongs to a token: together they are `tile.expert_down`, with tasks for
    more workers and more memory.

    Constraints: (C1) as of `tile.expert_down`, (C2) `pairs` is a buffer of f32
    with the matrix's rows as columns and a row for each pair.
  }];
  let arguments = (ins Tile_Groups:$groups, Index:$expert, Index:$index,
                       I64Attr:$tile, FlatSymbolRefAttr:$matrix,
                       FlatSymbolRefAttr:$h, FlatSymbolRefAttr:$pairs);
  let assemblyFormat = [{
    $groups `[` $expert `,` $index `]` `tile` $tile `weights` $matrix `h` $h
    `to` $pairs attr-dict
  }];
}

def ExpertSumOp : Tile_Kernel<"expert_sum", [HasParent<"TasksOp">]> {
  let summary = "Weighted sum of the pairs of each token";
  let description = [{
    ```
    x[t, o] += sum_row weight[row] * pairs[row, o]
    ```

    over the rows of token t's pairs, experts ascending, for a tile of tokens.

    Constraints: (C1) `pairs` and `x` are buffers of f32 with as many columns.
  }];
  let arguments = (ins Tile_Groups:$groups, Index:$token, I64Attr:$tile,
                       FlatSymbolRefAttr:$pairs, FlatSymbolRefAttr:$x);
  let assemblyFormat = [{
    $groups `[` $token `]` `tile` $tile `from` $pairs `to` $x attr-dict
  }];
}

def SampleOp : Tile_Kernel<"sample", [HasParent<"TasksOp">]> {
  let summary = "Draw one token for one row";
  let description = [{
    `quartet.sample` for row `row`; `maxima` tells which tiles of `tile` logits
    can hold candidates.

    Constraints: (C1) `maxima` is a buffer of f32 with a column for each tile.
  }];
  let arguments = (ins Index:$row, FlatSymbolRefAttr:$maxima, I64Attr:$tile,
                       I64Attr:$vocabulary, I64Attr:$tokenLimit,
                       I64Attr:$candidates);
  let assemblyFormat = [{
    `[` $row `]` `maxima` $maxima `tile` $tile `of` $vocabulary `limit` $tokenLimit
    `candidates` $candidates attr-dict
  }];
}

#endif
