// RUN: quartet-opt %s -quartet-fuse-experts -verify-diagnostics

// One matrix has one format.
quartet.model @formats {
  quartet.weight @l0.router repeat 2 : !quartet.packed<4x8, "int4:16">
  quartet.weight @l0.gate_up repeat 2 : !quartet.packed<4x32x8, "int4:16">
  quartet.weight @l0.down repeat 2 : !quartet.packed<4x8x16, "int4:16">
  quartet.weight @l0.shared_gate_up repeat 2 : !quartet.packed<32x8, "int8:16">
  quartet.weight @l0.shared_down repeat 2 : !quartet.packed<8x16, "int8:16">
  quartet.weight @l0.shared_gate repeat 2 : !quartet.packed<1x8, "int4:16">
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %in = ub.poison : tensor<?x8xf32>
    %out = quartet.block repeat 2 init(%in) {
    ^bb0(%x: tensor<?x8xf32>):
      %r = quartet.load_weight @l0.router : !quartet.packed<4x8, "int4:16">
      %p, %ids = quartet.route %x, %r top_k 2 renormalize : (tensor<?x8xf32>, !quartet.packed<4x8, "int4:16">) -> (tensor<?x2xf32>, tensor<?x2xi32>)
      %gu = quartet.load_weight @l0.gate_up : !quartet.packed<4x32x8, "int4:16">
      %d = quartet.load_weight @l0.down : !quartet.packed<4x8x16, "int4:16">
      %y = quartet.experts %x, %p, %ids, %gu, %d : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, !quartet.packed<4x32x8, "int4:16">, !quartet.packed<4x8x16, "int4:16">) -> tensor<?x8xf32>
      %sgu = quartet.load_weight @l0.shared_gate_up : !quartet.packed<32x8, "int8:16">
      %sd = quartet.load_weight @l0.shared_down : !quartet.packed<8x16, "int8:16">
      %sg = quartet.load_weight @l0.shared_gate : !quartet.packed<1x8, "int4:16">
      // expected-error @+1 {{'quartet.shared_expert' op cannot join the routed experts: expected 'gate_up' to be stored like theirs, '!quartet.packed<4x32x8, "int4:16">', found '!quartet.packed<32x8, "int8:16">'; the step program runs it as one of them: choose one format for both}}
      %s = quartet.shared_expert %x, %sgu, %sd, %sg : (tensor<?x8xf32>, !quartet.packed<32x8, "int8:16">, !quartet.packed<8x16, "int8:16">, !quartet.packed<1x8, "int4:16">) -> tensor<?x8xf32>
      %z = arith.addf %y, %s : tensor<?x8xf32>
      quartet.yield %z : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}
