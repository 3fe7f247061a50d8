// RUN: quartet-opt %s -quartet-fuse-projections -split-input-file | FileCheck %s

// Three maps of x in two groups, because one is stored otherwise. b has 4 rows;
// a begins at the next panel. The map of another value and the one with a
// residual stay. The fused weight stands where its first source stood.
// CHECK-LABEL: quartet.model @groups {
// CHECK-NEXT: quartet.weight @l0.b_a repeat 2 parts [#quartet.part<@l0.b rows 4 columns 8>,
// CHECK-SAME: #quartet.part<@l0.a rows 4 to 16 columns 8>] : !quartet.packed<20x8, "bf16">
// CHECK-NEXT: quartet.weight @l0.qkv repeat 2 : !quartet.packed<24x8, "int4:16">
// CHECK-NEXT: quartet.weight @l0.o repeat 2 : !quartet.packed<8x8, "bf16">
// CHECK-NEXT: quartet.step
// CHECK: quartet.block
// CHECK: ^bb0(%[[X:.*]]: tensor<?x8xf32>):
// CHECK-DAG: %[[W:.*]] = quartet.load_weight @l0.b_a : !quartet.packed<20x8, "bf16">
// CHECK-DAG: %[[BA:.*]]:2 = quartet.projections %[[X]], %[[W]] rows [0, 16] : {{.*}} -> (tensor<?x4xf32>, tensor<?x4xf32>)
// CHECK: quartet.linear %[[X]], %{{.*}} : (tensor<?x8xf32>, !quartet.packed<24x8, "int4:16">)
// CHECK: quartet.linear %[[X]], %[[O:.*]] residual(%[[X]])
// CHECK: quartet.linear %{{.*}}, %[[O]] : (tensor<?x8xf32>, !quartet.packed<8x8, "bf16">)
// CHECK: arith.addf %[[BA]]#0, %[[BA]]#1
// CHECK-NOT: @l0.a
quartet.model @groups {
  quartet.weight @l0.b repeat 2 : !quartet.packed<4x8, "bf16">
  quartet.weight @l0.qkv repeat 2 : !quartet.packed<24x8, "int4:16">
  quartet.weight @l0.a repeat 2 : !quartet.packed<4x8, "bf16">
  quartet.weight @l0.o repeat 2 : !quartet.packed<8x8, "bf16">
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %x = ub.poison : tensor<?x8xf32>
    %y = quartet.block repeat 2 init(%x) {
    ^bb0(%h: tensor<?x8xf32>):
      %wb = quartet.load_weight @l0.b : !quartet.packed<4x8, "bf16">
      %b = quartet.linear %h, %wb : (tensor<?x8xf32>, !quartet.packed<4x8, "bf16">) -> tensor<?x4xf32>
      %wq = quartet.load_weight @l0.qkv : !quartet.packed<24x8, "int4:16">
      %q = quartet.linear %h, %wq : (tensor<?x8xf32>, !quartet.packed<24x8, "int4:16">) -> tensor<?x24xf32>
      %wa = quartet.load_weight @l0.a : !quartet.packed<4x8, "bf16">
      %a = quartet.linear %h, %wa : (tensor<?x8xf32>, !quartet.packed<4x8, "bf16">) -> tensor<?x4xf32>
      %wo = quartet.load_weight @l0.o : !quartet.packed<8x8, "bf16">
      %r = quartet.linear %h, %wo residual(%h) : (tensor<?x8xf32>, !quartet.packed<8x8, "bf16">, tensor<?x8xf32>) -> tensor<?x8xf32>
      %o = quartet.linear %r, %wo : (tensor<?x8xf32>, !quartet.packed<8x8, "bf16">) -> tensor<?x8xf32>
      %s = arith.addf %b, %a : tensor<?x4xf32>
      quartet.yield %o : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// Unpacked weights and weights with parts of their own; a source that is loaded
// elsewhere, too, stays.
// CHECK-LABEL: quartet.model @parts {
// CHECK-NEXT: quartet.weight @a_b parts [#quartet.part<@c rows 2 columns 8>,
// CHECK-SAME: #quartet.part<@d rows 3 from 5 to 2 columns 6 from 1>,
// CHECK-SAME: #quartet.part<@b rows 4 to 16 columns 8>] : tensor<20x8xf32>
// CHECK-NEXT: quartet.weight @b : tensor<4x8xf32>
// CHECK-NEXT: quartet.step
// CHECK: quartet.projections %{{.*}}, %{{.*}} rows [0, 16] : (tensor<?x8xf32>, tensor<20x8xf32>) -> (tensor<?x6xf32>, tensor<?x4xbf16>)
// CHECK: quartet.linear
quartet.model @parts {
  quartet.weight @a parts [#quartet.part<@c rows 2 columns 8>, #quartet.part<@d rows 3 from 5 to 2 columns 6 from 1>] : tensor<6x8xf32>
  quartet.weight @b : tensor<4x8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %x = ub.poison : tensor<?x8xf32>
    %z = ub.poison : tensor<?x8xf32>
    %wa = quartet.load_weight @a : tensor<6x8xf32>
    %wb = quartet.load_weight @b : tensor<4x8xf32>
    %a = quartet.linear %x, %wa : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x6xf32>
    %b = quartet.linear %x, %wb : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xbf16>
    %c = quartet.linear %z, %wb : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// Nearest negative: equal rows, but not the same value; formats that differ; and
// a matrix that is no weight.
// CHECK-LABEL: quartet.model @none {
// CHECK-NOT: quartet.projections
quartet.model @none {
  quartet.weight @a : !quartet.packed<16x8, "int4:16">
  quartet.weight @b : !quartet.packed<16x8, "int4:32">
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %x = ub.poison : tensor<?x8xf32>
    %z = ub.poison : tensor<?x8xf32>
    %m = ub.poison : tensor<16x8xf32>
    %wa = quartet.load_weight @a : !quartet.packed<16x8, "int4:16">
    %wb = quartet.load_weight @b : !quartet.packed<16x8, "int4:32">
    %0 = quartet.linear %x, %wa : (tensor<?x8xf32>, !quartet.packed<16x8, "int4:16">) -> tensor<?x16xf32>
    %1 = quartet.linear %x, %wb : (tensor<?x8xf32>, !quartet.packed<16x8, "int4:32">) -> tensor<?x16xf32>
    %2 = quartet.linear %z, %wa : (tensor<?x8xf32>, !quartet.packed<16x8, "int4:16">) -> tensor<?x16xf32>
    %3 = quartet.linear %z, %m : (tensor<?x8xf32>, tensor<16x8xf32>) -> tensor<?x16xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}
