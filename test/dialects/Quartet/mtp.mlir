// A step of multi-token prediction beside the model's, printed and read back.
// RUN: quartet-opt %s -o %t.once.mlir
// RUN: quartet-opt %t.once.mlir -o %t.twice.mlir
// RUN: diff %t.once.mlir %t.twice.mlir
// RUN: FileCheck %s < %t.once.mlir

// CHECK-LABEL: quartet.model @two
// CHECK:         quartet.step {
// CHECK:           quartet.return %{{.*}}, %{{.*}} hidden %{{.*}} : tensor<?x8xf32>, tensor<?xi32>, tensor<?x4xf32>
// CHECK:         quartet.step mtp {
// CHECK-NEXT:    ^bb0({{.*}} %[[HIDDEN:[^ ]*]]: tensor<?x4xf32>):
// CHECK:           quartet.return %{{.*}}, %{{.*}} hidden %[[HIDDEN]] : tensor<?x8xf32>, tensor<?xi32>, tensor<?x4xf32>
quartet.model @two {
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    %h = ub.poison : tensor<?x4xf32>
    quartet.return %logits, %tokens hidden %h : tensor<?x8xf32>, tensor<?xi32>, tensor<?x4xf32>
  }
  quartet.step mtp {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>, %hidden: tensor<?x4xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens hidden %hidden : tensor<?x8xf32>, tensor<?xi32>, tensor<?x4xf32>
  }
}
