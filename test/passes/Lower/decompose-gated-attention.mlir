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

// Pages of int8: a row's scale is its largest size / 127, stored byte by byte in the
// rows from 64 on; scores and weights are multiplied by the scales of their rows.
// CHECK-LABEL: func @int8
// CHECK-SAME:    %[[KEYS:[^ ]*]]: tensor<?x2x96x8xi8>, %[[VALUES:[^ ]*]]: tensor<?x2x96x8xi8>
// CHECK:         %[[NEWKEYS:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[KEYS]])
// CHECK:           %[[LARGEST:.*]] = scf.for {{.*}} -> (i32)
// CHECK:             arith.maxsi
// CHECK:           %[[SIZE:.*]] = arith.bitcast %[[LARGEST]] : i32 to f32
// CHECK:           %[[SCALE:.*]] = arith.divf %[[SIZE]], %cst
// CHECK:           %[[INVERSE:.*]] = arith.divf %{{.*}}, %[[SCALE]]
// CHECK:           %[[FACTOR:.*]] = arith.select %{{.*}}, %[[INVERSE]]
// CHECK:           scf.for
// CHECK:             arith.mulf %{{.*}}, %[[FACTOR]]
// CHECK:             %[[Q:.*]] = arith.fptosi {{.*}} : f32 to i8
// CHECK:             tensor.insert %[[Q]]
// CHECK:           %[[BITS:.*]] = arith.bitcast %[[SCALE]] : f32 to i32
// CHECK-COUNT-4:   arith.trunci %{{.*}} : i32 to i8
// CHECK:         %[[NEWVALUES:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[VALUES]])
// CHECK:         scf.forall
// CHECK:               tensor.extract %[[NEWKEYS]]
// CHECK:               arith.sitofp
// CHECK-COUNT-4:       tensor.extract %[[NEWKEYS]]
// CHECK:               %[[KEYSCALE:.*]] = arith.bitcast %{{.*}} : i32 to f32
// CHECK:               %[[BOTH:.*]] = arith.mulf %[[KEYSCALE]]
// CHECK:               arith.mulf %{{.*}}, %[[BOTH]]
// CHECK:               %[[WEIGHT:.*]] = math.exp
// CHECK-COUNT-4:       tensor.extract %[[NEWVALUES]]
// CHECK:               %[[VALUESCALE:.*]] = arith.bitcast %{{.*}} : i32 to f32
// CHECK:               arith.mulf %{{.*}}, %[[VALUESCALE]]
// CHECK:               arith.sitofp
func.func @int8(%q: !q, %k: !k, %v: !k, %keys: tensor<?x2x96x8xi8>, %values: tensor<?x2x96x8xi8>,
                %token_seq: !i, %seq_start: !i, %seq_past: !i, %seq_slot: !i,
                %page_table: tensor<?x?xi32>) -> (!q, tensor<?x2x96x8xi8>, tensor<?x2x96x8xi8>) {
  %o, %k1, %v1 = quartet.gated_attention %q, %k, %v cache(%keys, %values)
      ragged(%token_seq, %seq_start, %seq_past, %seq_slot) pages(%page_table) scale 5.0e-1
    : (!q, !k, !k, tensor<?x2x96x8xi8>, tensor<?x2x96x8xi8>, !i, !i, !i, !i, tensor<?x?xi32>)
    -> (!q, tensor<?x2x96x8xi8>, tensor<?x2x96x8xi8>)
  return %o, %k1, %v1 : !q, tensor<?x2x96x8xi8>, tensor<?x2x96x8xi8>
}
