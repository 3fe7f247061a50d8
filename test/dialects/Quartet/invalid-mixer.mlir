// One negative test for each numbered constraint of the op descriptions, and
// more where a constraint says several things.
// RUN: quartet-opt %s -split-input-file -verify-diagnostics

// x and y of different ranks.
func.func @rms_norm_c1_rank(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{expected 'y' to be [N, D], found 'tensor<?x2x8xf32>'}}
  %0 = quartet.rms_norm %x, %w eps 1.0e-6
    : (tensor<?x8xf32>, tensor<8xf32>)
    -> tensor<?x2x8xf32>
  return
}

// -----

// The result is narrower.
func.func @rms_norm_c1_shape(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{expected 'y' to be [N, D] with D = 8 as in 'x', found 'tensor<?x4xf32>'}}
  %0 = quartet.rms_norm %x, %w eps 1.0e-6
    : (tensor<?x8xf32>, tensor<8xf32>)
    -> tensor<?x4xf32>
  return
}

// -----

// The mean is over a dynamic dimension.
func.func @rms_norm_c1_static(%x: tensor<?x?xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{expected 'x' to be [N, D] with static D >= 1, found 'tensor<?x?xf32>'}}
  %0 = quartet.rms_norm %x, %w eps 1.0e-6
    : (tensor<?x?xf32>, tensor<8xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

// The weight is of another width.
func.func @rms_norm_c2(%x: tensor<?x8xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{expected 'w' to be [D] with D = 8 as in 'x', found 'tensor<4xf32>'}}
  %0 = quartet.rms_norm %x, %w eps 1.0e-6
    : (tensor<?x8xf32>, tensor<4xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

// eps is zero.
func.func @rms_norm_c3(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{expected eps > 0, found 0}}
  %0 = quartet.rms_norm %x, %w eps 0.0
    : (tensor<?x8xf32>, tensor<8xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

// eps is not a number.
func.func @rms_norm_c3_nan(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{expected eps > 0, found NaN}}
  %0 = quartet.rms_norm %x, %w eps 0x7FC00000
    : (tensor<?x8xf32>, tensor<8xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

// z has more heads.
func.func @gated_rms_norm_c1(%x: tensor<?x2x8xf32>, %z: tensor<?x3x8xf32>, %w:
                             tensor<8xf32>) {
  // expected-error @+1 {{expected 'z' to be [N, Hv, Dv] with Hv = 2 as in 'x', found 'tensor<?x3x8xf32>'}}
  %0 = quartet.gated_rms_norm %x, %z, %w gate silu eps 1.0e-6
    : (tensor<?x2x8xf32>, tensor<?x3x8xf32>, tensor<8xf32>)
    -> tensor<?x2x8xf32>
  return
}

// -----

// The weight is of another width.
func.func @gated_rms_norm_c2(%x: tensor<?x2x8xf32>, %z: tensor<?x2x8xf32>, %w:
                             tensor<16xf32>) {
  // expected-error @+1 {{expected 'w' to be [Dv] with Dv = 8 as in 'x', found 'tensor<16xf32>'}}
  %0 = quartet.gated_rms_norm %x, %z, %w gate silu eps 1.0e-6
    : (tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<16xf32>)
    -> tensor<?x2x8xf32>
  return
}

// -----

// eps is negative.
func.func @gated_rms_norm_c3(%x: tensor<?x2x8xf32>, %z: tensor<?x2x8xf32>, %w:
                             tensor<8xf32>) {
  // expected-error @+1 {{expected eps > 0, found -1}}
  %0 = quartet.gated_rms_norm %x, %z, %w gate silu eps -1.0
    : (tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<8xf32>)
    -> tensor<?x2x8xf32>
  return
}

// -----

// A dynamic weight.
func.func @linear_c1(%x: tensor<?x8xf32>, %w: tensor<?x8xbf16>) {
  // expected-error @+1 {{expected 'w' to be [O, I] with static O >= 1, found 'tensor<?x8xbf16>'}}
  %0 = quartet.linear %x, %w
    : (tensor<?x8xf32>, tensor<?x8xbf16>)
    -> tensor<?x6xf32>
  return
}

// -----

// x is of another width.
func.func @linear_c2(%x: tensor<?x4xf32>, %w: tensor<6x8xbf16>) {
  // expected-error @+1 {{expected 'x' to be [N, I] with I = 8 as in 'w', found 'tensor<?x4xf32>'}}
  %0 = quartet.linear %x, %w
    : (tensor<?x4xf32>, tensor<6x8xbf16>)
    -> tensor<?x6xf32>
  return
}

// -----

// x is dynamic where the weight is not.
func.func @linear_c2_static(%x: tensor<?x?xf32>, %w: tensor<6x8xbf16>) {
  // expected-error @+1 {{expected 'x' to be [N, I] with static I >= 1, found 'tensor<?x?xf32>'}}
  %0 = quartet.linear %x, %w
    : (tensor<?x?xf32>, tensor<6x8xbf16>)
    -> tensor<?x6xf32>
  return
}

// -----

// The result has the width of x.
func.func @linear_c3(%x: tensor<?x8xf32>, %w: tensor<6x8xbf16>) {
  // expected-error @+1 {{expected 'y' to be [N, O] with O = 6 as in 'w', found 'tensor<?x8xf32>'}}
  %0 = quartet.linear %x, %w
    : (tensor<?x8xf32>, tensor<6x8xbf16>)
    -> tensor<?x8xf32>
  return
}

// -----

// More rows than x has.
func.func @linear_c3_rows(%x: tensor<3x8xf32>, %w: tensor<6x8xbf16>) {
  // expected-error @+1 {{expected 'y' to be [N, O] with N = 3 as in 'x', found 'tensor<4x6xf32>'}}
  %0 = quartet.linear %x, %w
    : (tensor<3x8xf32>, tensor<6x8xbf16>)
    -> tensor<4x6xf32>
  return
}

// -----

// y has fewer channels.
func.func @causal_conv_c1(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %s: tensor<?x3x8xf32>,
                          %seq: tensor<?xi32>, %start: tensor<?xi32>, %slot: tensor<?xi32>)
                          {
  // expected-error @+1 {{expected 'y' to be [N, C] with C = 8 as in 'x', found 'tensor<?x4xf32>'}}
  %0:2 = quartet.causal_conv %x, %w, %s ragged(%seq, %start, %slot)
    : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<?x3x8xf32>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x4xf32>, tensor<?x3x8xf32>)
  return
}

// -----

// The weight has the channels last.
func.func @causal_conv_c2(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>, %s: tensor<?x3x8xf32>,
                          %seq: tensor<?xi32>, %start: tensor<?xi32>, %slot: tensor<?xi32>)
                          {
  // expected-error @+1 {{expected 'w' to be [C, K] with C = 8 as in 'x', found 'tensor<4x8xf32>'}}
  %0:2 = quartet.causal_conv %x, %w, %s ragged(%seq, %start, %slot)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<?x3x8xf32>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x8xf32>, tensor<?x3x8xf32>)
  return
}

// -----

// One tap keeps no state.
func.func @causal_conv_c2_taps(%x: tensor<?x8xf32>, %w: tensor<8x1xf32>, %s:
                               tensor<?x3x8xf32>, %seq: tensor<?xi32>, %start:
                               tensor<?xi32>, %slot: tensor<?xi32>) {
  // expected-error @+1 {{expected K >= 2 taps in 'w', found 1}}
  %0:2 = quartet.causal_conv %x, %w, %s ragged(%seq, %start, %slot)
    : (tensor<?x8xf32>, tensor<8x1xf32>, tensor<?x3x8xf32>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x8xf32>, tensor<?x3x8xf32>)
  return
}

// -----

// The state keeps as many rows as there are taps.
func.func @causal_conv_c3(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %s: tensor<?x4x8xf32>,
                          %seq: tensor<?xi32>, %start: tensor<?xi32>, %slot: tensor<?xi32>)
                          {
  // expected-error @+1 {{expected 'state_in' to be [slots, K-1, C] with K-1 = 3 as in 'w', found 'tensor<?x4x8xf32>'}}
  %0:2 = quartet.causal_conv %x, %w, %s ragged(%seq, %start, %slot)
    : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<?x4x8xf32>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x8xf32>, tensor<?x4x8xf32>)
  return
}

// -----

// The state changes type.
func.func @causal_conv_c4(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %s: tensor<?x3x8xf32>,
                          %seq: tensor<?xi32>, %start: tensor<?xi32>, %slot: tensor<?xi32>)
                          {
  // expected-error @+1 {{failed to verify that all of {stateIn, stateOut} have same type}}
  %0:2 = quartet.causal_conv %x, %w, %s ragged(%seq, %start, %slot)
    : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<?x3x8xf32>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x8xf32>, tensor<?x3x8xbf16>)
  return
}

// -----

// token_seq is too short.
func.func @causal_conv_c5(%x: tensor<5x8xf32>, %w: tensor<8x4xf32>, %s: tensor<?x3x8xf32>,
                          %seq: tensor<4xi32>, %start: tensor<?xi32>, %slot: tensor<?xi32>)
                          {
  // expected-error @+1 {{expected 'token_seq' to be [N] with N = 5 as in 'x', found 'tensor<4xi32>'}}
  %0:2 = quartet.causal_conv %x, %w, %s ragged(%seq, %start, %slot)
    : (tensor<5x8xf32>, tensor<8x4xf32>, tensor<?x3x8xf32>, tensor<4xi32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x8xf32>, tensor<?x3x8xf32>)
  return
}

// -----

// k has another type than q.
func.func @gated_delta_c1(%q: tensor<?x2x8xf32>, %k: tensor<?x2x8xbf16>, %v:
                          tensor<?x4x6xf32>, %a: tensor<?x4xf32>, %b: tensor<?x4xf32>,
                          %a_log: tensor<4xf32>, %dt: tensor<4xf32>, %s:
                          tensor<?x4x6x8xf32>, %start: tensor<?xi32>, %slot: tensor<?xi32>)
                          {
  // expected-error @+1 {{failed to verify that all of {q, k} have same type}}
  %0:2 = quartet.gated_delta %q, %k, %v, %a, %b, %a_log, %dt, %s
      ragged(%start, %slot) qk_eps 1.0e-6
    : (tensor<?x2x8xf32>, tensor<?x2x8xbf16>, tensor<?x4x6xf32>, tensor<?x4xf32>,
       tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x4x6x8xf32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x4x6xf32>, tensor<?x4x6x8xf32>)
  return
}

// -----

// A dynamic number of key heads.
func.func @gated_delta_c1_static(%q: tensor<?x?x8xf32>, %k: tensor<?x?x8xf32>, %v:
                                 tensor<?x4x6xf32>, %a: tensor<?x4xf32>, %b:
                                 tensor<?x4xf32>, %a_log: tensor<4xf32>, %dt: tensor<4xf32>,
                                 %s: tensor<?x4x6x8xf32>, %start: tensor<?xi32>, %slot:
                                 tensor<?xi32>) {
  // expected-error @+1 {{expected 'q' to be [N, Hk, Dk] with static Hk >= 1, found 'tensor<?x?x8xf32>'}}
  %0:2 = quartet.gated_delta %q, %k, %v, %a, %b, %a_log, %dt, %s
      ragged(%start, %slot) qk_eps 1.0e-6
    : (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x4x6xf32>, tensor<?x4xf32>,
       tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x4x6x8xf32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x4x6xf32>, tensor<?x4x6x8xf32>)
  return
}

// -----

// out has the width of the keys.
func.func @gated_delta_c2(%q: tensor<?x2x8xf32>, %k: tensor<?x2x8xf32>, %v:
                          tensor<?x4x6xf32>, %a: tensor<?x4xf32>, %b: tensor<?x4xf32>,
                          %a_log: tensor<4xf32>, %dt: tensor<4xf32>, %s:
                          tensor<?x4x6x8xf32>, %start: tensor<?xi32>, %slot: tensor<?xi32>)
                          {
  // expected-error @+1 {{expected 'out' to be [N, Hv, Dv] with Dv = 6 as in 'v', found 'tensor<?x4x8xf32>'}}
  %0:2 = quartet.gated_delta %q, %k, %v, %a, %b, %a_log, %dt, %s
      ragged(%start, %slot) qk_eps 1.0e-6
    : (tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x6xf32>, tensor<?x4xf32>,
       tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x4x6x8xf32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x4x8xf32>, tensor<?x4x6x8xf32>)
  return
}

// -----

// Heads that can't be shared out.
func.func @gated_delta_c3(%q: tensor<?x3x8xf32>, %k: tensor<?x3x8xf32>, %v:
                          tensor<?x4x6xf32>, %a: tensor<?x4xf32>, %b: tensor<?x4xf32>,
                          %a_log: tensor<4xf32>, %dt: tensor<4xf32>, %s:
                          tensor<?x4x6x8xf32>, %start: tensor<?xi32>, %slot: tensor<?xi32>)
                          {
  // expected-error @+1 {{expected Hv to be a multiple of Hk, found 4 and 3}}
  %0:2 = quartet.gated_delta %q, %k, %v, %a, %b, %a_log, %dt, %s
      ragged(%start, %slot) qk_eps 1.0e-6
    : (tensor<?x3x8xf32>, tensor<?x3x8xf32>, tensor<?x4x6xf32>, tensor<?x4xf32>,
       tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x4x6x8xf32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x4x6xf32>, tensor<?x4x6x8xf32>)
  return
}

// -----

// b is per key head.
func.func @gated_delta_c4(%q: tensor<?x2x8xf32>, %k: tensor<?x2x8xf32>, %v:
                          tensor<?x4x6xf32>, %a: tensor<?x4xf32>, %b: tensor<?x2xf32>,
                          %a_log: tensor<4xf32>, %dt: tensor<4xf32>, %s:
                          tensor<?x4x6x8xf32>, %start: tensor<?xi32>, %slot: tensor<?xi32>)
                          {
  // expected-error @+1 {{expected 'b' to be [N, Hv] with Hv = 4 as in 'v', found 'tensor<?x2xf32>'}}
  %0:2 = quartet.gated_delta %q, %k, %v, %a, %b, %a_log, %dt, %s
      ragged(%start, %slot) qk_eps 1.0e-6
    : (tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x6xf32>, tensor<?x4xf32>,
       tensor<?x2xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x4x6x8xf32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x4x6xf32>, tensor<?x4x6x8xf32>)
  return
}

// -----

// a is per key head.
func.func @gated_delta_c4_a(%q: tensor<?x2x8xf32>, %k: tensor<?x2x8xf32>, %v:
                            tensor<?x4x6xf32>, %a: tensor<?x2xf32>, %b: tensor<?x4xf32>,
                            %a_log: tensor<4xf32>, %dt: tensor<4xf32>, %s:
                            tensor<?x4x6x8xf32>, %start: tensor<?xi32>, %slot:
                            tensor<?xi32>) {
  // expected-error @+1 {{expected 'a' to be [N, Hv] with Hv = 4 as in 'v', found 'tensor<?x2xf32>'}}
  %0:2 = quartet.gated_delta %q, %k, %v, %a, %b, %a_log, %dt, %s
      ragged(%start, %slot) qk_eps 1.0e-6
    : (tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x6xf32>, tensor<?x2xf32>,
       tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x4x6x8xf32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x4x6xf32>, tensor<?x4x6x8xf32>)
  return
}

// -----

// dt_bias is per key head.
func.func @gated_delta_c5(%q: tensor<?x2x8xf32>, %k: tensor<?x2x8xf32>, %v:
                          tensor<?x4x6xf32>, %a: tensor<?x4xf32>, %b: tensor<?x4xf32>,
                          %a_log: tensor<4xf32>, %dt: tensor<2xf32>, %s:
                          tensor<?x4x6x8xf32>, %start: tensor<?xi32>, %slot: tensor<?xi32>)
                          {
  // expected-error @+1 {{expected 'dt_bias' to be [Hv] with Hv = 4 as in 'v', found 'tensor<2xf32>'}}
  %0:2 = quartet.gated_delta %q, %k, %v, %a, %b, %a_log, %dt, %s
      ragged(%start, %slot) qk_eps 1.0e-6
    : (tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x6xf32>, tensor<?x4xf32>,
       tensor<?x4xf32>, tensor<4xf32>, tensor<2xf32>, tensor<?x4x6x8xf32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x4x6xf32>, tensor<?x4x6x8xf32>)
  return
}

// -----

// a_log is per key head.
func.func @gated_delta_c5_a_log(%q: tensor<?x2x8xf32>, %k: tensor<?x2x8xf32>, %v:
                                tensor<?x4x6xf32>, %a: tensor<?x4xf32>, %b: tensor<?x4xf32>,
                                %a_log: tensor<2xf32>, %dt: tensor<4xf32>, %s:
                                tensor<?x4x6x8xf32>, %start: tensor<?xi32>, %slot:
                                tensor<?xi32>) {
  // expected-error @+1 {{expected 'a_log' to be [Hv] with Hv = 4 as in 'v', found 'tensor<2xf32>'}}
  %0:2 = quartet.gated_delta %q, %k, %v, %a, %b, %a_log, %dt, %s
      ragged(%start, %slot) qk_eps 1.0e-6
    : (tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x6xf32>, tensor<?x4xf32>,
       tensor<?x4xf32>, tensor<2xf32>, tensor<4xf32>, tensor<?x4x6x8xf32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x4x6xf32>, tensor<?x4x6x8xf32>)
  return
}

// -----

// The state is stored with Dk before Dv.
func.func @gated_delta_c6(%q: tensor<?x2x8xf32>, %k: tensor<?x2x8xf32>, %v:
                          tensor<?x4x6xf32>, %a: tensor<?x4xf32>, %b: tensor<?x4xf32>,
                          %a_log: tensor<4xf32>, %dt: tensor<4xf32>, %s:
                          tensor<?x4x8x6xf32>, %start: tensor<?xi32>, %slot: tensor<?xi32>)
                          {
  // expected-error @+1 {{expected 'state_in' to be [slots, Hv, Dv, Dk] with Dv = 6 as in 'v', found 'tensor<?x4x8x6xf32>'}}
  %0:2 = quartet.gated_delta %q, %k, %v, %a, %b, %a_log, %dt, %s
      ragged(%start, %slot) qk_eps 1.0e-6
    : (tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x6xf32>, tensor<?x4xf32>,
       tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x4x8x6xf32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x4x6xf32>, tensor<?x4x8x6xf32>)
  return
}

// -----

// The state changes shape.
func.func @gated_delta_c7(%q: tensor<?x2x8xf32>, %k: tensor<?x2x8xf32>, %v:
                          tensor<?x4x6xf32>, %a: tensor<?x4xf32>, %b: tensor<?x4xf32>,
                          %a_log: tensor<4xf32>, %dt: tensor<4xf32>, %s:
                          tensor<?x4x6x8xf32>, %start: tensor<?xi32>, %slot: tensor<?xi32>)
                          {
  // expected-error @+1 {{failed to verify that all of {stateIn, stateOut} have same type}}
  %0:2 = quartet.gated_delta %q, %k, %v, %a, %b, %a_log, %dt, %s
      ragged(%start, %slot) qk_eps 1.0e-6
    : (tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x6xf32>, tensor<?x4xf32>,
       tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x4x6x8xf32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x4x6xf32>, tensor<7x4x6x8xf32>)
  return
}

// -----

// qk_eps is zero.
func.func @gated_delta_c8(%q: tensor<?x2x8xf32>, %k: tensor<?x2x8xf32>, %v:
                          tensor<?x4x6xf32>, %a: tensor<?x4xf32>, %b: tensor<?x4xf32>,
                          %a_log: tensor<4xf32>, %dt: tensor<4xf32>, %s:
                          tensor<?x4x6x8xf32>, %start: tensor<?xi32>, %slot: tensor<?xi32>)
                          {
  // expected-error @+1 {{expected qk_eps > 0, found 0}}
  %0:2 = quartet.gated_delta %q, %k, %v, %a, %b, %a_log, %dt, %s
      ragged(%start, %slot) qk_eps 0.0
    : (tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x6xf32>, tensor<?x4xf32>,
       tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x4x6x8xf32>, tensor<?xi32>,
       tensor<?xi32>)
    -> (tensor<?x4x6xf32>, tensor<?x4x6x8xf32>)
  return
}

// -----

// A dynamic head size.
func.func @rope_c1(%x: tensor<?x2x?xf32>, %p: tensor<3x?xi32>) {
  // expected-error @+1 {{expected 'x' to be [N, heads, D] with static D >= 1, found 'tensor<?x2x?xf32>'}}
  %0 = quartet.rope %x, %p inv_freq [1.0, 0.1] axes [0, 1] scale 1.0
    : (tensor<?x2x?xf32>, tensor<3x?xi32>)
    -> tensor<?x2x?xf32>
  return
}

// -----

// One position per token, not three.
func.func @rope_c2(%x: tensor<?x2x8xf32>, %p: tensor<1x?xi32>) {
  // expected-error @+1 {{expected 'positions' to be [3, N], found 'tensor<1x?xi32>'}}
  %0 = quartet.rope %x, %p inv_freq [1.0, 0.1] axes [0, 1] scale 1.0
    : (tensor<?x2x8xf32>, tensor<1x?xi32>)
    -> tensor<?x2x8xf32>
  return
}

// -----

// Fewer axes than frequencies.
func.func @rope_c3_count(%x: tensor<?x2x8xf32>, %p: tensor<3x?xi32>) {
  // expected-error @+1 {{expected inv_freq and axes to have the same P >= 1 elements, found 2 and 1}}
  %0 = quartet.rope %x, %p inv_freq [1.0, 0.1] axes [0] scale 1.0
    : (tensor<?x2x8xf32>, tensor<3x?xi32>)
    -> tensor<?x2x8xf32>
  return
}

// -----

// No frequencies.
func.func @rope_c3_none(%x: tensor<?x2x8xf32>, %p: tensor<3x?xi32>) {
  // expected-error @+1 {{expected inv_freq and axes to have the same P >= 1 elements, found 0 and 0}}
  %0 = quartet.rope %x, %p inv_freq [] axes [] scale 1.0
    : (tensor<?x2x8xf32>, tensor<3x?xi32>)
    -> tensor<?x2x8xf32>
  return
}

// -----

// More pairs than a head has.
func.func @rope_c3_wide(%x: tensor<?x2x3xf32>, %p: tensor<3x?xi32>) {
  // expected-error @+1 {{expected at most D / 2 = 1 frequencies, found 2}}
  %0 = quartet.rope %x, %p inv_freq [1.0, 0.1] axes [0, 1] scale 1.0
    : (tensor<?x2x3xf32>, tensor<3x?xi32>)
    -> tensor<?x2x3xf32>
  return
}

// -----

// A fourth axis.
func.func @rope_c4(%x: tensor<?x2x8xf32>, %p: tensor<3x?xi32>) {
  // expected-error @+1 {{expected each axis to be 0, 1 or 2, found 3}}
  %0 = quartet.rope %x, %p inv_freq [1.0, 0.1] axes [0, 3] scale 1.0
    : (tensor<?x2x8xf32>, tensor<3x?xi32>)
    -> tensor<?x2x8xf32>
  return
}

// -----

// The result is rounded to another type.
func.func @rope_c5(%x: tensor<?x2x8xf32>, %p: tensor<3x?xi32>) {
  // expected-error @+1 {{failed to verify that all of {x, y} have same type}}
  %0 = quartet.rope %x, %p inv_freq [1.0, 0.1] axes [0, 1] scale 1.0
    : (tensor<?x2x8xf32>, tensor<3x?xi32>)
    -> tensor<?x2x8xbf16>
  return
}

// -----

// The gate is per KV head.
func.func @gated_attention_c1(%q: tensor<?x4x8xf32>, %k: tensor<?x2x8xf32>, %v:
                              tensor<?x2x8xf32>, %g: tensor<?x2x8xf32>, %key:
                              tensor<?x2x64x8xbf16>, %value: tensor<?x2x64x8xbf16>, %seq:
                              tensor<?xi32>, %start: tensor<?xi32>, %past: tensor<?xi32>,
                              %slot: tensor<?xi32>, %table: tensor<?x?xi32>) {
  // expected-error @+1 {{expected 'gate' to be [N, Hq, D] with Hq = 4 as in 'q', found 'tensor<?x2x8xf32>'}}
  %0:3 = quartet.gated_attention %q, %k, %v gate(%g) cache(%key, %value)
      ragged(%seq, %start, %past, %slot) pages(%table) scale 0.5
    : (tensor<?x4x8xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>,
       tensor<?x2x64x8xbf16>, tensor<?x2x64x8xbf16>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
    -> (tensor<?x4x8xf32>, tensor<?x2x64x8xbf16>, tensor<?x2x64x8xbf16>)
  return
}

// -----

// out is narrower.
func.func @gated_attention_c1_out(%q: tensor<?x4x8xf32>, %k: tensor<?x2x8xf32>, %v:
                                  tensor<?x2x8xf32>, %g: tensor<?x4x8xf32>, %key:
                                  tensor<?x2x64x8xbf16>, %value: tensor<?x2x64x8xbf16>,
                                  %seq: tensor<?xi32>, %start: tensor<?xi32>, %past:
                                  tensor<?xi32>, %slot: tensor<?xi32>, %table:
                                  tensor<?x?xi32>) {
  // expected-error @+1 {{expected 'out' to be [N, Hq, D] with D = 8 as in 'q', found 'tensor<?x4x4xf32>'}}
  %0:3 = quartet.gated_attention %q, %k, %v gate(%g) cache(%key, %value)
      ragged(%seq, %start, %past, %slot) pages(%table) scale 0.5
    : (tensor<?x4x8xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x8xf32>,
       tensor<?x2x64x8xbf16>, tensor<?x2x64x8xbf16>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
    -> (tensor<?x4x4xf32>, tensor<?x2x64x8xbf16>, tensor<?x2x64x8xbf16>)
  return
}

// -----

// v has more heads than k.
func.func @gated_attention_c2(%q: tensor<?x4x8xf32>, %k: tensor<?x2x8xf32>, %v:
                              tensor<?x4x8xf32>, %g: tensor<?x4x8xf32>, %key:
                              tensor<?x2x64x8xbf16>, %value: tensor<?x2x64x8xbf16>, %seq:
                              tensor<?xi32>, %start: tensor<?xi32>, %past: tensor<?xi32>,
                              %slot: tensor<?xi32>, %table: tensor<?x?xi32>) {
  // expected-error @+1 {{expected 'v' to be [N, Hkv, D] with Hkv = 2 as in 'k', found 'tensor<?x4x8xf32>'}}
  %0:3 = quartet.gated_attention %q, %k, %v gate(%g) cache(%key, %value)
      ragged(%seq, %start, %past, %slot) pages(%table) scale 0.5
    : (tensor<?x4x8xf32>, tensor<?x2x8xf32>, tensor<?x4x8xf32>, tensor<?x4x8xf32>,
       tensor<?x2x64x8xbf16>, tensor<?x2x64x8xbf16>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
    -> (tensor<?x4x8xf32>, tensor<?x2x64x8xbf16>, tensor<?x2x64x8xbf16>)
  return
}

// -----

// A dynamic number of KV heads.
func.func @gated_attention_c2_static(%q: tensor<?x4x8xf32>, %k: tensor<?x?x8xf32>, %v:
                                     tensor<?x2x8xf32>, %g: tensor<?x4x8xf32>, %key:
                                     tensor<?x2x64x8xbf16>, %value: tensor<?x2x64x8xbf16>,
                                     %seq: tensor<?xi32>, %start: tensor<?xi32>, %past:
                                     tensor<?xi32>, %slot: tensor<?xi32>, %table:
                                     tensor<?x?xi32>) {
  // expected-error @+1 {{expected 'k' to be [N, Hkv, D] with static Hkv >= 1, found 'tensor<?x?x8xf32>'}}
  %0:3 = quartet.gated_attention %q, %k, %v gate(%g) cache(%key, %value)
      ragged(%seq, %start, %past, %slot) pages(%table) scale 0.5
    : (tensor<?x4x8xf32>, tensor<?x?x8xf32>, tensor<?x2x8xf32>, tensor<?x4x8xf32>,
       tensor<?x2x64x8xbf16>, tensor<?x2x64x8xbf16>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
    -> (tensor<?x4x8xf32>, tensor<?x2x64x8xbf16>, tensor<?x2x64x8xbf16>)
  return
}

// -----

// Heads that can't be shared out.
func.func @gated_attention_c3(%q: tensor<?x4x8xf32>, %k: tensor<?x3x8xf32>, %v:
                              tensor<?x3x8xf32>, %g: tensor<?x4x8xf32>, %key:
                              tensor<?x2x64x8xbf16>, %value: tensor<?x2x64x8xbf16>, %seq:
                              tensor<?xi32>, %start: tensor<?xi32>, %past: tensor<?xi32>,
                              %slot: tensor<?xi32>, %table: tensor<?x?xi32>) {
  // expected-error @+1 {{expected Hq to be a multiple of Hkv, found 4 and 3}}
  %0:3 = quartet.gated_attention %q, %k, %v gate(%g) cache(%key, %value)
      ragged(%seq, %start, %past, %slot) pages(%table) scale 0.5
    : (tensor<?x4x8xf32>, tensor<?x3x8xf32>, tensor<?x3x8xf32>, tensor<?x4x8xf32>,
       tensor<?x2x64x8xbf16>, tensor<?x2x64x8xbf16>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
    -> (tensor<?x4x8xf32>, tensor<?x2x64x8xbf16>, tensor<?x2x64x8xbf16>)
  return
}

// -----

// Pages of half the size.
func.func @gated_attention_c4(%q: tensor<?x4x8xf32>, %k: tensor<?x2x8xf32>, %v:
                              tensor<?x2x8xf32>, %g: tensor<?x4x8xf32>, %key:
                              tensor<?x2x32x8xbf16>, %value: tensor<?x2x32x8xbf16>, %seq:
                              tensor<?xi32>, %start: tensor<?xi32>, %past: tensor<?xi32>,
                              %slot: tensor<?xi32>, %table: tensor<?x?xi32>) {
  // expected-error @+1 {{expected 'key_in' to be [pages, Hkv, 64, D], found 'tensor<?x2x32x8xbf16>'}}
  %0:3 = quartet.gated_attention %q, %k, %v gate(%g) cache(%key, %value)
      ragged(%seq, %start, %past, %slot) pages(%table) scale 0.5
    : (tensor<?x4x8xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x8xf32>,
       tensor<?x2x32x8xbf16>, tensor<?x2x32x8xbf16>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
    -> (tensor<?x4x8xf32>, tensor<?x2x32x8xbf16>, tensor<?x2x32x8xbf16>)
  return
}

// -----

// Pages of int8 without rows for the scales.
func.func @gated_attention_c4_int8(%q: tensor<?x4x8xf32>, %k: tensor<?x2x8xf32>,
                                   %key: tensor<?x2x64x8xi8>, %i: tensor<?xi32>,
                                   %table: tensor<?x?xi32>) {
  // expected-error @+1 {{expected 'key_in' to be [pages, Hkv, 64 + ceil(256 / D), D] with 64 + ceil(256 / D) = 96 as in 'q', found 'tensor<?x2x64x8xi8>'}}
  %0:3 = quartet.gated_attention %q, %k, %k gate(%q) cache(%key, %key)
      ragged(%i, %i, %i, %i) pages(%table) scale 0.5
    : (tensor<?x4x8xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x8xf32>,
       tensor<?x2x64x8xi8>, tensor<?x2x64x8xi8>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
    -> (tensor<?x4x8xf32>, tensor<?x2x64x8xi8>, tensor<?x2x64x8xi8>)
  return
}

// -----

// Pages of floats with rows for scales.
func.func @gated_attention_c4_float(%q: tensor<?x4x8xf32>, %k: tensor<?x2x8xf32>,
                                    %key: tensor<?x2x96x8xf32>, %i: tensor<?xi32>,
                                    %table: tensor<?x?xi32>) {
  // expected-error @+1 {{expected 'key_in' to be [pages, Hkv, 64, D]}}
  %0:3 = quartet.gated_attention %q, %k, %k gate(%q) cache(%key, %key)
      ragged(%i, %i, %i, %i) pages(%table) scale 0.5
    : (tensor<?x4x8xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x8xf32>,
       tensor<?x2x96x8xf32>, tensor<?x2x96x8xf32>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
    -> (tensor<?x4x8xf32>, tensor<?x2x96x8xf32>, tensor<?x2x96x8xf32>)
  return
}

// -----

// Values are kept in another type than keys.
func.func @gated_attention_c5(%q: tensor<?x4x8xf32>, %k: tensor<?x2x8xf32>, %v:
                              tensor<?x2x8xf32>, %g: tensor<?x4x8xf32>, %key:
                              tensor<?x2x64x8xbf16>, %value: tensor<?x2x64x8xf32>, %seq:
                              tensor<?xi32>, %start: tensor<?xi32>, %past: tensor<?xi32>,
                              %slot: tensor<?xi32>, %table: tensor<?x?xi32>) {
  // expected-error @+1 {{failed to verify that all of {keyIn, keyOut, valueIn, valueOut} have same type}}
  %0:3 = quartet.gated_attention %q, %k, %v gate(%g) cache(%key, %value)
      ragged(%seq, %start, %past, %slot) pages(%table) scale 0.5
    : (tensor<?x4x8xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x8xf32>,
       tensor<?x2x64x8xbf16>, tensor<?x2x64x8xf32>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
    -> (tensor<?x4x8xf32>, tensor<?x2x64x8xbf16>, tensor<?x2x64x8xf32>)
  return
}

// -----

// token_seq is too short.
func.func @gated_attention_c6(%q: tensor<5x4x8xf32>, %k: tensor<?x2x8xf32>, %v:
                              tensor<?x2x8xf32>, %g: tensor<?x4x8xf32>, %key:
                              tensor<?x2x64x8xbf16>, %value: tensor<?x2x64x8xbf16>, %seq:
                              tensor<4xi32>, %start: tensor<?xi32>, %past: tensor<?xi32>,
                              %slot: tensor<?xi32>, %table: tensor<?x?xi32>) {
  // expected-error @+1 {{expected 'token_seq' to be [N] with N = 5 as in 'q', found 'tensor<4xi32>'}}
  %0:3 = quartet.gated_attention %q, %k, %v gate(%g) cache(%key, %value)
      ragged(%seq, %start, %past, %slot) pages(%table) scale 0.5
    : (tensor<5x4x8xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x8xf32>,
       tensor<?x2x64x8xbf16>, tensor<?x2x64x8xbf16>, tensor<4xi32>, tensor<?xi32>,
       tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
    -> (tensor<?x4x8xf32>, tensor<?x2x64x8xbf16>, tensor<?x2x64x8xbf16>)
  return
}
