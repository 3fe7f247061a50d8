// RUN: quartet-opt %s -quartet-to-linalg | FileCheck %s

// One scale per row, whose sum of squares may be reordered; then one product per
// element: (x * scale) * (1 + w), rounded once.
// CHECK-DAG:   #[[ROW:.*]] = affine_map<(d0) -> (d0)>
// CHECK-DAG:   #[[ALL:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func @rows
// CHECK-SAME:    (%[[X:.*]]: tensor<?x8xbf16>, %[[W:.*]]: tensor<8xf32>)
// CHECK:         %[[SCALE:.*]] = linalg.generic {indexing_maps = [#[[ROW]]], iterator_types = ["parallel"]}
// CHECK:           %[[SUM:.*]] = scf.for {{.*}} iter_args(%[[ACC:.*]] = {{.*}}) -> (f32)
// CHECK:             %[[SQUARE:.*]] = arith.mulf {{.*}} fastmath<reassoc,contract> : f32
// CHECK:             arith.addf %[[ACC]], %[[SQUARE]] fastmath<reassoc,contract> : f32
// CHECK:           %[[D:.*]] = arith.constant 8.0{{.*}} : f32
// CHECK:           arith.divf %[[SUM]], %[[D]] : f32
// CHECK:           math.sqrt
// CHECK:         } -> tensor<?xf32>
// CHECK:         linalg.generic {indexing_maps = [#[[ALL]]], iterator_types = ["parallel", "parallel"]}
// CHECK:           %[[T:.*]] = linalg.index 0
// CHECK:           %[[I:.*]] = linalg.index 1
// CHECK:           tensor.extract %[[X]][%[[T]], %[[I]]]
// CHECK:           tensor.extract %[[SCALE]][%[[T]]]
// CHECK:           %[[NORMAL:.*]] = arith.mulf
// CHECK:           tensor.extract %[[W]][%[[I]]]
// CHECK:           %[[GAIN:.*]] = arith.addf
// CHECK:           %[[Y:.*]] = arith.mulf %[[NORMAL]], %[[GAIN]] : f32
// CHECK:           %[[ROUNDED:.*]] = arith.truncf %[[Y]] : f32 to bf16
// CHECK:           linalg.yield %[[ROUNDED]] : bf16
// CHECK:         } -> tensor<?x8xbf16>
func.func @rows(%x: tensor<?x8xbf16>, %w: tensor<8xf32>) -> tensor<?x8xbf16> {
  %y = quartet.rms_norm %x, %w eps 1.0e-6
    : (tensor<?x8xbf16>, tensor<8xf32>) -> tensor<?x8xbf16>
  return %y : tensor<?x8xbf16>
}

// With heads there is one scale per token and head.
// CHECK-LABEL: func @heads
// CHECK:         linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]}
// CHECK:         } -> tensor<?x2xf32>
// CHECK:         linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel"]}
// CHECK:         } -> tensor<?x2x8xf32>
func.func @heads(%x: tensor<?x2x8xf32>, %w: tensor<8xf32>) -> tensor<?x2x8xf32> {
  %y = quartet.rms_norm %x, %w eps 1.0e-6
    : (tensor<?x2x8xf32>, tensor<8xf32>) -> tensor<?x2x8xf32>
  return %y : tensor<?x2x8xf32>
}
