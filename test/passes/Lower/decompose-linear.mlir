// RUN: quartet-opt %s -quartet-to-linalg | FileCheck %s

// Weight rows are the outer loop and tokens the inner one; the reduction runs over
// the contiguous dimension of both and may be reordered; one rounding at its end.
// CHECK:       #[[SWAPPED:.*]] = affine_map<(d0, d1) -> (d1, d0)>
// CHECK-LABEL: func @linear
// CHECK-SAME:    (%[[X:.*]]: tensor<?x8xf32>, %[[W:.*]]: tensor<5x8xbf16>)
// CHECK:         linalg.generic {indexing_maps = [#[[SWAPPED]]], iterator_types = ["parallel", "parallel"]}
// CHECK:           %[[T:.*]] = linalg.index 1
// CHECK:           %[[O:.*]] = linalg.index 0
// CHECK:           %[[SUM:.*]] = scf.for %[[I:[^ ]*]] = {{.*}} iter_args(%[[ACC:.*]] = {{.*}}) -> (f32)
// CHECK:             %[[A:.*]] = tensor.extract %[[X]][%[[T]], %[[I]]]
// CHECK:             %[[B:.*]] = tensor.extract %[[W]][%[[O]], %[[I]]]
// CHECK:             %[[WIDE:.*]] = arith.extf %[[B]] : bf16 to f32
// CHECK:             %[[AB:.*]] = arith.mulf %[[A]], %[[WIDE]] fastmath<reassoc,contract> : f32
// CHECK:             %[[NEXT:.*]] = arith.addf %[[ACC]], %[[AB]] fastmath<reassoc,contract> : f32
// CHECK:             scf.yield %[[NEXT]]
// CHECK:           %[[Y:.*]] = arith.truncf %[[SUM]] : f32 to f16
// CHECK:           linalg.yield %[[Y]] : f16
func.func @linear(%x: tensor<?x8xf32>, %w: tensor<5x8xbf16>) -> tensor<?x5xf16> {
  %y = quartet.linear %x, %w
    : (tensor<?x8xf32>, tensor<5x8xbf16>) -> tensor<?x5xf16>
  return %y : tensor<?x5xf16>
}
