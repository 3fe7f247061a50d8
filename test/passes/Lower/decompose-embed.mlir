// RUN: quartet-opt %s -quartet-to-linalg | FileCheck %s

// CHECK-LABEL: func @embed
// CHECK-SAME:    (%[[TOKENS:.*]]: tensor<?xi32>, %[[TABLE:.*]]: tensor<16x8xbf16>)
// CHECK:         linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]}
// CHECK:           %[[T:.*]] = linalg.index 0
// CHECK:           %[[D:.*]] = linalg.index 1
// CHECK:           %[[TOKEN:.*]] = tensor.extract %[[TOKENS]][%[[T]]]
// CHECK:           %[[ROW:.*]] = arith.index_cast %[[TOKEN]]
// CHECK:           tensor.extract %[[TABLE]][%[[ROW]], %[[D]]]
// CHECK:           arith.extf
func.func @embed(%tokens: tensor<?xi32>, %table: tensor<16x8xbf16>) -> tensor<?x8xf32> {
  %x = quartet.embed %tokens, %table
    : (tensor<?xi32>, tensor<16x8xbf16>) -> tensor<?x8xf32>
  return %x : tensor<?x8xf32>
}
