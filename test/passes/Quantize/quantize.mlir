// RUN: quartet-opt %s -quartet-quantize=formats=l0.w=int4:64,lm_head=int8:32:min | FileCheck %s

// Named matrices get their format, others the values of their element type. The
// table of tied embeddings stays and gets a packed twin, the norm is no matrix.
// CHECK-LABEL: quartet.model @tied {
// CHECK-NEXT: quartet.weight @embed : tensor<32x8xbf16>
// CHECK-NEXT: quartet.weight @lm_head parts [#quartet.part<@embed rows 32 columns 8>] : !quartet.packed<32x8, "int8:32:min">
// CHECK-NEXT: quartet.weight @norm : tensor<8xf32>
// CHECK-NEXT: quartet.weight @l0.w repeat 2 : !quartet.packed<8x8, "int4:64">
// CHECK-NEXT: quartet.weight @l0.router repeat 2 : !quartet.packed<4x8, "f32">
// CHECK-NEXT: quartet.weight @l0.gate_up repeat 2 : !quartet.packed<4x32x8, "f16">
// CHECK-NEXT: quartet.weight @l0.down repeat 2 : !quartet.packed<4x8x16, "bf16">
// CHECK: %[[TABLE:.*]] = quartet.load_weight @embed : tensor<32x8xbf16>
// CHECK: quartet.embed %{{.*}}, %[[TABLE]]
// CHECK: quartet.rms_norm %{{.*}}, %{{.*}} eps {{.*}} tensor<8xf32>
// CHECK: quartet.linear %{{.*}}, %{{.*}} : (tensor<?x8xf32>, !quartet.packed<8x8, "int4:64">)
// CHECK: quartet.route %{{.*}}, %{{.*}} top_k 2 : (tensor<?x8xf32>, !quartet.packed<4x8, "f32">)
// CHECK: quartet.experts {{.*}}, !quartet.packed<4x32x8, "f16">, !quartet.packed<4x8x16, "bf16">)
// CHECK: %[[HEAD:.*]] = quartet.load_weight @lm_head
// CHECK: quartet.lm_head %{{.*}}, %{{.*}}, %[[HEAD]] :
quartet.model @tied {
  quartet.weight @embed : tensor<32x8xbf16>
  quartet.weight @norm : tensor<8xf32>
  quartet.weight @l0.w repeat 2 : tensor<8x8xbf16>
  quartet.weight @l0.router repeat 2 : tensor<4x8xf32>
  quartet.weight @l0.gate_up repeat 2 : tensor<4x32x8xf16>
  quartet.weight @l0.down repeat 2 : tensor<4x8x16xbf16>
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
      %u = quartet.load_weight @l0.gate_up : tensor<4x32x8xf16>
      %d = quartet.load_weight @l0.down : tensor<4x8x16xbf16>
      %c = quartet.experts %b, %p, %ids, %u, %d : (tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x32x8xf16>, tensor<4x8x16xbf16>) -> tensor<?x8xf32>
      quartet.yield %c : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %l = quartet.lm_head %y, %rows, %e : (tensor<?x8xf32>, tensor<?xi32>, tensor<32x8xbf16>) -> tensor<?x32xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// Nearest negative: a matrix that is no weight of the model, and one packed
// before.
// CHECK-LABEL: quartet.model @others {
// CHECK-NEXT: quartet.weight @w : !quartet.packed<8x8, "int8:16">
// CHECK: quartet.linear %{{.*}}, %{{.*}} : (tensor<?x8xf32>, tensor<8x8xf32>)
// CHECK: quartet.linear %{{.*}}, %{{.*}} : (tensor<?x8xf32>, !quartet.packed<8x8, "int8:16">)
quartet.model @others {
  quartet.weight @w : !quartet.packed<8x8, "int8:16">
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %x = ub.poison : tensor<?x8xf32>
    %m = ub.poison : tensor<8x8xf32>
    %a = quartet.linear %x, %m : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    %w = quartet.load_weight @w : !quartet.packed<8x8, "int8:16">
    %b = quartet.linear %a, %w : (tensor<?x8xf32>, !quartet.packed<8x8, "int8:16">) -> tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}
