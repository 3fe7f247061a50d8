// RUN: quartet-opt %s -quartet-to-linalg -canonicalize -cse | FileCheck %s

!f = tensor<?xf32>
!i = tensor<?xi32>

// One pass over the ids below token_limit keeps the best; a greedy row keeps one.
// Sums are plain f32 additions in order, and a greedy row takes place 0.
// CHECK-LABEL: func @sample
// CHECK-SAME:    (%[[LOGITS:.*]]: tensor<?x100xf32>, %[[TEMP:[^:]*]]: {{.*}}, %[[K:.*]]: tensor<?xi32>, %[[TOP_P:[^:]*]]: {{.*}}, %[[MIN_P:[^:]*]]: {{.*}}, %[[UNIFORM:[^:]*]]: {{.*}})
// CHECK-NOT:     fastmath
// CHECK-DAG:     %[[LIMIT:.*]] = arith.constant 90 : index
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[ONE_I32:.*]] = arith.constant 1 : i32
// CHECK-DAG:     %[[MOST:.*]] = arith.constant 8 : i32
// CHECK:         %[[TOP:.*]]:2 = scf.forall (%[[R:.*]]) in
// CHECK:           %[[ASKED:.*]] = tensor.extract %[[K]][%[[R]]]
// CHECK:           %[[ATLEAST:.*]] = arith.maxsi %[[ASKED]], %[[ONE_I32]]
// CHECK:           %[[ATMOST:.*]] = arith.minsi %[[ATLEAST]], %[[MOST]]
// CHECK:           tensor.extract %[[TEMP]][%[[R]]]
// CHECK:           %[[GREEDY:.*]] = arith.cmpf oeq
// CHECK:           arith.select %[[GREEDY]], %[[ONE_I32]], %[[ATMOST]]
// CHECK:           scf.for %[[V:[^ ]*]] = %[[ZERO]] to %[[LIMIT]]
// CHECK:             tensor.extract %[[LOGITS]][%[[R]], %[[V]]]
// CHECK-NOT:     tensor.extract %[[LOGITS]]
// CHECK:         %[[SUM:.*]] = linalg.generic
// CHECK:           math.exp
// CHECK:         } -> tensor<?xf32>
// CHECK:         %[[P:.*]] = linalg.generic
// CHECK:           math.exp
// CHECK:           arith.divf
// CHECK:         } -> tensor<?x8xf32>
// CHECK:         linalg.generic
// CHECK:           %[[MASS:.*]] = scf.for {{.*}} iter_args(%[[ACC:.*]] = {{.*}}) -> (f32)
// CHECK:             %[[PJ:.*]] = tensor.extract %[[P]]
// CHECK:             %[[P0:.*]] = tensor.extract %[[P]][%{{.*}}, %[[ZERO]]]
// CHECK:             tensor.extract %[[MIN_P]]
// CHECK:             %[[FLOOR:.*]] = arith.mulf {{.*}}, %[[P0]]
// CHECK:             %[[LIKELY:.*]] = arith.cmpf oge, %[[PJ]], %[[FLOOR]]
// CHECK:             %[[BOUND:.*]] = tensor.extract %[[TOP_P]]
// CHECK:             %[[OPEN:.*]] = arith.cmpf olt, %[[ACC]], %[[BOUND]]
// CHECK:             %[[KEPT:.*]] = arith.andi %[[LIKELY]], %[[OPEN]]
// CHECK:             %[[MORE:.*]] = arith.addf %[[ACC]], %[[PJ]]
// CHECK:             arith.select %[[KEPT]], %[[MORE]], %[[ACC]]
// CHECK:           tensor.extract %[[UNIFORM]]
// CHECK:           %[[THRESHOLD:.*]] = arith.mulf {{.*}}, %[[MASS]]
// CHECK:           %[[DRAWN:.*]]:2 = scf.for {{.*}} -> (f32, index)
// CHECK:             arith.cmpf ole, {{.*}}, %[[THRESHOLD]]
// CHECK:             arith.cmpf ogt, {{.*}}, %[[THRESHOLD]]
// CHECK:           %[[PLACE:.*]] = arith.select {{.*}}, %[[ZERO]], %[[DRAWN]]#1
// CHECK:           tensor.extract %[[TOP]]#1[%{{.*}}, %[[PLACE]]]
func.func @sample(%logits: tensor<?x100xf32>, %temperature: !f, %top_k: !i, %top_p: !f,
                  %min_p: !f, %uniform: !f) -> !i {
  %ids = quartet.sample %logits, %temperature, %top_k, %top_p, %min_p, %uniform
      token_limit 90 candidates 8
    : (tensor<?x100xf32>, !f, !i, !f, !f, !f) -> !i
  return %ids : !i
}

// There are never more candidates than ids: the list has 5 places, not 64.
// CHECK-LABEL: func @few_ids
// CHECK:         scf.forall {{.*}} -> (tensor<?x5xf32>, tensor<?x5xi32>)
func.func @few_ids(%logits: tensor<?x12xf32>, %temperature: !f, %top_k: !i, %top_p: !f,
                   %min_p: !f, %uniform: !f) -> !i {
  %ids = quartet.sample %logits, %temperature, %top_k, %top_p, %min_p, %uniform
      token_limit 5 candidates 64
    : (tensor<?x12xf32>, !f, !i, !f, !f, !f) -> !i
  return %ids : !i
}
