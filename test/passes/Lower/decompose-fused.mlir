// RUN: quartet-opt %s -quartet-to-linalg | FileCheck %s

// Result j reads the rows of the matrix from rows[j] on.
// CHECK-LABEL: func @projections
// CHECK-SAME:    (%[[X:.*]]: tensor<?x6xf32>, %[[W:.*]]: tensor<20x6xf32>)
// CHECK:         linalg.generic
// CHECK:           %[[FIRST:.*]] = arith.constant 16 : index
// CHECK:           %[[ROW:.*]] = arith.addi %[[FIRST]], %{{.*}} : index
// CHECK:           tensor.extract %[[W]][%[[ROW]], %{{.*}}]
// CHECK:         } -> tensor<?x4xf32>
func.func @projections(%x: tensor<?x6xf32>, %w: tensor<20x6xf32>) -> tensor<?x4xf32> {
  %0, %1 = quartet.projections %x, %w rows [0, 16]
    : (tensor<?x6xf32>, tensor<20x6xf32>) -> (tensor<?x3xf32>, tensor<?x4xf32>)
  return %1 : tensor<?x4xf32>
}

// The residual is added after the sum, once.
// CHECK-LABEL: func @linear
// CHECK-SAME:    %[[R:[^:]*]]: tensor<?x4xf32>)
// CHECK:           %[[SUM:.*]] = scf.for
// CHECK:           %[[AT:.*]] = tensor.extract %[[R]]
// CHECK-NEXT:      %[[Y:.*]] = arith.addf %[[AT]], %[[SUM]] : f32
// CHECK-NEXT:      linalg.yield %[[Y]]
func.func @linear(%x: tensor<?x6xf32>, %w: tensor<4x6xf32>, %r: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %y = quartet.linear %x, %w residual(%r)
    : (tensor<?x6xf32>, tensor<4x6xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// The up rows begin at a multiple of 16, whatever the width.
// CHECK-LABEL: func @mlp_up
// CHECK:         %[[P:.*]] = arith.constant 16 : index
// CHECK:         arith.addi %[[P]], %{{.*}} : index
// CHECK:       } -> tensor<?x5xf32>
func.func @mlp_up(%x: tensor<?x6xf32>, %w: tensor<32x6xf32>) -> tensor<?x5xf32> {
  %h = quartet.mlp_up %x, %w : (tensor<?x6xf32>, tensor<32x6xf32>) -> tensor<?x5xf32>
  return %h : tensor<?x5xf32>
}
