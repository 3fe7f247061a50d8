// RUN: quartet-opt %s -quartet-to-linalg -canonicalize -cse | FileCheck %s

!i = tensor<?xi32>
!q = tensor<?x4x8xf32>
!k = tensor<?x2x8xf32>
!cache = tensor<?x2x64x8xbf16>

// k and v are appended to their pages; then one task per token and query head goes
// over the pages of its sequence with a running maximum and sum.
// CHECK-LABEL: func @gated
// CHECK-SAME:    (%[[Q:[^ ]*]]: tensor<?x4x8xf32>, %[[K:[^ ]*]]: tensor<?x2x8xf32>, %[[V:[^ ]*]]: tensor<?x2x8xf32>, %[[GATE:[^ ]*]]: tensor<?x4x8xf32>, %[[KEYS:[^ ]*]]: tensor<?x2x64x8xbf16>, %[[VALUES:[^ ]*]]: tensor<?x2x64x8xbf16>, {{.*}}, %[[TABLE:[^ ]*]]: tensor<?x?xi32>)
// CHECK-DAG:     %[[LOWEST:.*]] = arith.constant 0xFF800000 : f32
// CHECK-DAG:     %[[SCALE:.*]] = arith.constant 5.000000e-01 : f32
// The place n in the sequence is entry n % 64 of page n / 64.
// CHECK:         %[[NEWKEYS:.*]] = scf.for %[[T:.*]] = {{.*}} iter_args(%{{.*}} = %[[KEYS]])
// CHECK:           %[[N:.*]] = arith.addi
// CHECK:           %[[NUMBER:.*]] = arith.divui %[[N]], %c64
// CHECK:           %[[PAGE32:.*]] = tensor.extract %[[TABLE]][%{{.*}}, %[[NUMBER]]]
// CHECK:           %[[PAGE:.*]] = arith.index_cast %[[PAGE32]]
// CHECK:           %[[ENTRY:.*]] = arith.remui %[[N]], %c64
// CHECK:           %[[E:.*]] = tensor.extract %[[K]][%[[T]], %[[H:.*]], %[[D:.*]]]
// CHECK:           %[[ROUNDED:.*]] = arith.truncf %[[E]] : f32 to bf16
// CHECK:           tensor.insert %[[ROUNDED]] into %{{.*}}[%[[PAGE]], %[[H]], %[[ENTRY]], %[[D]]]
// CHECK:         %[[NEWVALUES:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[VALUES]])
// CHECK:           tensor.extract %[[V]]
// CHECK:         %[[OUT:.*]] = scf.forall (%[[TOKEN:.*]], %[[HEAD:.*]]) in (%{{.*}}, 4)
// Two query heads share a key head.
// CHECK:           %[[KVHEAD:.*]] = arith.divui %[[HEAD]], %c2
// CHECK:           %[[WALKED:.*]]:4 = scf.for {{.*}} iter_args(%[[TOP:.*]] = %[[LOWEST]],
// Causal: the last page is read up to the token itself.
// CHECK:             arith.minsi %{{.*}}, %c64
// CHECK:             %[[SCORED:.*]]:2 = scf.for
// CHECK:               tensor.extract %[[Q]][%[[TOKEN]], %[[HEAD]], %{{.*}}]
// CHECK:               tensor.extract %[[NEWKEYS]][%{{.*}}, %[[KVHEAD]], %{{.*}}, %{{.*}}]
// CHECK:               arith.mulf %{{.*}}, %[[SCALE]]
// CHECK:               arith.maximumf
// CHECK:             %[[FALL:.*]] = arith.subf %[[TOP]], %[[SCORED]]#1
// CHECK:             math.exp %[[FALL]]
// CHECK:             %[[REST:.*]] = arith.subf %{{.*}}, %[[SCORED]]#1
// CHECK:             math.exp %[[REST]]
// CHECK:             tensor.extract %[[NEWVALUES]][%{{.*}}, %[[KVHEAD]], %{{.*}}, %{{.*}}]
// The gate is a sigmoid on the mean.
// CHECK:           %[[MEAN:.*]] = arith.divf %{{.*}}, %[[WALKED]]#1
// CHECK:           tensor.extract %[[GATE]][%[[TOKEN]], %[[HEAD]], %{{.*}}]
// CHECK:           %[[SIGMOID:.*]] = arith.divf
// CHECK:           arith.mulf %[[MEAN]], %[[SIGMOID]]
// CHECK:         return %[[OUT]], %[[NEWKEYS]], %[[NEWVALUES]]
func.func @gated(%q: !q, %k: !k, %v: !k, %gate: !q, %keys: !cache, %values: !cache,
                 %token_seq: !i, %seq_start: !i, %seq_past: !i, %seq_slot: !i,
                 %page_table: tensor<?x?xi32>) -> (!q, !cache, !cache) {
  %o, %k1, %v1 = quartet.gated_attention %q, %k, %v gate(%gate) cache(%keys, %values)
      ragged(%token_seq, %seq_start, %seq_past, %seq_slot) pages(%page_table) scale 5.0e-1
    : (!q, !k, !k, !q, !cache, !cache, !i, !i, !i, !i, tensor<?x?xi32>) -> (!q, !cache, !cache)
  return %o, %k1, %v1 : !q, !cache, !cache
}

// Without a gate the mean is the result.
// CHECK-LABEL: func @ungated
// CHECK:         %[[WALKED:.*]]:4 = scf.for
// CHECK:         %[[MEAN:.*]] = arith.divf %{{.*}}, %[[WALKED]]#1
// CHECK-NEXT:    tensor.insert %[[MEAN]]
func.func @ungated(%q: !q, %k: !k, %v: !k, %keys: !cache, %values: !cache,
                   %token_seq: !i, %seq_start: !i, %seq_past: !i, %seq_slot: !i,
                   %page_table: tensor<?x?xi32>) -> (!q, !cache, !cache) {
  %o, %k1, %v1 = quartet.gated_attention %q, %k, %v cache(%keys, %values)
      ragged(%token_seq, %seq_start, %seq_past, %seq_slot) pages(%page_table) scale 5.0e-1
    : (!q, !k, !k, !cache, !cache, !i, !i, !i, !i, tensor<?x?xi32>) -> (!q, !cache, !cache)
  return %o, %k1, %v1 : !q, !cache, !cache
}
