// One negative test for each numbered constraint of quartet.accumulate_squares.
// RUN: quartet-opt %s -split-input-file -verify-diagnostics

!i = tensor<?xi32>

// Rows of experts, and nobody says which.
func.func @c1_rank(%x: tensor<?x2x8xf32>, %s: tensor<?x9xf32>, %i: !i) {
  // expected-error @+1 {{expected 'ids' where 'x' has rank 3, found 'tensor<?x2x8xf32>' without them}}
  %0 = quartet.accumulate_squares %x to %s at %i, %i
    : (tensor<?x2x8xf32>, tensor<?x9xf32>, !i, !i) -> tensor<?x9xf32>
  return
}

// -----

!i = tensor<?xi32>

func.func @c1_static(%x: tensor<?x?xf32>, %s: tensor<?x9xf32>, %i: !i) {
  // expected-error @+1 {{expected 'x' to be [N, C]}}
  %0 = quartet.accumulate_squares %x to %s at %i, %i
    : (tensor<?x?xf32>, tensor<?x9xf32>, !i, !i) -> tensor<?x9xf32>
  return
}

// -----

!i = tensor<?xi32>

func.func @c2_places(%x: tensor<?x2x8xf32>, %ids: tensor<?x3xi32>, %s: tensor<?x4x9xf32>, %i: !i) {
  // expected-error @+1 {{expected 'ids' to be [N, K] with K = 2 as in 'x', found 'tensor<?x3xi32>'}}
  %0 = quartet.accumulate_squares %x experts(%ids) to %s at %i, %i
    : (tensor<?x2x8xf32>, tensor<?x3xi32>, tensor<?x4x9xf32>, !i, !i) -> tensor<?x4x9xf32>
  return
}

// -----

!i = tensor<?xi32>

// No column for the count.
func.func @c3_count(%x: tensor<?x8xf32>, %s: tensor<?x8xf32>, %i: !i) {
  // expected-error @+1 {{expected 'state_in' to be [slots, C+1] with C+1 = 9 as in 'x', found 'tensor<?x8xf32>'}}
  %0 = quartet.accumulate_squares %x to %s at %i, %i
    : (tensor<?x8xf32>, tensor<?x8xf32>, !i, !i) -> tensor<?x8xf32>
  return
}

// -----

!i = tensor<?xi32>

// Sums for experts, without experts.
func.func @c3_experts(%x: tensor<?x8xf32>, %s: tensor<?x4x9xf32>, %i: !i) {
  // expected-error @+1 {{expected 'state_in' to be [slots, C+1]}}
  %0 = quartet.accumulate_squares %x to %s at %i, %i
    : (tensor<?x8xf32>, tensor<?x4x9xf32>, !i, !i) -> tensor<?x4x9xf32>
  return
}

// -----

!i = tensor<?xi32>

func.func @c3_result(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %s: tensor<?x4x9xf32>, %i: !i) {
  // expected-error @+1 {{expected 'state_out' to be [slots, E, C+1] with E = 4 as in 'state_in'}}
  %0 = quartet.accumulate_squares %x experts(%ids) to %s at %i, %i
    : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x4x9xf32>, !i, !i) -> tensor<?x5x9xf32>
  return
}

// -----

!i = tensor<?xi32>

func.func @c4_tokens(%x: tensor<3x8xf32>, %s: tensor<?x9xf32>, %t: tensor<2xi32>, %i: !i) {
  // expected-error @+1 {{expected 'token_seq' to be [N] with N = 3 as in 'x', found 'tensor<2xi32>'}}
  %0 = quartet.accumulate_squares %x to %s at %t, %i
    : (tensor<3x8xf32>, tensor<?x9xf32>, tensor<2xi32>, !i) -> tensor<?x9xf32>
  return
}
