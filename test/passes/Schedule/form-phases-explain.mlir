// RUN: quartet-opt %s -quartet-form-phases=explain=1 -verify-diagnostics | FileCheck %s

// Why phases begin, with what the models of the family do not have: maps of the
// same and of other rows, heads after heads and beside them, norms that no
// matrix reads, what several phases load, and weights that a block sees.
// CHECK: quartet.phase @embed {
// CHECK: quartet.phase @in_2 {
// CHECK-NEXT: quartet.load_weight @norm
// CHECK-NEXT: quartet.rms_norm
// CHECK-NEXT: quartet.load_weight @w
// CHECK-NEXT: quartet.linear
// CHECK-NEXT: quartet.linear
// CHECK-NEXT: arith.addf
// CHECK: quartet.phase @in_3 {
// CHECK-NEXT: quartet.load_weight @w
// CHECK-NEXT: quartet.linear
// CHECK: quartet.phase @delta {
// CHECK-COUNT-2: quartet.causal_conv
// CHECK: quartet.phase @delta_2 {
// CHECK: quartet.phase @rows {
// CHECK: quartet.phase @rows_2 {
// CHECK: %[[W:.*]] = quartet.load_weight @w
// CHECK-NEXT: quartet.block
// CHECK: quartet.phase @in {
// CHECK-NEXT: quartet.linear %{{.*}}, %[[W]]
// CHECK: quartet.phase @in_5 {
quartet.model @other {
  quartet.weight @embed : tensor<32x8xf32>
  quartet.weight @norm : tensor<8xf32>
  quartet.weight @w : tensor<8x8xf32>
  quartet.weight @taps : tensor<8x4xf32>
  quartet.state @s0 slots : tensor<?x3x8xf32>
  quartet.state @s3 slots : tensor<?x3x8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %c0 = arith.constant 0 : index
    %count = tensor.dim %tokens, %c0 : tensor<?xi32>
    %n = quartet.load_weight @norm : tensor<8xf32>
    %w = quartet.load_weight @w : tensor<8x8xf32>
    %t = quartet.load_weight @taps : tensor<8x4xf32>
    %e = quartet.load_weight @embed : tensor<32x8xf32>
    // expected-remark @+1 {{phase @embed begins here: it is the first}}
    %x = quartet.embed %tokens, %e : (tensor<?xi32>, tensor<32x8xf32>) -> tensor<?x8xf32>
    // expected-remark @+1 {{quartet.rms_norm is done on the way into phase @in_2}}
    %a = quartet.rms_norm %x, %n eps 1.0e-6 : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
    // expected-remark @+1 {{phase @in_2 begins here: quartet.linear needs whole rows of what the tasks of phase @embed make}}
    %b = quartet.linear %a, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    %c = quartet.linear %a, %w residual(%x) : (tensor<?x8xf32>, tensor<8x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
    // expected-remark @+1 {{arith.addf is done on the way out of phase @in_2}}
    %d = arith.addf %b, %c : tensor<?x8xf32>
    // expected-remark @+1 {{phase @in_3 begins here: quartet.linear reads other rows than phase @in_2}}
    %f = quartet.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    %s0 = quartet.load_state @s0 : tensor<?x3x8xf32>
    // expected-remark @+1 {{phase @delta begins here: quartet.causal_conv needs whole heads over all tokens of what the tasks of phase @in_3 make in pieces of rows}}
    %g, %s1 = quartet.causal_conv %f, %t, %s0 ragged(%token_seq, %seq_start, %seq_slot)
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<?x3x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>) -> (tensor<?x8xf32>, tensor<?x3x8xf32>)
    %h, %s2 = quartet.causal_conv %g, %t, %s1 ragged(%token_seq, %seq_start, %seq_slot)
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<?x3x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>) -> (tensor<?x8xf32>, tensor<?x3x8xf32>)
    quartet.store_state @s0, %s2 : tensor<?x3x8xf32>
    %s3 = quartet.load_state @s3 : tensor<?x3x8xf32>
    // expected-remark @+1 {{phase @delta_2 begins here: quartet.causal_conv works on other heads than phase @delta}}
    %i, %s4 = quartet.causal_conv %d, %t, %s3 ragged(%token_seq, %seq_start, %seq_slot)
      : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<?x3x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>) -> (tensor<?x8xf32>, tensor<?x3x8xf32>)
    quartet.store_state @s3, %s4 : tensor<?x3x8xf32>
    // expected-remark @+1 {{phase @in_4 begins here: quartet.linear needs rows, phase @delta_2 works on heads}}
    %j = quartet.linear %d, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    // expected-remark @+1 {{phase @rows begins here: quartet.rms_norm needs whole rows of what the tasks of phase @in_4 make}}
    %k = quartet.rms_norm %j, %n eps 1.0e-6 : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
    // expected-remark @+1 {{phase @rows_2 begins here: quartet.rms_norm has other tasks than phase @rows}}
    %l = quartet.rms_norm %i, %n eps 1.0e-6 : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
    // expected-remark @+1 {{arith.addf is done on the way out of phase @rows_2}}
    %m = arith.addf %k, %l : tensor<?x8xf32>
    %y = quartet.block repeat 2 init(%m) {
    ^bb0(%in: tensor<?x8xf32>):
      // expected-remark @+1 {{phase @in begins here: it is the first}}
      %z = quartet.linear %in, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
      quartet.yield %z : tensor<?x8xf32>
    } : tensor<?x8xf32>
    // expected-remark @+1 {{phase @in_5 begins here: quartet.linear begins after quartet.block}}
    %o = quartet.linear %y, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    // expected-remark @+1 {{arith.addf is done on the way out of phase @in_5}}
    %q = arith.addf %o, %h : tensor<?x8xf32>
    quartet.return %q, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}
