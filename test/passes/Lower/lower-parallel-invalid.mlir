// RUN: quartet-opt %s -split-input-file -quartet-lower-parallel -verify-diagnostics

// A range has no place for the result of a reduction over all iterations.
func.func @reduction(%x: memref<?xf32>, %n: index) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  // expected-error @+1 {{'scf.parallel' op with reductions has no range form}}
  %sum = scf.parallel (%i) = (%c0) to (%n) step (%c1) init (%zero) -> f32 {
    %v = memref.load %x[%i] : memref<?xf32>
    scf.reduce(%v : f32) {
    ^bb0(%a: f32, %b: f32):
      %s = arith.addf %a, %b : f32
      scf.reduce.return %s : f32
    }
  }
  return %sum : f32
}

// -----

func.func @lower_bound(%x: memref<?xf32>, %n: index, %v: f32) {
  %c1 = arith.constant 1 : index
  // expected-error @+1 {{'scf.parallel' op must start at 0 and step by 1: normalize first}}
  scf.parallel (%i) = (%c1) to (%n) step (%c1) {
    memref.store %v, %x[%i] : memref<?xf32>
  }
  return
}

// -----

// The second dimension counts as well as the first.
func.func @step(%x: memref<?x?xf32>, %n: index, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  // expected-error @+1 {{'scf.parallel' op must start at 0 and step by 1: normalize first}}
  scf.parallel (%i, %j) = (%c0, %c0) to (%n, %n) step (%c1, %c2) {
    memref.store %v, %x[%i, %j] : memref<?x?xf32>
  }
  return
}
