// RUN: quartet-opt %s -quartet-to-linalg | FileCheck %s

// Gate and up are one loop over x with two sums; up's row lies I = 4 below gate's.
// h stays in f32 although x and y are bf16.
// CHECK-LABEL: func @mlp
// CHECK-SAME:    (%[[X:.*]]: tensor<?x6xbf16>, %[[GATE_UP:.*]]: tensor<8x6xbf16>, %[[DOWN:.*]]: tensor<6x4xbf16>)
// CHECK:         %[[H:.*]] = linalg.generic
// CHECK:           %[[T:.*]] = linalg.index 1
// CHECK:           %[[I:.*]] = linalg.index 0
// CHECK:           %[[HALF:.*]] = arith.constant 4 : index
// CHECK:           %[[UP:.*]] = arith.addi %[[HALF]], %[[I]] : index
// CHECK:           %[[SUMS:.*]]:2 = scf.for %[[C:[^ ]*]] = {{.*}} -> (f32, f32)
// CHECK:             tensor.extract %[[X]][%[[T]], %[[C]]]
// CHECK:             tensor.extract %[[GATE_UP]][%[[I]], %[[C]]]
// CHECK:             tensor.extract %[[GATE_UP]][%[[UP]], %[[C]]]
// CHECK:           math.exp
// CHECK:           %[[SIGMOID:.*]] = arith.divf
// CHECK:           %[[SILU:.*]] = arith.mulf %[[SUMS]]#0, %[[SIGMOID]]
// CHECK:           arith.mulf %[[SILU]], %[[SUMS]]#1
// CHECK:         } -> tensor<?x4xf32>
// CHECK:         linalg.generic
// CHECK:           scf.for %[[J:[^ ]*]] = {{.*}} -> (f32)
// CHECK:             tensor.extract %[[H]][{{.*}}, %[[J]]]
// CHECK:             tensor.extract %[[DOWN]][{{.*}}, %[[J]]]
// CHECK:           arith.truncf
// CHECK:         } -> tensor<?x6xbf16>
func.func @mlp(%x: tensor<?x6xbf16>, %gate_up: tensor<8x6xbf16>,
               %down: tensor<6x4xbf16>) -> tensor<?x6xbf16> {
  %y = quartet.mlp %x, %gate_up, %down
    : (tensor<?x6xbf16>, tensor<8x6xbf16>, tensor<6x4xbf16>) -> tensor<?x6xbf16>
  return %y : tensor<?x6xbf16>
}
