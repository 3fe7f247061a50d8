// RUN: quartet-opt %s -quartet-to-linalg -canonicalize -cse \
// RUN:   -one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" \
// RUN:   -canonicalize -cse -canonicalize | FileCheck %s

!f = tensor<?xf32>
!i = tensor<?xi32>

// The sorted lists of route are rows of its results: inside the loop over tokens
// nothing is allocated and nothing is copied.
// CHECK-LABEL: func @route
// CHECK:         scf.forall
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     memref.copy
// CHECK:           memref.store {{.*}} : memref<3xf32
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     memref.copy
// CHECK:         linalg.generic
// CHECK-NOT:     memref.copy
// CHECK:         return
func.func @route(%x: tensor<?x8xf32>, %w: tensor<7x8xbf16>) -> (tensor<?x3xf32>, tensor<?x3xi32>) {
  %p, %ids = quartet.route %x, %w top_k 3 renormalize
    : (tensor<?x8xf32>, tensor<7x8xbf16>) -> (tensor<?x3xf32>, tensor<?x3xi32>)
  return %p, %ids : tensor<?x3xf32>, tensor<?x3xi32>
}

// The same for the candidates of sample.
// CHECK-LABEL: func @sample
// CHECK:         scf.forall
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     memref.copy
// CHECK:           memref.store {{.*}} : memref<8xf32
// CHECK-NOT:     memref.alloc(
// CHECK-NOT:     memref.copy
// CHECK:           memref.store {{.*}} : memref<8xi32
// CHECK-NOT:     memref.copy
// CHECK:         return
func.func @sample(%logits: tensor<?x100xf32>, %temperature: !f, %top_k: !i, %top_p: !f,
                  %min_p: !f, %uniform: !f) -> !i {
  %ids = quartet.sample %logits, %temperature, %top_k, %top_p, %min_p, %uniform
      token_limit 90 candidates 8
    : (tensor<?x100xf32>, !f, !i, !f, !f, !f) -> !i
  return %ids : !i
}
