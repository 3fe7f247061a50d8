// RUN: quartet-opt %s -quartet-to-linalg -canonicalize -cse | FileCheck %s

!i = tensor<?xi32>

// A tap before the step's first token of its sequence reads the slot's window, a
// later one reads x, rounded to the window's type so that both ways agree.
// CHECK-LABEL: func @causal_conv
// CHECK-SAME:    (%[[X:.*]]: tensor<?x6xf32>, %[[W:.*]]: tensor<6x2xbf16>, %[[STATE:.*]]: tensor<?x1x6xbf16>, %[[TOKEN_SEQ:.*]]: tensor<?xi32>, %[[SEQ_START:.*]]: tensor<?xi32>, %[[SEQ_SLOT:.*]]: tensor<?xi32>)
// CHECK:         %[[Y:.*]] = linalg.generic
// CHECK:           %[[T:.*]] = linalg.index 0
// CHECK:           %[[C:.*]] = linalg.index 1
// CHECK:           %[[SEQ32:.*]] = tensor.extract %[[TOKEN_SEQ]][%[[T]]]
// CHECK:           %[[SEQ:.*]] = arith.index_cast %[[SEQ32]]
// CHECK:           %[[START32:.*]] = tensor.extract %[[SEQ_START]][%[[SEQ]]]
// CHECK:           %[[START:.*]] = arith.index_cast %[[START32]]
// CHECK:           %[[SLOT32:.*]] = tensor.extract %[[SEQ_SLOT]][%[[SEQ]]]
// CHECK:           %[[SLOT:.*]] = arith.index_cast %[[SLOT32]]
// CHECK:           %[[PLACE:.*]] = arith.subi %[[T]], %[[START]]
// CHECK:           %[[EARLIER:.*]] = arith.subi %[[PLACE]], %c1
// CHECK:           %[[INSIDE:.*]] = arith.cmpi sge, %[[EARLIER]], %c0
// CHECK:           %[[ROW:.*]] = scf.if %[[INSIDE]]
// CHECK:             %[[AT:.*]] = arith.addi %[[START]], %[[EARLIER]]
// CHECK:             %[[V:.*]] = tensor.extract %[[X]][%[[AT]], %[[C]]]
// CHECK:             %[[ROUNDED:.*]] = arith.truncf %[[V]] : f32 to bf16
// CHECK:             %[[WIDE:.*]] = arith.extf %[[ROUNDED]] : bf16 to f32
// CHECK:             scf.yield %[[WIDE]]
// CHECK:           } else {
// CHECK:             tensor.extract %[[STATE]][%[[SLOT]], %[[PLACE]], %[[C]]]
// CHECK:           tensor.extract %[[W]][%[[C]], %c0]
// CHECK:           tensor.extract %[[W]][%[[C]], %c1]
// silu at the end.
// CHECK:           %[[SUM:.*]] = arith.addf
// CHECK-NEXT:      %[[NEG:.*]] = arith.negf %[[SUM]]
// CHECK:           math.exp %[[NEG]]
// CHECK:           arith.divf
// CHECK:           arith.mulf %[[SUM]],
// All new windows are gathered before the first slot is written.
// CHECK:         %[[WINDOWS:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<?x1x6xbf16>)
// CHECK:           tensor.extract %[[STATE]]
// CHECK:         %[[NEW:.*]] = scf.for %[[S:.*]] = %c0 {{.*}} iter_args(%[[ACC:.*]] = %[[STATE]])
// CHECK-NOT:       tensor.extract %[[STATE]]
// CHECK:           %[[TO32:.*]] = tensor.extract %[[SEQ_SLOT]][%[[S]]]
// CHECK:           %[[TO:.*]] = arith.index_cast %[[TO32]]
// CHECK:           %[[WINDOW:.*]] = tensor.extract_slice %[[WINDOWS]][%[[S]], 0, 0] [1, 1, 6]
// CHECK:           tensor.insert_slice %[[WINDOW]] into %[[ACC]][%[[TO]], 0, 0] [1, 1, 6]
// CHECK:         return %[[Y]], %[[NEW]]
func.func @causal_conv(%x: tensor<?x6xf32>, %w: tensor<6x2xbf16>, %state: tensor<?x1x6xbf16>,
                       %token_seq: !i, %seq_start: !i, %seq_slot: !i)
    -> (tensor<?x6xf32>, tensor<?x1x6xbf16>) {
  %y, %new = quartet.causal_conv %x, %w, %state ragged(%token_seq, %seq_start, %seq_slot)
    : (tensor<?x6xf32>, tensor<6x2xbf16>, tensor<?x1x6xbf16>, !i, !i, !i)
    -> (tensor<?x6xf32>, tensor<?x1x6xbf16>)
  return %y, %new : tensor<?x6xf32>, tensor<?x1x6xbf16>
}
