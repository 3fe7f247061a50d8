// RUN: quartet-opt %s -quartet-fuse-experts -split-input-file | FileCheck %s

// A shared expert of the same width is expert 4 of 5.
// CHECK-LABEL: quartet.model @same_width {
// CHECK-NEXT: quartet.weight @l0.router repeat 2 : tensor<4x8xf32>
// CHECK-NEXT: quartet.weight @l0.gate_up_shared_gate_up repeat 2 parts [
// CHECK-SAME: #quartet.part<@l0.gate_up rows 32 columns 8 experts 4>,
// CHECK-SAME: #quartet.part<@l0.shared_gate_up rows 16 columns 8 to 4>,
// CHECK-SAME: #quartet.part<@l0.shared_gate_up rows 16 from 16 to 16 columns 8 to 4>]
// CHECK-SAME: : tensor<5x32x8xf32>
// CHECK-NEXT: quartet.weight @l0.down_shared_down repeat 2 parts [
// CHECK-SAME: #quartet.part<@l0.down rows 8 columns 16 experts 4>,
// CHECK-SAME: #quartet.part<@l0.shared_down rows 8 columns 16 to 4>] : tensor<5x8x16xf32>
// CHECK-NEXT: quartet.weight @l0.shared_gate repeat 2 : tensor<1x8xf32>
// CHECK-NEXT: quartet.step
// CHECK: ^bb0(%[[X:[^:]*]]: tensor<?x8xf32>):
// CHECK: %[[LOGITS:.*]] = quartet.linear %[[X]], %{{.*}} : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
// CHECK: %[[GATE:.*]] = quartet.linear %[[X]], %{{.*}} : (tensor<?x8xf32>, tensor<1x8xf32>) -> tensor<?x1xf32>
// CHECK: %[[P:.*]], %[[IDS:.*]] = quartet.select_experts %[[LOGITS]] top_k 2 renormalize shared 1 gate(%[[GATE]]) : {{.*}} -> (tensor<?x3xf32>, tensor<?x3xi32>)
// CHECK: %[[UP:.*]] = quartet.load_weight @l0.gate_up_shared_gate_up
// CHECK: %[[H:.*]] = quartet.expert_up %[[X]], %[[IDS]], %[[UP]] : {{.*}} -> tensor<?x3x16xf32>
// CHECK: %[[DOWN:.*]] = quartet.load_weight @l0.down_shared_down
// CHECK: %[[Y:.*]] = quartet.expert_down %[[H]], %[[P]], %[[IDS]], %[[DOWN]] : {{.*}} -> tensor<?x8xf32>
// CHECK-NEXT: quartet.yield %[[Y]]
quartet.model @same_width {
  quartet.weight @l0.router repeat 2 : tensor<4x8xf32>
  quartet.weight @l0.gate_up repeat 2 : tensor<4x32x8xf32>
  quartet.weight @l0.down repeat 2 : tensor<4x8x16xf32>
  quartet.weight @l0.shared_gate_up repeat 2 : tensor<32x8xf32>
  quartet.weight @l0.shared_down repeat 2 : tensor<8x16xf32>
  quartet.weight @l0.shared_gate repeat 2 : tensor<1x8xf32>
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
      %r = quartet.load_weight @l0.router : tensor<4x8xf32>
      %p, %ids = quartet.route %x, %r top_k 2 renormalize : (tensor<?x8xf32>, tensor<4x8xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
      %gu = quartet.load_weight @l0.gate_up : tensor<4x32x8xf32>
      %d = quartet.load_weight @l0.down : tensor<4x8x16xf32>
      %y = quartet.experts %x, %p, %ids, %gu, %d : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x32x8xf32>, tensor<4x8x16xf32>) -> tensor<?x8xf32>
      %sgu = quartet.load_weight @l0.shared_gate_up : tensor<32x8xf32>
      %sd = quartet.load_weight @l0.shared_down : tensor<8x16xf32>
      %sg = quartet.load_weight @l0.shared_gate : tensor<1x8xf32>
      %s = quartet.shared_expert %x, %sgu, %sd, %sg : (tensor<?x8xf32>, tensor<32x8xf32>, tensor<8x16xf32>, tensor<1x8xf32>) -> tensor<?x8xf32>
      %z = arith.addf %y, %s : tensor<?x8xf32>
      quartet.yield %z : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A wider shared expert becomes pieces, the last of them narrower than the
// experts; gate and up begin at panels, which 20 rows do not fill.
// CHECK-LABEL: quartet.model @wider {
// CHECK: quartet.weight @l0.gate_up_shared_gate_up repeat 2 parts [
// CHECK-SAME: #quartet.part<@l0.gate_up rows 20 columns 8 experts 4>,
// CHECK-SAME: #quartet.part<@l0.gate_up rows 20 from 20 to 32 columns 8 experts 4>,
// CHECK-SAME: #quartet.part<@l0.shared_gate_up rows 20 columns 8 to 4>,
// CHECK-SAME: #quartet.part<@l0.shared_gate_up rows 20 from 50 to 32 columns 8 to 4>,
// CHECK-SAME: #quartet.part<@l0.shared_gate_up rows 20 from 20 columns 8 to 5>,
// CHECK-SAME: #quartet.part<@l0.shared_gate_up rows 20 from 70 to 32 columns 8 to 5>,
// CHECK-SAME: #quartet.part<@l0.shared_gate_up rows 10 from 40 columns 8 to 6>,
// CHECK-SAME: #quartet.part<@l0.shared_gate_up rows 10 from 90 to 32 columns 8 to 6>]
// CHECK-SAME: : !quartet.packed<7x64x8, "int4:16">
// CHECK: quartet.weight @l0.down_shared_down repeat 2 parts [
// CHECK-SAME: #quartet.part<@l0.down rows 8 columns 20 experts 4>,
// CHECK-SAME: #quartet.part<@l0.shared_down rows 8 columns 20 to 4>,
// CHECK-SAME: #quartet.part<@l0.shared_down rows 8 columns 20 from 20 to 5>,
// CHECK-SAME: #quartet.part<@l0.shared_down rows 8 columns 10 from 40 to 6>]
// CHECK-SAME: : !quartet.packed<7x8x20, "int4:16">
// CHECK: quartet.select_experts {{.*}} shared 3 gate(
// CHECK: quartet.expert_up {{.*}} -> tensor<?x5x20xf32>
quartet.model @wider {
  quartet.weight @l0.router repeat 2 : !quartet.packed<4x8, "int4:16">
  quartet.weight @l0.gate_up repeat 2 : !quartet.packed<4x40x8, "int4:16">
  quartet.weight @l0.down repeat 2 : !quartet.packed<4x8x20, "int4:16">
  quartet.weight @l0.shared_gate_up repeat 2 : !quartet.packed<100x8, "int4:16">
  quartet.weight @l0.shared_down repeat 2 : !quartet.packed<8x50, "int4:16">
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
      %gu = quartet.load_weight @l0.gate_up : !quartet.packed<4x40x8, "int4:16">
      %d = quartet.load_weight @l0.down : !quartet.packed<4x8x20, "int4:16">
      %y = quartet.experts %x, %p, %ids, %gu, %d : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, !quartet.packed<4x40x8, "int4:16">, !quartet.packed<4x8x20, "int4:16">) -> tensor<?x8xf32>
      %sgu = quartet.load_weight @l0.shared_gate_up : !quartet.packed<100x8, "int4:16">
      %sd = quartet.load_weight @l0.shared_down : !quartet.packed<8x50, "int4:16">
      %sg = quartet.load_weight @l0.shared_gate : !quartet.packed<1x8, "int4:16">
      %s = quartet.shared_expert %x, %sgu, %sd, %sg : (tensor<?x8xf32>, !quartet.packed<100x8, "int4:16">, !quartet.packed<8x50, "int4:16">, !quartet.packed<1x8, "int4:16">) -> tensor<?x8xf32>
      %z = arith.addf %y, %s : tensor<?x8xf32>
      quartet.yield %z : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// A narrower one leaves rows and columns zero.
// CHECK-LABEL: quartet.model @narrower {
// CHECK: #quartet.part<@l0.shared_gate_up rows 6 columns 8 to 4>, #quartet.part<@l0.shared_gate_up rows 6 from 6 to 16 columns 8 to 4>]
// CHECK: #quartet.part<@l0.shared_down rows 8 columns 6 to 4>] : tensor<5x8x16xf32>
quartet.model @narrower {
  quartet.weight @l0.router repeat 2 : tensor<4x8xf32>
  quartet.weight @l0.gate_up repeat 2 : tensor<4x32x8xf32>
  quartet.weight @l0.down repeat 2 : tensor<4x8x16xf32>
  quartet.weight @l0.shared_gate_up repeat 2 : tensor<12x8xf32>
  quartet.weight @l0.shared_down repeat 2 : tensor<8x6xf32>
  quartet.weight @l0.shared_gate repeat 2 : tensor<1x8xf32>
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
      %r = quartet.load_weight @l0.router : tensor<4x8xf32>
      %p, %ids = quartet.route %x, %r top_k 2 renormalize : (tensor<?x8xf32>, tensor<4x8xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
      %gu = quartet.load_weight @l0.gate_up : tensor<4x32x8xf32>
      %d = quartet.load_weight @l0.down : tensor<4x8x16xf32>
      %y = quartet.experts %x, %p, %ids, %gu, %d : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x32x8xf32>, tensor<4x8x16xf32>) -> tensor<?x8xf32>
      %sgu = quartet.load_weight @l0.shared_gate_up : tensor<12x8xf32>
      %sd = quartet.load_weight @l0.shared_down : tensor<8x6xf32>
      %sg = quartet.load_weight @l0.shared_gate : tensor<1x8xf32>
      %s = quartet.shared_expert %x, %sgu, %sd, %sg : (tensor<?x8xf32>, tensor<12x8xf32>, tensor<8x6xf32>, tensor<1x8xf32>) -> tensor<?x8xf32>
      %z = arith.addf %y, %s : tensor<?x8xf32>
      quartet.yield %z : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// No shared expert: the matrices stay as they are.
// CHECK-LABEL: quartet.model @routed_only {
// CHECK-NOT: parts
// CHECK: quartet.select_experts %{{.*}} top_k 2 renormalize : (tensor<?x4xf32>)
// CHECK: quartet.expert_down
// CHECK-NOT: quartet.experts
quartet.model @routed_only {
  quartet.weight @l0.router repeat 2 : tensor<4x8xf32>
  quartet.weight @l0.gate_up repeat 2 : tensor<4x32x8xf32>
  quartet.weight @l0.down repeat 2 : tensor<4x8x16xf32>
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
      %r = quartet.load_weight @l0.router : tensor<4x8xf32>
      %p, %ids = quartet.route %x, %r top_k 2 renormalize : (tensor<?x8xf32>, tensor<4x8xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
      %gu = quartet.load_weight @l0.gate_up : tensor<4x32x8xf32>
      %d = quartet.load_weight @l0.down : tensor<4x8x16xf32>
      %y = quartet.experts %x, %p, %ids, %gu, %d : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x32x8xf32>, tensor<4x8x16xf32>) -> tensor<?x8xf32>
      quartet.yield %y : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// Nearest negative: a shared expert of other rows stays by itself.
// CHECK-LABEL: quartet.model @other_rows {
// CHECK: quartet.select_experts %{{.*}} top_k 2 renormalize : (tensor<?x4xf32>)
// CHECK: quartet.shared_expert
// CHECK: arith.addf
quartet.model @other_rows {
  quartet.weight @l0.router repeat 2 : tensor<4x8xf32>
  quartet.weight @l0.gate_up repeat 2 : tensor<4x32x8xf32>
  quartet.weight @l0.down repeat 2 : tensor<4x8x16xf32>
  quartet.weight @l0.shared_gate_up repeat 2 : tensor<32x8xf32>
  quartet.weight @l0.shared_down repeat 2 : tensor<8x16xf32>
  quartet.weight @l0.shared_gate repeat 2 : tensor<1x8xf32>
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
      %r = quartet.load_weight @l0.router : tensor<4x8xf32>
      %p, %ids = quartet.route %x, %r top_k 2 renormalize : (tensor<?x8xf32>, tensor<4x8xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
      %gu = quartet.load_weight @l0.gate_up : tensor<4x32x8xf32>
      %d = quartet.load_weight @l0.down : tensor<4x8x16xf32>
      %y = quartet.experts %x, %p, %ids, %gu, %d : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x32x8xf32>, tensor<4x8x16xf32>) -> tensor<?x8xf32>
      %sgu = quartet.load_weight @l0.shared_gate_up : tensor<32x8xf32>
      %sd = quartet.load_weight @l0.shared_down : tensor<8x16xf32>
      %sg = quartet.load_weight @l0.shared_gate : tensor<1x8xf32>
      %s = quartet.shared_expert %in, %sgu, %sd, %sg : (tensor<?x8xf32>, tensor<32x8xf32>, tensor<8x16xf32>, tensor<1x8xf32>) -> tensor<?x8xf32>
      %z = arith.addf %y, %s : tensor<?x8xf32>
      quartet.yield %z : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// Nearest negative: weights that something else needs, too. The layer stays.
// CHECK-LABEL: quartet.model @weights_used {
// CHECK: quartet.route
// CHECK: quartet.experts
quartet.model @weights_used {
  quartet.weight @l0.router repeat 2 : tensor<4x8xf32>
  quartet.weight @l0.gate_up repeat 2 : tensor<4x32x8xf32>
  quartet.weight @l0.down repeat 2 : tensor<4x8x16xf32>
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
      %r = quartet.load_weight @l0.router : tensor<4x8xf32>
      %p, %ids = quartet.route %x, %r top_k 2 renormalize : (tensor<?x8xf32>, tensor<4x8xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
      %gu = quartet.load_weight @l0.gate_up : tensor<4x32x8xf32>
      %d = quartet.load_weight @l0.down : tensor<4x8x16xf32>
      %y = quartet.experts %x, %p, %ids, %gu, %d : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x32x8xf32>, tensor<4x8x16xf32>) -> tensor<?x8xf32>
      %n = arith.negf %p : tensor<?x2xf32>
      quartet.yield %y : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// The dense layer in halves; 20 rows of gate do not fill their panels, 32 do.
// CHECK-LABEL: quartet.model @dense {
// CHECK-NEXT: quartet.weight @a_padded parts [#quartet.part<@a rows 20 columns 8>, #quartet.part<@a rows 20 from 20 to 32 columns 8>] : tensor<64x8xf32>
// CHECK-NEXT: quartet.weight @b : tensor<8x20xf32>
// CHECK-NEXT: quartet.weight @c : !quartet.packed<64x8, "bf16">
// CHECK: %[[H:.*]] = quartet.mlp_up %[[X:.*]], %{{.*}} : (tensor<?x8xf32>, tensor<64x8xf32>) -> tensor<?x20xf32>
// CHECK: quartet.linear %[[H]], %{{.*}} : (tensor<?x20xf32>, tensor<8x20xf32>) -> tensor<?x8xf32>
// CHECK: quartet.mlp_up %{{.*}}, %{{.*}} : (tensor<?x8xf32>, !quartet.packed<64x8, "bf16">) -> tensor<?x32xf32>
// CHECK-NOT: quartet.mlp %
quartet.model @dense {
  quartet.weight @a : tensor<40x8xf32>
  quartet.weight @b : tensor<8x20xf32>
  quartet.weight @c : !quartet.packed<64x8, "bf16">
  quartet.weight @d : !quartet.packed<8x32, "bf16">
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %x = ub.poison : tensor<?x8xf32>
    %a = quartet.load_weight @a : tensor<40x8xf32>
    %b = quartet.load_weight @b : tensor<8x20xf32>
    %y = quartet.mlp %x, %a, %b : (tensor<?x8xf32>, tensor<40x8xf32>, tensor<8x20xf32>) -> tensor<?x8xf32>
    %c = quartet.load_weight @c : !quartet.packed<64x8, "bf16">
    %d = quartet.load_weight @d : !quartet.packed<8x32, "bf16">
    %z = quartet.mlp %y, %c, %d : (tensor<?x8xf32>, !quartet.packed<64x8, "bf16">, !quartet.packed<8x32, "bf16">) -> tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}
