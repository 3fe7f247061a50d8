// RUN: quartet-opt %s -quartet-form-phases | FileCheck %s
// RUN: quartet-opt %s -quartet-form-phases | quartet-opt | FileCheck %s
// RUN: quartet-opt %s -quartet-form-phases -quartet-to-linalg | FileCheck %s --check-prefix=INLINE

// A Gated DeltaNet layer with experts and an attention layer with a dense MLP.
// The table of embed and lm_head is loaded in both phases; the rows that the
// router normalizes are kept for the experts; q and k are normalized and rotated
// by the tasks that make their heads.
// CHECK-LABEL: quartet.step
// CHECK-NEXT: ^bb0
// CHECK-NEXT: arith.constant
// CHECK-NEXT: %[[X:.*]] = quartet.phase @embed {
// CHECK-NEXT:   quartet.load_weight @embed
// CHECK-NEXT:   quartet.embed
// CHECK-NEXT:   quartet.yield
// CHECK: quartet.block repeat 2 init(%[[X]]) {
// CHECK-NEXT: ^bb0(%[[H:[^:]*]]:
// CHECK-NEXT: %[[IN:.*]]:4 = quartet.phase @l0.in {
// CHECK-NEXT:   quartet.load_weight @l0.norm
// CHECK-NEXT:   %[[A:.*]] = quartet.rms_norm %[[H]]
// CHECK-NEXT:   quartet.load_weight @l0.qkv_z
// CHECK-NEXT:   quartet.projections %[[A]]
// CHECK-NEXT:   quartet.load_weight @l0.b_a
// CHECK-NEXT:   quartet.projections %[[A]]
// CHECK-NEXT:   tensor.dim
// CHECK-NEXT:   tensor.expand_shape
// CHECK-NEXT:   quartet.yield
// CHECK: %[[O:.*]] = quartet.phase @l0.delta {
// CHECK-NEXT:   quartet.load_state @l0.window
// CHECK-NEXT:   quartet.load_weight @l0.conv
// CHECK-NEXT:   quartet.causal_conv %[[IN]]#0
// CHECK-NEXT:   quartet.store_state @l0.window
// CHECK:        quartet.load_state @l0.delta
// CHECK-NEXT:   quartet.load_weight @l0.a_log
// CHECK-NEXT:   quartet.gated_delta {{.*}}, %[[IN]]#2, %[[IN]]#1,
// CHECK-NEXT:   quartet.store_state @l0.delta
// CHECK-NEXT:   quartet.yield
// CHECK: %[[X1:.*]] = quartet.phase @l0.out {
// CHECK-NEXT:   quartet.load_weight @l0.gated
// CHECK-NEXT:   quartet.gated_rms_norm %[[O]], %[[IN]]#3
// CHECK-NEXT:   tensor.collapse_shape
// CHECK-NEXT:   quartet.load_weight @l0.delta_out
// CHECK-NEXT:   quartet.linear %{{.*}} residual(%[[H]])
// CHECK-NEXT:   quartet.yield
// CHECK: %[[R:.*]]:3 = quartet.phase @l0.route {
// CHECK-NEXT:   quartet.load_weight @l0.norm
// CHECK-NEXT:   %[[A1:.*]] = quartet.rms_norm %[[X1]]
// CHECK-NEXT:   quartet.load_weight @l0.router
// CHECK-NEXT:   %[[L:.*]]:2 = quartet.projections %[[A1]]
// CHECK-NEXT:   quartet.yield %[[A1]], %[[L]]#0, %[[L]]#1
// CHECK: %[[UP:.*]]:3 = quartet.phase @l0.up {
// CHECK-NEXT:   %[[P:.*]], %[[IDS:.*]] = quartet.select_experts %[[R]]#1 {{.*}} gate(%[[R]]#2)
// CHECK-NEXT:   quartet.load_weight @l0.up
// CHECK-NEXT:   %[[UH:.*]] = quartet.expert_up %[[R]]#0, %[[IDS]]
// CHECK-NEXT:   quartet.yield %[[P]], %[[IDS]], %[[UH]]
// CHECK: %[[X2:.*]] = quartet.phase @l0.down {
// CHECK-NEXT:   quartet.load_weight @l0.down
// CHECK-NEXT:   quartet.expert_down %[[UP]]#2, %[[UP]]#0, %[[UP]]#1, {{.*}} residual(%[[X1]])
// CHECK-NEXT:   quartet.yield
// CHECK: %[[QKV:.*]]:4 = quartet.phase @l1.in {
// CHECK:        quartet.rms_norm %[[X2]]
// CHECK:        quartet.projections
// CHECK:        %[[G:.*]] = tensor.extract_slice
// CHECK:        quartet.rms_norm
// CHECK-NEXT:   %[[Q:.*]] = quartet.rope
// CHECK-NEXT:   %[[K:.*]] = quartet.rms_norm
// CHECK-NEXT:   quartet.yield %[[G]], %{{.*}}, %[[Q]], %[[K]]
// CHECK: %[[O1:.*]] = quartet.phase @l1.attend {
// CHECK-NEXT:   quartet.load_state @l1.key
// CHECK-NEXT:   quartet.load_state @l1.value
// CHECK-NEXT:   quartet.gated_attention %[[QKV]]#2, %[[QKV]]#3, %[[QKV]]#1 gate(%[[QKV]]#0)
// CHECK-NEXT:   quartet.store_state @l1.key
// CHECK-NEXT:   quartet.store_state @l1.value
// CHECK-NEXT:   tensor.collapse_shape
// CHECK-NEXT:   quartet.yield
// CHECK: %[[X3:.*]] = quartet.phase @l1.out {
// CHECK:        quartet.linear %[[O1]], %{{.*}} residual(%[[X2]])
// CHECK: %[[H1:.*]] = quartet.phase @l1.up {
// CHECK:        quartet.rms_norm %[[X3]]
// CHECK:        quartet.mlp_up
// CHECK: %[[X4:.*]] = quartet.phase @l1.down {
// CHECK-NEXT:   quartet.load_weight @l1.mlp_down
// CHECK-NEXT:   quartet.linear %[[H1]], %{{.*}} residual(%[[X3]])
// CHECK: quartet.yield %[[X4]]
// CHECK-NEXT: } : tensor<?x8xf32>
// CHECK-NEXT: %[[LOGITS:.*]] = quartet.phase @head {
// CHECK-NEXT:   quartet.load_weight @norm
// CHECK-NEXT:   quartet.rms_norm
// CHECK-NEXT:   quartet.load_weight @embed
// CHECK-NEXT:   quartet.lm_head
// CHECK: %[[SAMPLED:.*]] = quartet.phase @sample {
// CHECK-NEXT:   quartet.sample %[[LOGITS]]
// CHECK: quartet.return %[[LOGITS]], %[[SAMPLED]]

// INLINE-NOT: quartet.phase
// INLINE: quartet.store_state @l0.window
quartet.model @hybrid {
  quartet.weight @embed : tensor<32x8xf32>
  quartet.weight @norm : tensor<8xf32>
  quartet.weight @l0.norm repeat 2 : tensor<8xf32>
  quartet.weight @l0.qkv_z repeat 2 : tensor<32x8xf32>
  quartet.weight @l0.b_a repeat 2 : tensor<20x8xf32>
  quartet.weight @l0.conv repeat 2 : tensor<12x4xf32>
  quartet.weight @l0.a_log repeat 2 : tensor<2xf32>
  quartet.weight @l0.gated repeat 2 : tensor<4xf32>
  quartet.weight @l0.delta_out repeat 2 : tensor<8x8xf32>
  quartet.weight @l0.router repeat 2 : tensor<17x8xf32>
  quartet.weight @l0.up repeat 2 : tensor<7x32x8xf32>
  quartet.weight @l0.down repeat 2 : tensor<7x8x5xf32>
  quartet.weight @l1.q_k_v repeat 2 : tensor<64x8xf32>
  quartet.weight @l1.head_norm repeat 2 : tensor<8xf32>
  quartet.weight @l1.attn_out repeat 2 : tensor<8x16xf32>
  quartet.weight @l1.gate_up repeat 2 : tensor<32x8xf32>
  quartet.weight @l1.mlp_down repeat 2 : tensor<8x5xf32>
  quartet.state @l0.window slots repeat 2 : tensor<?x3x12xf32>
  quartet.state @l0.delta slots repeat 2 : tensor<?x2x4x2xf32>
  quartet.state @l1.key pages repeat 2 : tensor<?x1x64x8xf32>
  quartet.state @l1.value pages repeat 2 : tensor<?x1x64x8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %e = quartet.load_weight @embed : tensor<32x8xf32>
    %x = quartet.embed %tokens, %e : (tensor<?xi32>, tensor<32x8xf32>) -> tensor<?x8xf32>
    %c0 = arith.constant 0 : index
    %y = quartet.block repeat 2 init(%x) {
    ^bb0(%h: tensor<?x8xf32>):
      %n = quartet.load_weight @l0.norm : tensor<8xf32>
      %a = quartet.rms_norm %h, %n eps 1.0e-6 : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
      %w0 = quartet.load_weight @l0.qkv_z : tensor<32x8xf32>
      %qkv, %z = quartet.projections %a, %w0 rows [0, 16] : (tensor<?x8xf32>, tensor<32x8xf32>) -> (tensor<?x12xf32>, tensor<?x8xf32>)
      %w1 = quartet.load_weight @l0.b_a : tensor<20x8xf32>
      %b, %decay = quartet.projections %a, %w1 rows [0, 16] : (tensor<?x8xf32>, tensor<20x8xf32>) -> (tensor<?x2xf32>, tensor<?x2xf32>)
      %window = quartet.load_state @l0.window : tensor<?x3x12xf32>
      %taps = quartet.load_weight @l0.conv : tensor<12x4xf32>
      %conv, %window1 = quartet.causal_conv %qkv, %taps, %window ragged(%token_seq, %seq_start, %seq_slot)
        : (tensor<?x12xf32>, tensor<12x4xf32>, tensor<?x3x12xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>) -> (tensor<?x12xf32>, tensor<?x3x12xf32>)
      quartet.store_state @l0.window, %window1 : tensor<?x3x12xf32>
      %tokens0 = tensor.dim %conv, %c0 : tensor<?x12xf32>
      %q0 = tensor.extract_slice %conv[0, 0] [%tokens0, 2] [1, 1] : tensor<?x12xf32> to tensor<?x2xf32>
      %q = tensor.expand_shape %q0 [[0], [1, 2]] output_shape [%tokens0, 1, 2] : tensor<?x2xf32> into tensor<?x1x2xf32>
      %k0 = tensor.extract_slice %conv[0, 2] [%tokens0, 2] [1, 1] : tensor<?x12xf32> to tensor<?x2xf32>
      %k = tensor.expand_shape %k0 [[0], [1, 2]] output_shape [%tokens0, 1, 2] : tensor<?x2xf32> into tensor<?x1x2xf32>
      %v0 = tensor.extract_slice %conv[0, 4] [%tokens0, 8] [1, 1] : tensor<?x12xf32> to tensor<?x8xf32>
      %v = tensor.expand_shape %v0 [[0], [1, 2]] output_shape [%tokens0, 2, 4] : tensor<?x8xf32> into tensor<?x2x4xf32>
      %s = quartet.load_state @l0.delta : tensor<?x2x4x2xf32>
      %log = quartet.load_weight @l0.a_log : tensor<2xf32>
      %o, %s1 = quartet.gated_delta %q, %k, %v, %decay, %b, %log, %log, %s ragged(%seq_start, %seq_slot) qk_eps 1.0e-6
        : (tensor<?x1x2xf32>, tensor<?x1x2xf32>, tensor<?x2x4xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<?x2x4x2xf32>, tensor<?xi32>, tensor<?xi32>) -> (tensor<?x2x4xf32>, tensor<?x2x4x2xf32>)
      quartet.store_state @l0.delta, %s1 : tensor<?x2x4x2xf32>
      %tokens1 = tensor.dim %z, %c0 : tensor<?x8xf32>
      %zh = tensor.expand_shape %z [[0], [1, 2]] output_shape [%tokens1, 2, 4] : tensor<?x8xf32> into tensor<?x2x4xf32>
      %g = quartet.load_weight @l0.gated : tensor<4xf32>
      %gated = quartet.gated_rms_norm %o, %zh, %g gate silu eps 1.0e-6 : (tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<4xf32>) -> tensor<?x2x4xf32>
      %flat = tensor.collapse_shape %gated [[0], [1, 2]] : tensor<?x2x4xf32> into tensor<?x8xf32>
      %w2 = quartet.load_weight @l0.delta_out : tensor<8x8xf32>
      %x1 = quartet.linear %flat, %w2 residual(%h) : (tensor<?x8xf32>, tensor<8x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
      %a1 = quartet.rms_norm %x1, %n eps 1.0e-6 : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
      %w3 = quartet.load_weight @l0.router : tensor<17x8xf32>
      %logits, %gate = quartet.projections %a1, %w3 rows [0, 16] : (tensor<?x8xf32>, tensor<17x8xf32>) -> (tensor<?x6xf32>, tensor<?x1xf32>)
      %p, %ids = quartet.select_experts %logits top_k 2 renormalize shared 1 gate(%gate) : (tensor<?x6xf32>, tensor<?x1xf32>) -> (tensor<?x3xf32>, tensor<?x3xi32>)
      %w4 = quartet.load_weight @l0.up : tensor<7x32x8xf32>
      %up = quartet.expert_up %a1, %ids, %w4 : (tensor<?x8xf32>, tensor<?x3xi32>, tensor<7x32x8xf32>) -> tensor<?x3x5xf32>
      %w5 = quartet.load_weight @l0.down : tensor<7x8x5xf32>
      %x2 = quartet.expert_down %up, %p, %ids, %w5 residual(%x1) : (tensor<?x3x5xf32>, tensor<?x3xf32>, tensor<?x3xi32>, tensor<7x8x5xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
      %a2 = quartet.rms_norm %x2, %n eps 1.0e-6 : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
      %w6 = quartet.load_weight @l1.q_k_v : tensor<64x8xf32>
      %q1, %k1, %v1 = quartet.projections %a2, %w6 rows [0, 32, 48] : (tensor<?x8xf32>, tensor<64x8xf32>) -> (tensor<?x32xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
      %tokens2 = tensor.dim %q1, %c0 : tensor<?x32xf32>
      %qg = tensor.expand_shape %q1 [[0], [1, 2]] output_shape [%tokens2, 2, 16] : tensor<?x32xf32> into tensor<?x2x16xf32>
      %gate1 = tensor.extract_slice %qg[0, 0, 8] [%tokens2, 2, 8] [1, 1, 1] : tensor<?x2x16xf32> to tensor<?x2x8xf32>
      %q2 = tensor.extract_slice %qg[0, 0, 0] [%tokens2, 2, 8] [1, 1, 1] : tensor<?x2x16xf32> to tensor<?x2x8xf32>
      %k2 = tensor.expand_shape %k1 [[0], [1, 2]] output_shape [%tokens2, 1, 8] : tensor<?x8xf32> into tensor<?x1x8xf32>
      %v2 = tensor.expand_shape %v1 [[0], [1, 2]] output_shape [%tokens2, 1, 8] : tensor<?x8xf32> into tensor<?x1x8xf32>
      %hn = quartet.load_weight @l1.head_norm : tensor<8xf32>
      %q3 = quartet.rms_norm %q2, %hn eps 1.0e-6 : (tensor<?x2x8xf32>, tensor<8xf32>) -> tensor<?x2x8xf32>
      %q4 = quartet.rope %q3, %positions inv_freq [1.0] axes [0] scale 1.0 : (tensor<?x2x8xf32>, tensor<3x?xi32>) -> tensor<?x2x8xf32>
      %k3 = quartet.rms_norm %k2, %hn eps 1.0e-6 : (tensor<?x1x8xf32>, tensor<8xf32>) -> tensor<?x1x8xf32>
      %key = quartet.load_state @l1.key : tensor<?x1x64x8xf32>
      %value = quartet.load_state @l1.value : tensor<?x1x64x8xf32>
      %o1, %key1, %value1 = quartet.gated_attention %q4, %k3, %v2 gate(%gate1) cache(%key, %value) ragged(%token_seq, %seq_start, %seq_past, %seq_slot) pages(%page_table) scale 1.0
        : (tensor<?x2x8xf32>, tensor<?x1x8xf32>, tensor<?x1x8xf32>, tensor<?x2x8xf32>, tensor<?x1x64x8xf32>, tensor<?x1x64x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>) -> (tensor<?x2x8xf32>, tensor<?x1x64x8xf32>, tensor<?x1x64x8xf32>)
      quartet.store_state @l1.key, %key1 : tensor<?x1x64x8xf32>
      quartet.store_state @l1.value, %value1 : tensor<?x1x64x8xf32>
      %flat1 = tensor.collapse_shape %o1 [[0], [1, 2]] : tensor<?x2x8xf32> into tensor<?x16xf32>
      %w7 = quartet.load_weight @l1.attn_out : tensor<8x16xf32>
      %x3 = quartet.linear %flat1, %w7 residual(%x2) : (tensor<?x16xf32>, tensor<8x16xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
      %a3 = quartet.rms_norm %x3, %n eps 1.0e-6 : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
      %w8 = quartet.load_weight @l1.gate_up : tensor<32x8xf32>
      %up1 = quartet.mlp_up %a3, %w8 : (tensor<?x8xf32>, tensor<32x8xf32>) -> tensor<?x5xf32>
      %w9 = quartet.load_weight @l1.mlp_down : tensor<8x5xf32>
      %x4 = quartet.linear %up1, %w9 residual(%x3) : (tensor<?x5xf32>, tensor<8x5xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
      quartet.yield %x4 : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %fn = quartet.load_weight @norm : tensor<8xf32>
    %yn = quartet.rms_norm %y, %fn eps 1.0e-6 : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
    %logits = quartet.lm_head %yn, %rows, %e : (tensor<?x8xf32>, tensor<?xi32>, tensor<32x8xf32>) -> tensor<?x32xf32>
    %ids = quartet.sample %logits, %temperature, %top_k, %top_p, %min_p, %uniform token_limit 32 candidates 4
      : (tensor<?x32xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>, tensor<?xf32>, tensor<?xf32>) -> tensor<?xi32>
    quartet.return %logits, %ids : tensor<?x32xf32>, tensor<?xi32>
  }
}
