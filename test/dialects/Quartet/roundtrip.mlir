// RUN: quartet-opt %s | FileCheck %s
// RUN: quartet-opt %s | quartet-opt | FileCheck %s
// RUN: quartet-opt %s -mlir-print-op-generic | quartet-opt | FileCheck %s

// Both ranks; all types may differ.
// CHECK-LABEL: func @rms_norm
// CHECK: quartet.rms_norm %{{.*}}, %{{.*}} eps 9.99999997E-7 : (tensor<?x8xf32>, tensor<8xbf16>) -> tensor<?x8xbf16>
// CHECK: quartet.rms_norm %{{.*}}, %{{.*}} eps 1.000000e+00 : (tensor<4x2x8xf16>, tensor<8xbf16>) -> tensor<?x2x8xf32>
func.func @rms_norm(%x: tensor<?x8xf32>, %h: tensor<4x2x8xf16>, %w: tensor<8xbf16>) {
  %0 = quartet.rms_norm %x, %w eps 1.0e-6
    : (tensor<?x8xf32>, tensor<8xbf16>) -> tensor<?x8xbf16>
  %1 = quartet.rms_norm %h, %w eps 1.0
    : (tensor<4x2x8xf16>, tensor<8xbf16>) -> tensor<?x2x8xf32>
  return
}

// Both activations.
// CHECK-LABEL: func @gated_rms_norm
// CHECK: quartet.gated_rms_norm %{{.*}}, %{{.*}}, %{{.*}} gate silu eps
// CHECK: quartet.gated_rms_norm %{{.*}}, %{{.*}}, %{{.*}} gate sigmoid eps
func.func @gated_rms_norm(%x: tensor<?x2x8xf32>, %w: tensor<8xf32>) {
  %0 = quartet.gated_rms_norm %x, %x, %w gate silu eps 1.0e-6
    : (tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<8xf32>) -> tensor<?x2x8xf32>
  %1 = quartet.gated_rms_norm %x, %x, %w gate sigmoid eps 1.0e-6
    : (tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<8xf32>) -> tensor<?x2x8xf32>
  return
}

// CHECK-LABEL: func @linear
// CHECK: quartet.linear %{{.*}}, %{{.*}} : (tensor<?x8xbf16>, tensor<6x8xf16>) -> tensor<?x6xf32>
func.func @linear(%x: tensor<?x8xbf16>, %w: tensor<6x8xf16>) {
  %0 = quartet.linear %x, %w : (tensor<?x8xbf16>, tensor<6x8xf16>) -> tensor<?x6xf32>
  return
}

// CHECK-LABEL: func @causal_conv
// CHECK: quartet.causal_conv %{{.*}}, %{{.*}}, %{{.*}} ragged(%{{.*}}, %{{.*}}, %{{.*}}) :
func.func @causal_conv(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>,
                       %s: tensor<?x3x8xf16>, %i: tensor<?xi32>) {
  %0, %1 = quartet.causal_conv %x, %w, %s ragged(%i, %i, %i)
    : (tensor<?x8xf32>, tensor<8x4xf32>, tensor<?x3x8xf16>,
       tensor<?xi32>, tensor<?xi32>, tensor<?xi32>)
    -> (tensor<?x8xf32>, tensor<?x3x8xf16>)
  return
}

// CHECK-LABEL: func @gated_delta
// CHECK: quartet.gated_delta {{.*}} ragged(%{{.*}}, %{{.*}}) qk_eps 9.99999997E-7 :
func.func @gated_delta(%q: tensor<?x2x8xf32>, %v: tensor<?x4x6xf32>,
                       %a: tensor<?x4xf32>, %h: tensor<4xf32>,
                       %s: tensor<?x4x6x8xf32>, %i: tensor<?xi32>) {
  %0, %1 = quartet.gated_delta %q, %q, %v, %a, %a, %h, %h, %s
      ragged(%i, %i) qk_eps 1.0e-6
    : (tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x6xf32>, tensor<?x4xf32>,
       tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x4x6x8xf32>,
       tensor<?xi32>, tensor<?xi32>)
    -> (tensor<?x4x6xf32>, tensor<?x4x6x8xf32>)
  return
}

// CHECK-LABEL: func @rope
// CHECK: quartet.rope %{{.*}}, %{{.*}} inv_freq [1.000000e+00, 1.000000e-01] axes [0, 2] scale 1.000000e+00 : (tensor<?x2x8xf32>, tensor<3x?xi32>) -> tensor<?x2x8xf32>
func.func @rope(%x: tensor<?x2x8xf32>, %p: tensor<3x?xi32>) {
  %0 = quartet.rope %x, %p inv_freq [1.0, 0.1] axes [0, 2] scale 1.0
    : (tensor<?x2x8xf32>, tensor<3x?xi32>) -> tensor<?x2x8xf32>
  return
}

// With and without a gate.
// CHECK-LABEL: func @gated_attention
// CHECK: quartet.gated_attention %{{.*}}, %{{.*}}, %{{.*}} gate(%{{.*}}) cache(%{{.*}}, %{{.*}}) ragged(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) pages(%{{.*}}) scale 5.000000e-01 :
// CHECK: quartet.gated_attention %{{.*}}, %{{.*}}, %{{.*}} cache(%{{.*}}, %{{.*}}) ragged
func.func @gated_attention(%q: tensor<?x4x8xf32>, %k: tensor<?x2x8xf32>,
                           %c: tensor<?x2x64x8xbf16>, %i: tensor<?xi32>,
                           %t: tensor<?x?xi32>) {
  %0:3 = quartet.gated_attention %q, %k, %k gate(%q) cache(%c, %c)
      ragged(%i, %i, %i, %i) pages(%t) scale 0.5
    : (tensor<?x4x8xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x8xf32>,
       tensor<?x2x64x8xbf16>, tensor<?x2x64x8xbf16>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
    -> (tensor<?x4x8xf32>, tensor<?x2x64x8xbf16>, tensor<?x2x64x8xbf16>)
  %1:3 = quartet.gated_attention %q, %k, %k cache(%c, %c)
      ragged(%i, %i, %i, %i) pages(%t) scale 0.5
    : (tensor<?x4x8xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>,
       tensor<?x2x64x8xbf16>, tensor<?x2x64x8xbf16>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
    -> (tensor<?x4x8xf32>, tensor<?x2x64x8xbf16>, tensor<?x2x64x8xbf16>)
  return
}

// Pages of int8 with their scales behind the rows.
// CHECK-LABEL: func @gated_attention_int8
// CHECK: quartet.gated_attention {{.*}} tensor<?x2x96x8xi8>
func.func @gated_attention_int8(%q: tensor<?x4x8xf32>, %k: tensor<?x2x8xf32>,
                                %c: tensor<?x2x96x8xi8>, %i: tensor<?xi32>,
                                %t: tensor<?x?xi32>) {
  %0:3 = quartet.gated_attention %q, %k, %k cache(%c, %c)
      ragged(%i, %i, %i, %i) pages(%t) scale 0.5
    : (tensor<?x4x8xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>,
       tensor<?x2x96x8xi8>, tensor<?x2x96x8xi8>, tensor<?xi32>, tensor<?xi32>,
       tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
    -> (tensor<?x4x8xf32>, tensor<?x2x96x8xi8>, tensor<?x2x96x8xi8>)
  return
}

// CHECK-LABEL: func @embed
// CHECK: quartet.embed %{{.*}}, %{{.*}} : (tensor<?xi32>, tensor<32x8xbf16>) -> tensor<?x8xf32>
func.func @embed(%t: tensor<?xi32>, %w: tensor<32x8xbf16>) {
  %0 = quartet.embed %t, %w : (tensor<?xi32>, tensor<32x8xbf16>) -> tensor<?x8xf32>
  return
}

// With and without renormalising.
// CHECK-LABEL: func @route
// CHECK: quartet.route %{{.*}}, %{{.*}} top_k 2 renormalize :
// CHECK: quartet.route %{{.*}}, %{{.*}} top_k 3 :
func.func @route(%x: tensor<?x8xf32>, %w: tensor<16x8xf32>) {
  %0:2 = quartet.route %x, %w top_k 2 renormalize
    : (tensor<?x8xf32>, tensor<16x8xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
  %1:2 = quartet.route %x, %w top_k 3
    : (tensor<?x8xf32>, tensor<16x8xf32>) -> (tensor<?x3xf32>, tensor<?x3xi32>)
  return
}

// CHECK-LABEL: func @experts
// CHECK: quartet.experts %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} :
func.func @experts(%x: tensor<?x8xf32>, %p: tensor<?x2xf32>, %ids: tensor<?x2xi32>,
                   %gu: tensor<16x12x8xbf16>, %down: tensor<16x8x6xbf16>) {
  %0 = quartet.experts %x, %p, %ids, %gu, %down
    : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>,
       tensor<16x12x8xbf16>, tensor<16x8x6xbf16>) -> tensor<?x8xf32>
  return
}

// CHECK-LABEL: func @mlps
// CHECK: quartet.mlp %{{.*}}, %{{.*}}, %{{.*}} :
// CHECK: quartet.shared_expert %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} :
func.func @mlps(%x: tensor<?x8xf32>, %gu: tensor<12x8xbf16>, %down: tensor<8x6xbf16>,
                %g: tensor<1x8xbf16>) {
  %0 = quartet.mlp %x, %gu, %down
    : (tensor<?x8xf32>, tensor<12x8xbf16>, tensor<8x6xbf16>) -> tensor<?x8xf32>
  %1 = quartet.shared_expert %x, %gu, %down, %g
    : (tensor<?x8xf32>, tensor<12x8xbf16>, tensor<8x6xbf16>, tensor<1x8xbf16>)
    -> tensor<?x8xf32>
  return
}

// CHECK-LABEL: func @ends
// CHECK: quartet.lm_head %{{.*}}, %{{.*}}, %{{.*}} :
// CHECK: quartet.sample %{{.*}} token_limit 30 candidates 16 :
func.func @ends(%x: tensor<?x8xf32>, %rows: tensor<?xi32>, %w: tensor<32x8xbf16>,
                %f: tensor<?xf32>) {
  %0 = quartet.lm_head %x, %rows, %w
    : (tensor<?x8xf32>, tensor<?xi32>, tensor<32x8xbf16>) -> tensor<?x32xf32>
  %1 = quartet.sample %0, %f, %rows, %f, %f, %f token_limit 30 candidates 16
    : (tensor<?x32xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>,
       tensor<?xf32>, tensor<?xf32>) -> tensor<?xi32>
  return
}

// All structural ops; repeated and single declarations, both kinds of state.
// CHECK-LABEL: quartet.model @structure {
// CHECK-DAG: quartet.weight @norm : tensor<8xf32>
// CHECK-DAG: quartet.weight @l0.w repeat 3 : tensor<8x8xbf16>
// CHECK-DAG: quartet.state @l0.conv slots repeat 3 : tensor<?x3x8xbf16>
// CHECK-DAG: quartet.state @key pages : tensor<?x2x64x8xf16>
// CHECK: quartet.step {
// CHECK: ^bb0(
// CHECK: quartet.load_state @key : tensor<?x2x64x8xf16>
// CHECK: quartet.block repeat 3 init(%{{.*}}) {
// CHECK:   quartet.load_weight @l0.w : tensor<8x8xbf16>
// CHECK:   quartet.load_weight @norm : tensor<8xf32>
// CHECK:   quartet.store_state @l0.conv, %{{.*}} : tensor<?x3x8xbf16>
// CHECK:   quartet.yield %{{.*}} : tensor<?x8xf32>
// CHECK: } : tensor<?x8xf32>
// CHECK: quartet.return %{{.*}}, %{{.*}} : tensor<?x8xf32>, tensor<?xi32>
quartet.model @structure {
  quartet.weight @norm : tensor<8xf32>
  quartet.weight @l0.w repeat 3 : tensor<8x8xbf16>
  quartet.state @l0.conv slots repeat 3 : tensor<?x3x8xbf16>
  quartet.state @key pages : tensor<?x2x64x8xf16>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %x = ub.poison : tensor<?x8xf32>
    %key = quartet.load_state @key : tensor<?x2x64x8xf16>
    quartet.store_state @key, %key : tensor<?x2x64x8xf16>
    %y = quartet.block repeat 3 init(%x) {
    ^bb0(%h: tensor<?x8xf32>):
      %w = quartet.load_weight @l0.w : tensor<8x8xbf16>
      %norm = quartet.load_weight @norm : tensor<8xf32>
      %s = quartet.load_state @l0.conv : tensor<?x3x8xbf16>
      quartet.store_state @l0.conv, %s : tensor<?x3x8xbf16>
      quartet.yield %h : tensor<?x8xf32>
    } : tensor<?x8xf32>
    quartet.return %y, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// Packed matrices, parts with and without what they leave out, and the ops that
// fusion makes.
// CHECK-LABEL: quartet.model @packed {
// CHECK: quartet.weight @l0.w repeat 3 parts [#quartet.part<@l0.a rows 4 columns 8>,
// CHECK-SAME: #quartet.part<@l0.b rows 2 from 1 to 4 columns 4 from 3 experts 2 to 1>,
// CHECK-SAME: #quartet.part<@l0.b rows 2 to 4 columns 4>] : !quartet.packed<3x16x8, "int4:16">
// CHECK: quartet.weight @v : !quartet.packed<16x8, "bf16">
// CHECK: quartet.load_weight @v : !quartet.packed<16x8, "bf16">
quartet.model @packed {
  quartet.weight @l0.w repeat 3 parts [
      #quartet.part<@l0.a rows 4 columns 8>,
      #quartet.part<@l0.b rows 2 from 1 to 4 columns 4 from 3 experts 2 to 1>,
      #quartet.part<@l0.b rows 2 from 0 to 4 columns 4 experts 1>
    ] : !quartet.packed<3x16x8, "int4:16">
  quartet.weight @v : !quartet.packed<16x8, "bf16">
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %v = quartet.load_weight @v : !quartet.packed<16x8, "bf16">
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// CHECK-LABEL: func @fused
// CHECK: %{{.*}}:2 = quartet.projections %{{.*}}, %{{.*}} rows [0, 16] :
// CHECK: quartet.linear %{{.*}}, %{{.*}} residual(%{{.*}}) :
// CHECK: quartet.select_experts %{{.*}} top_k 2 : (tensor<?x6xf32>)
// CHECK: quartet.select_experts %{{.*}} top_k 2 renormalize shared 1 gate(%{{.*}}) :
// CHECK: quartet.expert_up %{{.*}}, %{{.*}}, %{{.*}} :
// CHECK: quartet.expert_down %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : (tensor<?x3x5xf32>
// CHECK: quartet.expert_down %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} residual(%{{.*}}) :
// CHECK: quartet.mlp_up %{{.*}}, %{{.*}} : (tensor<?x8xf32>, tensor<32x8xbf16>) -> tensor<?x5xf32>
func.func @fused(%x: tensor<?x8xf32>, %w: !quartet.packed<18x8, "bf16">,
                 %v: tensor<8x8xbf16>, %gate_up: tensor<7x32x8xbf16>,
                 %down: !quartet.packed<7x8x5, "int8:16:min">,
                 %m: tensor<32x8xbf16>) {
  %logits, %gate = quartet.projections %x, %w rows [0, 16]
    : (tensor<?x8xf32>, !quartet.packed<18x8, "bf16">) -> (tensor<?x6xf32>, tensor<?x1xf32>)
  %y = quartet.linear %x, %v residual(%x)
    : (tensor<?x8xf32>, tensor<8x8xbf16>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p2, %ids2 = quartet.select_experts %logits top_k 2
    : (tensor<?x6xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
  %p, %ids = quartet.select_experts %logits top_k 2 renormalize shared 1 gate(%gate)
    : (tensor<?x6xf32>, tensor<?x1xf32>) -> (tensor<?x3xf32>, tensor<?x3xi32>)
  %h = quartet.expert_up %x, %ids, %gate_up
    : (tensor<?x8xf32>, tensor<?x3xi32>, tensor<7x32x8xbf16>) -> tensor<?x3x5xf32>
  %d = quartet.expert_down %h, %p, %ids, %down
    : (tensor<?x3x5xf32>, tensor<?x3xf32>, tensor<?x3xi32>,
       !quartet.packed<7x8x5, "int8:16:min">) -> tensor<?x8xf32>
  %r = quartet.expert_down %h, %p, %ids, %down residual(%x)
    : (tensor<?x3x5xf32>, tensor<?x3xf32>, tensor<?x3xi32>,
       !quartet.packed<7x8x5, "int8:16:min">, tensor<?x8xf32>) -> tensor<?x8xf32>
  %u = quartet.mlp_up %x, %m : (tensor<?x8xf32>, tensor<32x8xbf16>) -> tensor<?x5xf32>
  return
}

// A phase sees the values before it; its results may have any type, or none.
// CHECK-LABEL: func @phase
// CHECK: %[[P:.*]]:2 = quartet.phase @l0.in {
// CHECK:   quartet.yield %{{.*}}, %{{.*}} : tensor<?x8xf32>, index
// CHECK: } : tensor<?x8xf32>, index
// CHECK: quartet.phase @"two words" {
// CHECK:   quartet.yield
// CHECK: }
func.func @phase(%x: tensor<?x8xf32>, %n: index) {
  %y:2 = quartet.phase @l0.in {
    quartet.yield %x, %n : tensor<?x8xf32>, index
  } : tensor<?x8xf32>, index
  quartet.phase @"two words" {
    quartet.yield
  }
  return
}
