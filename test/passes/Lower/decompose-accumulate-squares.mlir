// RUN: quartet-opt %s -quartet-to-linalg | FileCheck %s
// RUN: quartet-opt %s -quartet-to-linalg -canonicalize -cse \
// RUN:   -one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" \
// RUN:   -canonicalize -cse | FileCheck %s --check-prefix=BUFFERS

!i = tensor<?xi32>

// Over the tokens, the token's slot, over the columns; then the count.
// CHECK-LABEL: func @rows
// CHECK-SAME:    (%[[X:.*]]: tensor<?x8xbf16>, %[[S:.*]]: tensor<?x9xf32>, %[[SEQ:.*]]: tensor<?xi32>, %[[SLOT:.*]]: tensor<?xi32>)
// CHECK:         scf.for %[[T:[a-z0-9_]+]] = {{.*}} iter_args(%{{.*}} = %[[S]])
// CHECK:           %[[Q:.*]] = tensor.extract %[[SEQ]][%[[T]]]
// CHECK:           %[[Q1:.*]] = arith.index_cast %[[Q]]
// CHECK:           %[[P:.*]] = tensor.extract %[[SLOT]][%[[Q1]]]
// CHECK:           %[[PLACE:.*]] = arith.index_cast %[[P]]
// CHECK:           scf.for %[[C:[a-z0-9_]+]] = {{.*}} iter_args(%[[ACC:.*]] =
// CHECK:             %[[V:.*]] = tensor.extract %[[X]][%[[T]], %[[C]]]
// CHECK:             %[[W:.*]] = arith.extf %[[V]]
// CHECK:             %[[SQUARE:.*]] = arith.mulf %[[W]], %[[W]]
// CHECK:             %[[OLD:.*]] = tensor.extract %[[ACC]][%[[PLACE]], %[[C]]]
// CHECK:             %[[NEW:.*]] = arith.addf %[[OLD]], %[[SQUARE]]
// CHECK:             tensor.insert %[[NEW]] into %[[ACC]][%[[PLACE]], %[[C]]]
// CHECK:           tensor.insert %{{.*}} into %{{.*}}[%[[PLACE]], %{{.*}}]
// No state is copied.
// BUFFERS-LABEL: func @rows
// BUFFERS-NOT:     memref.alloc
// BUFFERS-NOT:     memref.copy
// BUFFERS:         return
func.func @rows(%x: tensor<?x8xbf16>, %s: tensor<?x9xf32>, %seq: !i, %slot: !i) -> tensor<?x9xf32> {
  %0 = quartet.accumulate_squares %x to %s at %seq, %slot
    : (tensor<?x8xbf16>, tensor<?x9xf32>, !i, !i) -> tensor<?x9xf32>
  return %0 : tensor<?x9xf32>
}

// The token's row for each of its experts.
// CHECK-LABEL: func @experts
// CHECK:         %[[E:.*]] = tensor.extract %{{.*}}[%[[T:.*]], %[[J:.*]]] : tensor<?x2xi32>
// CHECK:         tensor.extract %{{.*}}[%[[T]], %{{.*}}] : tensor<?x8xf32>
// CHECK:         tensor.insert %{{.*}} into %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : tensor<?x4x9xf32>
// BUFFERS-LABEL: func @experts
// BUFFERS-NOT:     memref.copy
// BUFFERS:         return
func.func @experts(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %s: tensor<?x4x9xf32>, %seq: !i, %slot: !i) -> tensor<?x4x9xf32> {
  %0 = quartet.accumulate_squares %x experts(%ids) to %s at %seq, %slot
    : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x4x9xf32>, !i, !i) -> tensor<?x4x9xf32>
  return %0 : tensor<?x4x9xf32>
}

// A row for each of them.
// CHECK-LABEL: func @own_rows
// CHECK:         tensor.extract %{{.*}}[%[[T:.*]], %[[J:.*]]] : tensor<?x2xi32>
// CHECK:         tensor.extract %{{.*}}[%[[T]], %[[J]], %{{.*}}] : tensor<?x2x8xf32>
func.func @own_rows(%x: tensor<?x2x8xf32>, %ids: tensor<?x2xi32>, %s: tensor<?x4x9xf32>, %seq: !i, %slot: !i) -> tensor<?x4x9xf32> {
  %0 = quartet.accumulate_squares %x experts(%ids) to %s at %seq, %slot
    : (tensor<?x2x8xf32>, tensor<?x2xi32>, tensor<?x4x9xf32>, !i, !i) -> tensor<?x4x9xf32>
  return %0 : tensor<?x4x9xf32>
}
