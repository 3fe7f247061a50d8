// RUN: quartet-opt %s -quartet-record-activations | FileCheck %s

// Each matrix gets a state: slots, experts, columns and a count; and a sum before
// its op. Norms and the table get none.
// CHECK-LABEL: quartet.model @m {
// CHECK-NOT:  quartet.state
// CHECK:      quartet.state @l0.w.squares slots repeat 2 : tensor<?x9xf32>
// CHECK-NEXT: quartet.state @l0.router.squares slots repeat 2 : tensor<?x9xf32>
// CHECK-NEXT: quartet.state @l0.gate_up.squares slots repeat 2 : tensor<?x4x9xf32>
// CHECK-NEXT: quartet.state @l0.down.squares slots repeat 2 : tensor<?x4x25xf32>
// CHECK-NEXT: quartet.state @l0.shared_gate_up.squares slots repeat 2 : tensor<?x9xf32>
// CHECK-NEXT: quartet.state @l0.shared_gate.squares slots repeat 2 : tensor<?x9xf32>
// CHECK-NEXT: quartet.state @l0.shared_down.squares slots repeat 2 : tensor<?x17xf32>
// CHECK-NEXT: quartet.state @embed.squares slots : tensor<?x9xf32>
// CHECK-NEXT: quartet.step {
// CHECK-NEXT: ^bb0(%{{.*}}, %{{.*}}, %[[SEQ:[a-z0-9]+]]: tensor<?xi32>, %{{[a-z0-9]+}}: tensor<?xi32>, %{{[a-z0-9]+}}: tensor<?xi32>, %[[SLOT:[a-z0-9]+]]: tensor<?xi32>,
// The rows of a linear map are those of the norm before it.
// CHECK:      %[[A:.*]] = quartet.rms_norm
// CHECK:      %[[S0:.*]] = quartet.load_state @l0.w.squares : tensor<?x9xf32>
// CHECK-NEXT: %[[S1:.*]] = quartet.accumulate_squares %[[A]] to %[[S0]] at %[[SEQ]], %[[SLOT]] :
// CHECK-NEXT: quartet.store_state @l0.w.squares, %[[S1]] : tensor<?x9xf32>
// CHECK-NEXT: %[[B:.*]] = quartet.linear %[[A]]
// CHECK:      quartet.accumulate_squares %[[B]] to
// CHECK:      %{{.*}}, %[[IDS:.*]] = quartet.route
// Experts: the token's row for each of its experts, then each one's own hidden row.
// CHECK:      quartet.accumulate_squares %[[B]] experts(%[[IDS]]) to
// CHECK-NEXT: quartet.store_state @l0.gate_up.squares
// CHECK-NEXT: %[[H:.*]] = quartet.expert_up %[[B]], %[[IDS]], %{{.*}} -> tensor<?x2x24xf32>
// CHECK:      quartet.accumulate_squares %[[H]] experts(%[[IDS]]) to
// CHECK-NEXT: quartet.store_state @l0.down.squares
// CHECK-NEXT: quartet.experts
// The shared expert: the rows, the gate's too, and the hidden ones.
// CHECK:      quartet.accumulate_squares %[[B]] to
// CHECK-NEXT: quartet.store_state @l0.shared_gate_up.squares
// CHECK:      quartet.accumulate_squares %[[B]] to
// CHECK-NEXT: quartet.store_state @l0.shared_gate.squares
// CHECK-NEXT: %[[I:.*]] = quartet.mlp_up %[[B]]
// CHECK:      quartet.accumulate_squares %[[I]] to
// CHECK-NEXT: quartet.store_state @l0.shared_down.squares
// CHECK-NEXT: quartet.shared_expert
// CHECK:      quartet.accumulate_squares %{{.*}} to
// CHECK-NEXT: quartet.store_state @embed.squares
// CHECK-NEXT: quartet.lm_head
quartet.model @m {
  quartet.weight @embed : tensor<32x8xbf16>
  quartet.weight @norm : tensor<8xf32>
  quartet.weight @l0.w repeat 2 : tensor<8x8xbf16>
  quartet.weight @l0.router repeat 2 : tensor<4x8xf32>
  quartet.weight @l0.gate_up repeat 2 : tensor<4x48x8xf16>
  quartet.weight @l0.down repeat 2 : tensor<4x8x24xbf16>
  quartet.weight @l0.shared_gate_up repeat 2 : tensor<32x8xbf16>
  quartet.weight @l0.shared_down repeat 2 : tensor<8x16xbf16>
  quartet.weight @l0.shared_gate repeat 2 : tensor<1x8xbf16>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %e = quartet.load_weight @embed : tensor<32x8xbf16>
    %x = quartet.embed %tokens, %e : (tensor<?xi32>, tensor<32x8xbf16>) -> tensor<?x8xf32>
    %y = quartet.block repeat 2 init(%x) {
    ^bb0(%h: tensor<?x8xf32>):
      %n = quartet.load_weight @norm : tensor<8xf32>
      %a = quartet.rms_norm %h, %n eps 1.0e-6 : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
      %w = quartet.load_weight @l0.w : tensor<8x8xbf16>
      %b = quartet.linear %a, %w : (tensor<?x8xf32>, tensor<8x8xbf16>) -> tensor<?x8xf32>
      %r = quartet.load_weight @l0.router : tensor<4x8xf32>
      %p, %ids = quartet.route %b, %r top_k 2 : (tensor<?x8xf32>, tensor<4x8xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
      %u = quartet.load_weight @l0.gate_up : tensor<4x48x8xf16>
      %d = quartet.load_weight @l0.down : tensor<4x8x24xbf16>
      %c = quartet.experts %b, %p, %ids, %u, %d : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x48x8xf16>, tensor<4x8x24xbf16>) -> tensor<?x8xf32>
      %su = quartet.load_weight @l0.shared_gate_up : tensor<32x8xbf16>
      %sd = quartet.load_weight @l0.shared_down : tensor<8x16xbf16>
      %sg = quartet.load_weight @l0.shared_gate : tensor<1x8xbf16>
      %s = quartet.shared_expert %b, %su, %sd, %sg : (tensor<?x8xf32>, tensor<32x8xbf16>, tensor<8x16xbf16>, tensor<1x8xbf16>) -> tensor<?x8xf32>
      %o = arith.addf %c, %s : tensor<?x8xf32>
      quartet.yield %o : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %l = quartet.lm_head %y, %rows, %e : (tensor<?x8xf32>, tensor<?xi32>, tensor<32x8xbf16>) -> tensor<?x32xf32>
    %drawn = quartet.sample %l, %temperature, %top_k, %top_p, %min_p, %uniform token_limit 32 candidates 8
      : (tensor<?x32xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>, tensor<?xf32>, tensor<?xf32>) -> tensor<?xi32>
    quartet.return %l, %drawn : tensor<?x32xf32>, tensor<?xi32>
  }
}
