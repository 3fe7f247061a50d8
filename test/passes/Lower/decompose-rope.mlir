// RUN: quartet-opt %s -quartet-to-linalg | FileCheck %s

// cos and sin per token and frequency, of an angle that is one f32 product, with the
// axis that belongs to the frequency; pairs are (p, p + 2); dimensions 4.. are
// copied unchanged.
// CHECK-LABEL: func @rope
// CHECK-SAME:    (%[[X:.*]]: tensor<?x2x8xf32>, %[[POS:.*]]: tensor<3x?xi32>)
// CHECK-DAG:     %[[FREQ:.*]] = arith.constant dense<[1.{{.*}}, 2.5{{.*}}e-01]> : tensor<2xf32>
// CHECK-DAG:     %[[AXES:.*]] = arith.constant dense<[0, 2]> : tensor<2xi32>
// CHECK:         %[[COS:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]}
// CHECK:           %[[T:.*]] = linalg.index 0
// CHECK:           %[[P:.*]] = linalg.index 1
// CHECK:           tensor.extract %[[AXES]][%[[P]]]
// CHECK:           %[[AXIS:.*]] = arith.index_cast
// CHECK:           %[[AT:.*]] = tensor.extract %[[POS]][%[[AXIS]], %[[T]]]
// CHECK:           %[[POSITION:.*]] = arith.sitofp %[[AT]] : i32 to f32
// CHECK:           %[[F:.*]] = tensor.extract %[[FREQ]][%[[P]]]
// CHECK:           %[[ANGLE:.*]] = arith.mulf %[[POSITION]], %[[F]] : f32
// CHECK:           %[[C:.*]] = math.cos %[[ANGLE]] : f32
// CHECK:           %[[SCALE:.*]] = arith.constant 1.5
// CHECK:           arith.mulf %[[C]], %[[SCALE]]
// CHECK:         } -> tensor<?x2xf32>
// CHECK:         %[[SIN:.*]] = linalg.generic
// CHECK:           math.sin
// CHECK:         } -> tensor<?x2xf32>
// CHECK:         linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel"]}
// CHECK:           %[[D:.*]] = linalg.index 2
// CHECK:           %[[FOUR:.*]] = arith.constant 4 : index
// CHECK:           %[[ROTATED:.*]] = arith.cmpi ult, %[[D]], %[[FOUR]]
// CHECK:           %[[TWO:.*]] = arith.constant 2 : index
// CHECK:           %[[FIRST:.*]] = arith.cmpi ult, %[[D]], %[[TWO]]
// CHECK:           %[[IN:.*]] = tensor.extract %[[X]][{{.*}}, {{.*}}, %[[D]]]
// CHECK:           tensor.extract %[[COS]]
// CHECK:           %[[TURN:.*]] = arith.mulf %[[IN]]
// CHECK:           tensor.extract %[[X]]
// CHECK:           tensor.extract %[[SIN]]
// CHECK:           %[[SHEAR:.*]] = arith.mulf
// CHECK-DAG:       %[[MINUS:.*]] = arith.subf %[[TURN]], %[[SHEAR]]
// CHECK-DAG:       %[[PLUS:.*]] = arith.addf %[[TURN]], %[[SHEAR]]
// CHECK:           %[[OUT:.*]] = arith.select %[[FIRST]], %[[MINUS]], %[[PLUS]]
// CHECK:           arith.select %[[ROTATED]], %[[OUT]], %[[IN]]
func.func @rope(%x: tensor<?x2x8xf32>, %positions: tensor<3x?xi32>) -> tensor<?x2x8xf32> {
  %y = quartet.rope %x, %positions inv_freq [1.0, 0.25] axes [0, 2] scale 1.5
    : (tensor<?x2x8xf32>, tensor<3x?xi32>) -> tensor<?x2x8xf32>
  return %y : tensor<?x2x8xf32>
}
