// RUN: quartet-opt %s -quartet-to-linalg | FileCheck %s

// The softmax is over all experts. Each token walks its experts once, in order, and
// keeps a sorted list: p descending, of equals the lower id, NaN as -inf.
// CHECK-LABEL: func @route
// CHECK-SAME:    (%[[X:.*]]: tensor<?x8xf32>, %[[W:.*]]: tensor<7x8xbf16>)
// CHECK:         linalg.generic
// CHECK:         } -> tensor<?x7xf32>
// CHECK:           arith.maximumf
// CHECK:         } -> tensor<?xf32>
// CHECK:           math.exp
// CHECK:         } -> tensor<?x7xf32>
// CHECK:         } -> tensor<?xf32>
// CHECK:         %[[P:.*]] = linalg.generic
// CHECK:           arith.divf
// CHECK:         } -> tensor<?x7xf32>
// CHECK:         %[[TOP:.*]]:2 = scf.forall (%[[T:.*]]) in (%{{.*}}) shared_outs
// CHECK:           %[[EXPERTS:.*]] = arith.constant 7 : index
// CHECK:           scf.for %[[E:[^ ]*]] = %{{.*}} to %[[EXPERTS]]
// CHECK:             %[[VALUE:.*]] = tensor.extract %[[P]][%[[T]], %[[E]]]
// CHECK:             %[[ID:.*]] = arith.index_cast %[[E]] : index to i32
// CHECK:             %[[LAST:.*]] = tensor.extract
// CHECK:             %[[LAST_ID:.*]] = tensor.extract
// CHECK:             %[[NUMBER:.*]] = arith.cmpf ord, %[[VALUE]], %[[VALUE]]
// CHECK:             %[[KEY:.*]] = arith.select %[[NUMBER]], %[[VALUE]]
// CHECK:             %[[LAST_KEY:.*]] = arith.select {{.*}}, %[[LAST]]
// CHECK:             %[[LARGER:.*]] = arith.cmpf ogt, %[[KEY]], %[[LAST_KEY]]
// CHECK:             %[[EQUAL:.*]] = arith.cmpf oeq, %[[KEY]], %[[LAST_KEY]]
// CHECK:             %[[LOWER:.*]] = arith.cmpi slt, %[[ID]], %[[LAST_ID]]
// CHECK:             %[[TIE:.*]] = arith.andi %[[EQUAL]], %[[LOWER]]
// CHECK:             %[[BEFORE:.*]] = arith.ori %[[LARGER]], %[[TIE]]
// CHECK:             %[[STEPS:.*]] = arith.select %[[BEFORE]]
// CHECK:             scf.for %{{.*}} to %[[STEPS]]
// CHECK:         return %[[TOP]]#0, %[[TOP]]#1
func.func @route(%x: tensor<?x8xf32>, %w: tensor<7x8xbf16>) -> (tensor<?x3xf32>, tensor<?x3xi32>) {
  %p, %ids = quartet.route %x, %w top_k 3
    : (tensor<?x8xf32>, tensor<7x8xbf16>) -> (tensor<?x3xf32>, tensor<?x3xi32>)
  return %p, %ids : tensor<?x3xf32>, tensor<?x3xi32>
}

// Renormalised: divided by the sum of the chosen, added in order.
// CHECK-LABEL: func @renormalize
// CHECK:         %[[TOP:.*]]:2 = scf.forall
// CHECK:         %[[SUM:.*]] = linalg.generic
// CHECK:           scf.for {{.*}} iter_args(%[[ACC:.*]] =
// CHECK:             %[[CHOSEN:.*]] = tensor.extract %[[TOP]]#0
// CHECK-NEXT:        arith.addf %[[ACC]], %[[CHOSEN]] : f32
// CHECK:         %[[P:.*]] = linalg.generic
// CHECK:           tensor.extract %[[TOP]]#0
// CHECK:           tensor.extract %[[SUM]]
// CHECK:           arith.divf
// CHECK:         return %[[P]], %[[TOP]]#1
func.func @renormalize(%x: tensor<?x8xf32>, %w: tensor<7x8xbf16>)
    -> (tensor<?x3xf32>, tensor<?x3xi32>) {
  %p, %ids = quartet.route %x, %w top_k 3 renormalize
    : (tensor<?x8xf32>, tensor<7x8xbf16>) -> (tensor<?x3xf32>, tensor<?x3xi32>)
  return %p, %ids : tensor<?x3xf32>, tensor<?x3xi32>
}
