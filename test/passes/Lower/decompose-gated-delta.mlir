// RUN: quartet-opt %s -quartet-to-linalg -canonicalize -cse | FileCheck %s

!i = tensor<?xi32>

// Norms and controls are tensors; then one task per sequence, value head and row of
// S walks the tokens. The row is read twice per token: for what the old state
// recalls, and to write the new row, which q reads in the same pass.
// CHECK-LABEL: func @gated_delta
// CHECK-SAME:    (%[[Q:[^ ]*]]: tensor<?x2x8xf32>, %[[K:[^ ]*]]: tensor<?x2x8xf32>, %[[V:[^ ]*]]: tensor<?x4x6xf32>, %[[A:[^ ]*]]: tensor<?x4xf32>, %[[B:[^ ]*]]: tensor<?x4xf32>, %[[A_LOG:[^ ]*]]: tensor<4xf32>, %[[DT:[^ ]*]]: tensor<4xf32>, %[[STATE:[^ ]*]]: tensor<?x4x6x8xf32>, %[[SEQ_START:[^ ]*]]: tensor<?xi32>, %[[SEQ_SLOT:[^ ]*]]: tensor<?xi32>)
// CHECK-DAG:     %[[SCALE:.*]] = arith.constant 0.353553385 : f32
// CHECK-DAG:     %[[EPS:.*]] = arith.constant 9.99999997E-7 : f32
// q has length 1 / sqrt(8), k length 1.
// CHECK:         linalg.generic
// CHECK:           tensor.extract %[[Q]]
// CHECK:           arith.addf %{{.*}}, %[[EPS]]
// CHECK:           arith.mulf %{{.*}}, %[[SCALE]]
// CHECK:         %[[UQ:.*]] = linalg.generic
// CHECK:           tensor.extract %[[Q]]
// CHECK:         linalg.generic
// CHECK:           tensor.extract %[[K]]
// CHECK:           arith.addf %{{.*}}, %[[EPS]]
// CHECK-NOT:       arith.mulf %{{.*}}, %[[SCALE]]
// CHECK:         %[[UK:.*]] = linalg.generic
// CHECK:           tensor.extract %[[K]]
// alpha = exp(-exp(a_log) softplus(a + dt_bias)), beta = sigmoid(b).
// CHECK:         %[[ALPHA:.*]] = linalg.generic
// CHECK:           tensor.extract %[[A_LOG]]
// CHECK:           tensor.extract %[[A]]
// CHECK:           tensor.extract %[[DT]]
// CHECK:           math.log1p
// CHECK:         %[[BETA:.*]] = linalg.generic
// CHECK:           tensor.extract %[[B]]
// CHECK:         scf.forall (%[[SEQ:.*]], %[[HEAD:.*]], %[[ROW:.*]]) in (%{{.*}}, 4, 6) shared_outs(%{{.*}} = %{{.*}}, %[[SHARED:.*]] = %[[STATE]])
// CHECK:           %[[SLOT32:.*]] = tensor.extract %[[SEQ_SLOT]][%[[SEQ]]]
// CHECK:           %[[SLOT:.*]] = arith.index_cast %[[SLOT32]]
// CHECK:           %[[GROUP:.*]] = arith.divui %[[HEAD]], %c2
// CHECK:           %[[OLD:.*]] = tensor.extract_slice %[[SHARED]][%[[SLOT]], %[[HEAD]], %[[ROW]], 0] [1, 1, 1, 8]
// CHECK:           %[[END:.*]]:2 = scf.for %{{.*}} iter_args(%[[S:.*]] = %[[OLD]],
// CHECK:             %[[DECAY:.*]] = tensor.extract %[[ALPHA]]
// CHECK:             %[[RECALLED:.*]] = scf.for
// CHECK:               tensor.extract %[[S]]
// CHECK:               tensor.extract %[[UK]][%{{.*}}, %[[GROUP]], %{{.*}}]
// CHECK:             %[[TARGET:.*]] = tensor.extract %[[V]][%{{.*}}, %[[HEAD]], %[[ROW]]]
// CHECK:             %[[KNOWN:.*]] = arith.mulf %[[DECAY]], %[[RECALLED]]
// CHECK:             %[[WRONG:.*]] = arith.subf %[[TARGET]], %[[KNOWN]]
// CHECK:             %[[RATE:.*]] = tensor.extract %[[BETA]]
// CHECK:             %[[DELTA:.*]] = arith.mulf %[[RATE]], %[[WRONG]]
// CHECK:             scf.for
// CHECK:               arith.mulf %[[DECAY]],
// CHECK:               tensor.extract %[[UK]]
// CHECK:               arith.mulf %[[DELTA]],
// CHECK:               %[[NEW:.*]] = arith.addf
// CHECK:               tensor.extract %[[UQ]]
// CHECK:               tensor.insert %[[NEW]]
// CHECK:             arith.truncf %{{.*}} : f32 to bf16
// CHECK:           scf.forall.in_parallel
// CHECK:             tensor.parallel_insert_slice %[[END]]#0 into %[[SHARED]][%[[SLOT]], %[[HEAD]], %[[ROW]], 0] [1, 1, 1, 8]
func.func @gated_delta(%q: tensor<?x2x8xf32>, %k: tensor<?x2x8xf32>, %v: tensor<?x4x6xf32>,
                       %a: tensor<?x4xf32>, %b: tensor<?x4xf32>, %a_log: tensor<4xf32>,
                       %dt_bias: tensor<4xf32>, %state: tensor<?x4x6x8xf32>,
                       %seq_start: !i, %seq_slot: !i)
    -> (tensor<?x4x6xbf16>, tensor<?x4x6x8xf32>) {
  %o, %new = quartet.gated_delta %q, %k, %v, %a, %b, %a_log, %dt_bias, %state
      ragged(%seq_start, %seq_slot) qk_eps 1.0e-6
    : (tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?x4x6xf32>, tensor<?x4xf32>,
       tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<?x4x6x8xf32>, !i, !i)
    -> (tensor<?x4x6xbf16>, tensor<?x4x6x8xf32>)
  return %o, %new : tensor<?x4x6xbf16>, tensor<?x4x6x8xf32>
}
