// RUN: quartet-opt %s -quartet-to-linalg | FileCheck %s

// The gate is one scalar per token; it multiplies the f32 sum, before any rounding.
// CHECK-LABEL: func @shared_expert
// CHECK-SAME:    (%[[X:.*]]: tensor<?x6xbf16>, %[[GATE_UP:[^:]*]]: {{.*}}, %[[DOWN:[^:]*]]: {{.*}}, %[[GATE:[^:]*]]: tensor<1x6xbf16>)
// CHECK:         %[[H:.*]] = linalg.generic
// CHECK:         } -> tensor<?x4xf32>
// CHECK:         %[[SHARE:.*]] = linalg.generic {{.*}} iterator_types = ["parallel"]}
// CHECK:           scf.for
// CHECK:             tensor.extract %[[GATE]]
// CHECK:           math.exp
// CHECK:           arith.divf
// CHECK:         } -> tensor<?xf32>
// CHECK:         linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]}
// CHECK:           %[[T:.*]] = linalg.index 1
// CHECK:           %[[FACTOR:.*]] = tensor.extract %[[SHARE]][%[[T]]]
// CHECK:           %[[SUM:.*]] = scf.for
// CHECK:             tensor.extract %[[H]]
// CHECK:             tensor.extract %[[DOWN]]
// CHECK:           %[[Y:.*]] = arith.mulf %[[FACTOR]], %[[SUM]] : f32
// CHECK:           arith.truncf %[[Y]]
func.func @shared_expert(%x: tensor<?x6xbf16>, %gate_up: tensor<8x6xbf16>,
                         %down: tensor<6x4xbf16>, %gate: tensor<1x6xbf16>) -> tensor<?x6xbf16> {
  %y = quartet.shared_expert %x, %gate_up, %down, %gate
    : (tensor<?x6xbf16>, tensor<8x6xbf16>, tensor<6x4xbf16>, tensor<1x6xbf16>)
    -> tensor<?x6xbf16>
  return %y : tensor<?x6xbf16>
}
