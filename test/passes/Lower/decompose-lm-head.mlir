// RUN: quartet-opt %s -quartet-to-linalg | FileCheck %s

// Only the chosen rows are multiplied; the row's number is read once, outside the
// reduction.
// CHECK:       #[[SWAPPED:.*]] = affine_map<(d0, d1) -> (d1, d0)>
// CHECK-LABEL: func @lm_head
// CHECK-SAME:    (%[[X:.*]]: tensor<?x8xf32>, %[[ROWS:.*]]: tensor<?xi32>, %[[W:.*]]: tensor<16x8xbf16>)
// CHECK:         linalg.generic {indexing_maps = [#[[SWAPPED]]]
// CHECK:           %[[R:.*]] = linalg.index 1
// CHECK:           %[[V:.*]] = linalg.index 0
// CHECK:           %[[ID:.*]] = tensor.extract %[[ROWS]][%[[R]]]
// CHECK:           %[[T:.*]] = arith.index_cast %[[ID]]
// CHECK:           scf.for %[[I:[^ ]*]] = {{.*}} -> (f32)
// CHECK:             tensor.extract %[[X]][%[[T]], %[[I]]]
// CHECK:             tensor.extract %[[W]][%[[V]], %[[I]]]
func.func @lm_head(%x: tensor<?x8xf32>, %rows: tensor<?xi32>,
                   %w: tensor<16x8xbf16>) -> tensor<?x16xf32> {
  %y = quartet.lm_head %x, %rows, %w
    : (tensor<?x8xf32>, tensor<?xi32>, tensor<16x8xbf16>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
