// RUN: quartet-opt %s -quartet-to-linalg | FileCheck %s

// Expert ids are read outside the reductions. Sums over features may be reordered,
// the sum over a token's experts may not.
// CHECK-LABEL: func @experts
// CHECK-SAME:    (%[[X:[^:]*]]: {{.*}}, %[[P:.*]]: tensor<?x3xf32>, %[[IDS:.*]]: tensor<?x3xi32>, %[[GATE_UP:.*]]: tensor<5x8x6xbf16>, %[[DOWN:.*]]: tensor<5x6x4xbf16>)
// CHECK:         %[[H:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel"]}
// CHECK:           %[[T:.*]] = linalg.index 1
// CHECK:           %[[J:.*]] = linalg.index 2
// CHECK:           %[[I:.*]] = linalg.index 0
// CHECK:           %[[ID:.*]] = tensor.extract %[[IDS]][%[[T]], %[[J]]]
// CHECK:           %[[E:.*]] = arith.index_cast %[[ID]]
// CHECK:           scf.for %[[C:[^ ]*]] = {{.*}} -> (f32, f32)
// CHECK:             tensor.extract %[[GATE_UP]][%[[E]], %[[I]], %[[C]]]
// CHECK:             fastmath<reassoc,contract>
// CHECK:         } -> tensor<?x3x4xf32>
// CHECK:         linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]}
// CHECK:           scf.for %[[J:[^ ]*]] = {{.*}} iter_args(%[[SUM:.*]] = {{.*}}) -> (f32)
// CHECK:             tensor.extract %[[IDS]][{{.*}}, %[[J]]]
// CHECK:             %[[E:.*]] = arith.index_cast
// CHECK:             %[[PART:.*]] = scf.for %[[I:[^ ]*]] = {{.*}} -> (f32)
// CHECK:               tensor.extract %[[H]][{{.*}}, %[[J]], %[[I]]]
// CHECK:               tensor.extract %[[DOWN]][%[[E]], {{.*}}, %[[I]]]
// CHECK:               fastmath<reassoc,contract>
// CHECK:             %[[WEIGHT:.*]] = tensor.extract %[[P]][{{.*}}, %[[J]]]
// CHECK:             %[[WEIGHTED:.*]] = arith.mulf %[[WEIGHT]], %[[PART]] : f32
// CHECK:             arith.addf %[[SUM]], %[[WEIGHTED]] : f32
func.func @experts(%x: tensor<?x6xf32>, %p: tensor<?x3xf32>, %ids: tensor<?x3xi32>,
                   %gate_up: tensor<5x8x6xbf16>, %down: tensor<5x6x4xbf16>) -> tensor<?x6xf32> {
  %y = quartet.experts %x, %p, %ids, %gate_up, %down
    : (tensor<?x6xf32>, tensor<?x3xf32>, tensor<?x3xi32>, tensor<5x8x6xbf16>,
       tensor<5x6x4xbf16>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}
