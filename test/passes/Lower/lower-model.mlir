// RUN: quartet-opt %s -split-input-file -quartet-lower-model | FileCheck %s

// Inputs, then weights, states and outputs in the order of their declarations;
// each argument says which field of quartet_step_args it comes from, and a dynamic
// extent which count. The repeated ones have one dimension more, the repetition.
// CHECK-LABEL: func.func @tiny_step
// CHECK-SAME:    %arg0: memref<?xi32> {quartet.extents = ["num_tokens"], quartet.field = "tokens"}
// CHECK-SAME:    %arg1: memref<3x?xi32> {quartet.extents = ["num_tokens"], quartet.field = "positions"}
// CHECK-SAME:    memref<?xi32> {quartet.extents = ["num_sequences + 1"], quartet.field = "seq_start"}
// CHECK-SAME:    memref<?x?xi32> {quartet.extents = ["num_slots", "table_width"], quartet.field = "page_table"}
// CHECK-SAME:    %arg12: memref<?xf32> {quartet.extents = ["num_rows"], quartet.field = "uniform"}
// CHECK-SAME:    %[[NORM:.*]]: memref<8xf32> {quartet.field = "weights", quartet.place = 0 : i64}
// CHECK-SAME:    %[[SCALE:.*]]: memref<2x8xf32> {quartet.field = "weights", quartet.place = 1 : i64}
// CHECK-SAME:    %[[SLOTS:.*]]: memref<2x?x3x8xf32> {quartet.extents = ["num_slots"], quartet.field = "states", quartet.place = 0 : i64}
// CHECK-SAME:    memref<?x2x64x4xbf16> {quartet.extents = ["num_pages"], quartet.field = "states", quartet.place = 1 : i64}
// CHECK-SAME:    %[[LOGITS:.*]]: memref<?x8xf32> {quartet.extents = ["num_rows"], quartet.field = "logits"}
// CHECK-SAME:    %[[SAMPLED:.*]]: memref<?xi32> {quartet.extents = ["num_rows"], quartet.field = "sampled"}
// CHECK-SAME:    attributes {quartet.entry}
// The block is a loop that carries the activations and writes the next ones over
// them; its accesses are views of the running repetition, one per buffer.
// CHECK:         scf.for %[[I:.*]] = %c0{{.*}} to %c2{{.*}} step %c1{{.*}} iter_args(%[[H:.*]] = %{{.*}}) -> (tensor<?x8xf32>)
// CHECK-DAG:       %[[W:.*]] = memref.subview %[[SCALE]][%[[I]], 0] [1, 8] [1, 1] : memref<2x8xf32> to memref<8xf32
// CHECK-DAG:       %[[S:.*]] = memref.subview %[[SLOTS]][%[[I]], 0, 0, 0] [1, %{{.*}}, 3, 8]
// CHECK-NOT:       memref.subview
// A weight is only read; the state is read and written at its own place.
// CHECK-DAG:       bufferization.to_tensor %[[W]] restrict : memref<8xf32
// CHECK-DAG:       %[[OLD:.*]] = bufferization.to_tensor %[[S]] restrict writable
// CHECK:           %[[NEW:.*]] = tensor.insert %{{.*}} into %[[OLD]]
// CHECK:           bufferization.materialize_in_destination %[[NEW]] in restrict writable %[[S]]
// CHECK:           %[[NEXT:.*]] = bufferization.materialize_in_destination %{{.*}} in %[[H]] : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
// CHECK:           scf.yield %[[NEXT]]
// CHECK:         bufferization.to_tensor %[[NORM]] restrict : memref<8xf32>
// CHECK:         bufferization.materialize_in_destination %{{.*}} in restrict writable %[[LOGITS]]
// CHECK:         bufferization.materialize_in_destination %{{.*}} in restrict writable %[[SAMPLED]]
// CHECK-NEXT:    return
// CHECK-NOT:     quartet.{{model|weight|state|step|block|load_|store_|yield|return}}
quartet.model @tiny {
  quartet.weight @norm : tensor<8xf32>
  quartet.weight @scale repeat 2 : tensor<8xf32>
  quartet.state @sum slots repeat 2 : tensor<?x3x8xf32>
  quartet.state @key pages : tensor<?x2x64x4xbf16>
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
    %x = tensor.empty(%n) : tensor<?x8xf32>
    %y = quartet.block repeat 2 init(%x) {
    ^bb0(%h: tensor<?x8xf32>):
      %w = quartet.load_weight @scale : tensor<8xf32>
      %i = arith.constant 0 : index
      %v = tensor.extract %w[%i] : tensor<8xf32>
      %s = quartet.load_state @sum : tensor<?x3x8xf32>
      %s1 = tensor.insert %v into %s[%i, %i, %i] : tensor<?x3x8xf32>
      quartet.store_state @sum, %s1 : tensor<?x3x8xf32>
      %z = arith.addf %h, %h : tensor<?x8xf32>
      quartet.yield %z : tensor<?x8xf32>
    } : tensor<?x8xf32>
    %g = quartet.load_weight @norm : tensor<8xf32>
    %v = tensor.extract %g[%c0] : tensor<8xf32>
    %logits = tensor.insert %v into %y[%c0, %c0] : tensor<?x8xf32>
    quartet.return %logits, %rows : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// Without quartet.model there is nothing to do, whatever else the module has.
// CHECK-LABEL: func.func @other(%arg0: tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:    return %arg0
func.func @other(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
