// RUN: quartet-opt %s -quartet-to-linalg | FileCheck %s

!t = tensor<?x2x8xf32>

// (w * n) * silu(z): the gain is w itself, and silu(z) multiplies z by its sigmoid.
// CHECK-LABEL: func @silu
// CHECK-SAME:    (%[[X:[^:]*]]: {{.*}}, %[[Z:[^:]*]]: {{.*}}, %[[W:[^:]*]]: tensor<8xf32>)
// CHECK:         %[[SCALE:.*]] = linalg.generic
// CHECK:         } -> tensor<?x2xf32>
// CHECK:         linalg.generic
// CHECK:           tensor.extract %[[X]]
// CHECK:           tensor.extract %[[SCALE]]
// CHECK:           %[[NORMAL:.*]] = arith.mulf
// CHECK:           %[[IN:.*]] = tensor.extract %[[Z]]
// CHECK:           math.exp
// CHECK:           %[[SIGMOID:.*]] = arith.divf
// CHECK:           %[[GATE:.*]] = arith.mulf %[[IN]], %[[SIGMOID]]
// CHECK:           %[[GAIN:.*]] = tensor.extract %[[W]]
// CHECK:           %[[SCALED:.*]] = arith.mulf %[[GAIN]], %[[NORMAL]]
// CHECK:           arith.mulf %[[SCALED]], %[[GATE]]
func.func @silu(%x: !t, %z: !t, %w: tensor<8xf32>) -> !t {
  %y = quartet.gated_rms_norm %x, %z, %w gate silu eps 1.0e-6
    : (!t, !t, tensor<8xf32>) -> !t
  return %y : !t
}

// With sigmoid the gate is the sigmoid alone.
// CHECK-LABEL: func @sigmoid
// CHECK:         math.exp
// CHECK:         %[[GATE:.*]] = arith.divf
// CHECK:         %[[SCALED:.*]] = arith.mulf
// CHECK-NEXT:    arith.mulf %[[SCALED]], %[[GATE]]
func.func @sigmoid(%x: !t, %z: !t, %w: tensor<8xf32>) -> !t {
  %y = quartet.gated_rms_norm %x, %z, %w gate sigmoid eps 1.0e-6
    : (!t, !t, tensor<8xf32>) -> !t
  return %y : !t
}
