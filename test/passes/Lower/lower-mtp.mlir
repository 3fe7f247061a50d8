// The step of multi-token prediction is a function of its own with the same
// weights and states, and gets a table of buckets of its own.
// RUN: quartet-opt %s -quartet-lower-model | FileCheck %s
// RUN: quartet-opt %s -quartet-buffer-pipeline -quartet-llvm-pipeline | FileCheck %s --check-prefix=TABLE

// CHECK-LABEL: func.func @two_step(
// CHECK-SAME:    memref<8xf32> {quartet.field = "weights", quartet.place = 0 : i64}
// CHECK-SAME:    memref<?x2x64x4xf32> {quartet.extents = ["num_pages"], quartet.field = "states", quartet.place = 0 : i64}
// CHECK-SAME:    %[[OUT:[^ ]*]]: memref<?x8xf32> {quartet.extents = ["num_tokens"], quartet.field = "hidden_out"}
// CHECK-SAME:    attributes {quartet.entry}
// CHECK:         bufferization.materialize_in_destination %{{.*}} in restrict writable %[[OUT]]
// CHECK-LABEL: func.func @two_mtp_step(
// CHECK-SAME:    %[[IN:[^ ]*]]: memref<?x8xf32> {quartet.extents = ["num_tokens"], quartet.field = "hidden_in"}
// CHECK-SAME:    memref<8xf32> {quartet.field = "weights", quartet.place = 0 : i64}
// CHECK-SAME:    %[[OUT:[^ ]*]]: memref<?x8xf32> {quartet.extents = ["num_tokens"], quartet.field = "hidden_out"}
// CHECK-SAME:    attributes {quartet.entry, quartet.mtp}
// CHECK:         bufferization.to_tensor %[[IN]] restrict
// CHECK:         bufferization.materialize_in_destination %{{.*}} in restrict writable %[[OUT]]
// CHECK-NOT:   quartet.model

// TABLE:       llvm.func internal @quartet_run_any
// TABLE:       llvm.func internal @quartet_run_mtp_any
// TABLE:       @quartet_program0_buckets()
// TABLE:         llvm.mlir.addressof @quartet_run_any
// TABLE:       @quartet_program0_mtp_buckets()
// TABLE:         llvm.mlir.addressof @quartet_run_mtp_any
// TABLE:       @quartet_programs()
// TABLE:         llvm.mlir.addressof @quartet_program0_mtp_buckets
// TABLE:       llvm.mlir.global external constant @quartet_num_programs(1 : i64)
quartet.model @two {
  quartet.weight @norm : tensor<8xf32>
  quartet.state @key pages : tensor<?x2x64x4xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %c0 = arith.constant 0 : index
    %n = tensor.dim %tokens, %c0 : tensor<?xi32>
    %r = tensor.dim %rows, %c0 : tensor<?xi32>
    %w = quartet.load_weight @norm : tensor<8xf32>
    %v = tensor.extract %w[%c0] : tensor<8xf32>
    %h = tensor.splat %v[%n] : tensor<?x8xf32>
    %logits = tensor.splat %v[%r] : tensor<?x8xf32>
    quartet.return %logits, %rows hidden %h : tensor<?x8xf32>, tensor<?xi32>, tensor<?x8xf32>
  }
  quartet.step mtp {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>, %hidden: tensor<?x8xf32>):
    %c0 = arith.constant 0 : index
    %r = tensor.dim %rows, %c0 : tensor<?xi32>
    %w = quartet.load_weight @norm : tensor<8xf32>
    %v = tensor.extract %w[%c0] : tensor<8xf32>
    %logits = tensor.splat %v[%r] : tensor<?x8xf32>
    %h = tensor.insert %v into %hidden[%c0, %c0] : tensor<?x8xf32>
    quartet.return %logits, %rows hidden %h : tensor<?x8xf32>, tensor<?xi32>, tensor<?x8xf32>
  }
}
