// RUN: quartet-opt %s -split-input-file -quartet-lower-parallel=grain=1000 | FileCheck %s

// The loop becomes a function over [begin, end) that quartet_parallel_for calls
// through a thunk; what the body uses from outside travels in a struct on the
// caller's stack. The body is one operation besides its end: 1000 / 2 per range.
// CHECK-LABEL: func.func @one
// CHECK-SAME:    (%[[X:.*]]: memref<?xf32>, %[[N:.*]]: index, %[[V:.*]]: f32)
// CHECK-NEXT:    %[[ONE:.*]] = llvm.mlir.constant(1 : i64)
// CHECK-NEXT:    %[[SLOT:.*]] = llvm.alloca %[[ONE]] x !llvm.struct<(f32, struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)>, i64)>
// CHECK-NOT:     scf.parallel
// CHECK:         llvm.store %{{.*}}, %[[SLOT]]
// CHECK:         %[[COUNT:.*]] = arith.index_cast %[[N]] : index to i64
// CHECK:         %[[LEAST:.*]] = llvm.mlir.constant(500 : i64)
// CHECK:         %[[THUNK:.*]] = llvm.mlir.addressof @one_range0_thunk
// CHECK:         llvm.call @quartet_parallel_for(%[[THUNK]], %[[SLOT]], %[[COUNT]], %[[LEAST]])
// CHECK-LABEL: func.func private @one_range0
// CHECK-SAME:    (%[[BEGIN:.*]]: index, %[[END:.*]]: index, %[[RV:.*]]: f32, %[[RX:.*]]: memref<?xf32>, %{{.*}}: index)
// CHECK:         scf.for %[[I:.*]] = %[[BEGIN]] to %[[END]] step
// CHECK-NEXT:      memref.store %[[RV]], %[[RX]][%[[I]]]
// CHECK-LABEL: llvm.func internal @one_range0_thunk
// CHECK-SAME:    (%[[CONTEXT:.*]]: !llvm.ptr, %[[B:.*]]: i64, %[[E:.*]]: i64)
// CHECK:         llvm.load %[[CONTEXT]]
// CHECK:         func.call @one_range0(
func.func @one(%x: memref<?xf32>, %n: index, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    memref.store %v, %x[%i] : memref<?xf32>
  }
  return
}

// -----

// Two dimensions without a loop inside: whole and partial rows of the last one, so
// that the inner loop vectorizes. A constant is made again, not passed.
// CHECK-LABEL: func.func @rows
// CHECK:         %[[ALL:.*]] = arith.muli %arg1, %c8
// CHECK:         arith.index_cast %[[ALL]]
// CHECK-LABEL: func.func private @rows_range0
// CHECK-SAME:    (%[[BEGIN:.*]]: index, %[[END:.*]]: index, %[[X:.*]]: memref<?x8xf32>, %{{.*}}: index)
// CHECK-DAG:     %[[FIRST:.*]] = arith.divui %[[BEGIN]], %c8
// CHECK-DAG:     %[[LAST:.*]] = arith.ceildivui %[[END]], %c8
// CHECK:         scf.for %[[ROW:.*]] = %[[FIRST]] to %[[LAST]]
// CHECK:           %[[BASE:.*]] = arith.muli %[[ROW]], %c8
// CHECK:           %[[B:.*]] = arith.subi %[[BEGIN]], %[[BASE]]
// CHECK:           %[[FROM:.*]] = arith.maxsi %[[B]], %c0
// CHECK:           %[[E:.*]] = arith.subi %[[END]], %[[BASE]]
// CHECK:           %[[TO:.*]] = arith.minsi %[[E]], %c8
// CHECK:           scf.for %[[COLUMN:.*]] = %[[FROM]] to %[[TO]]
// CHECK:             %[[TWO:.*]] = arith.constant 2.0
// CHECK:             memref.store %[[TWO]], %[[X]][%[[ROW]], %[[COLUMN]]]
func.func @rows(%x: memref<?x8xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %two = arith.constant 2.0 : f32
  scf.parallel (%i, %j) = (%c0, %c0) to (%n, %c8) step (%c1, %c1) {
    memref.store %two, %x[%i, %j] : memref<?x8xf32>
  }
  return
}

// -----

// With a loop inside there is nothing to gain from rows: one flat index. The loop
// counts with its iterations: 8 times 2, and 2 for itself and the body's end.
// CHECK-LABEL: func.func @flat
// CHECK:         llvm.mlir.constant(55 : i64)
// CHECK-LABEL: func.func private @flat_range0
// CHECK-SAME:    (%[[BEGIN:.*]]: index, %[[END:.*]]: index, %{{.*}}: f32, %[[X:.*]]: memref<?x8xf32>, %{{.*}}: index)
// CHECK:         scf.for %[[AT:.*]] = %[[BEGIN]] to %[[END]]
// CHECK-DAG:       %[[J:.*]] = arith.remui %[[AT]], %c8
// CHECK-DAG:       %[[I:.*]] = arith.divui %[[AT]], %c8
// CHECK:           scf.for
// CHECK:             memref.store %{{.*}}, %[[X]][%[[I]], %[[J]]]
func.func @flat(%x: memref<?x8xf32>, %n: index, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.parallel (%i, %j) = (%c0, %c0) to (%n, %c8) step (%c1, %c1) {
    scf.for %k = %c0 to %c8 step %c1 {
      memref.store %v, %x[%i, %j] : memref<?x8xf32>
    }
  }
  return
}

// -----

// Only the outermost loop is outlined; the inner one runs on the same worker. A
// small buffer moves to the stack frame, ahead of the loop, 64 bytes aligned; a
// large one stays where it is.
// CHECK-LABEL: func.func @nested
// CHECK-COUNT-1: llvm.call @quartet_parallel_for
// CHECK-LABEL: func.func private @nested_range0
// CHECK-NEXT:    %[[SMALL:.*]] = memref.alloca() {alignment = 64 : i64} : memref<8xf32>
// CHECK:         scf.for
// CHECK:           scf.for
// CHECK:             memref.store %{{.*}}, %[[SMALL]]
// CHECK-NOT:       memref.dealloc %[[SMALL]]
// CHECK:           %[[LARGE:.*]] = memref.alloc() : memref<20000xf32>
// CHECK:           memref.dealloc %[[LARGE]]
// CHECK-NOT:       quartet_parallel_for
// CHECK:         return
func.func @nested(%x: memref<?x8xf32>, %n: index, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %small = memref.alloc() : memref<8xf32>
    scf.parallel (%j) = (%c0) to (%c8) step (%c1) {
      memref.store %v, %small[%j] : memref<8xf32>
    }
    memref.dealloc %small : memref<8xf32>
    %large = memref.alloc() : memref<20000xf32>
    memref.store %v, %large[%i] : memref<20000xf32>
    memref.dealloc %large : memref<20000xf32>
  }
  return
}

// -----

// Ranges of at least one iteration, however heavy it is.
// CHECK-LABEL: func.func @heavy
// CHECK:         arith.index_cast
// CHECK-NEXT:    %[[LEAST:.*]] = llvm.mlir.constant(1 : i64) : i64
// CHECK-NEXT:    %[[THUNK:.*]] = llvm.mlir.addressof @heavy_range0_thunk
// CHECK-NEXT:    llvm.call @quartet_parallel_for(%[[THUNK]], %{{.*}}, %{{.*}}, %[[LEAST]])
func.func @heavy(%x: memref<?xf32>, %n: index, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %many = arith.constant 100000 : index
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    scf.for %k = %c0 to %many step %c1 {
      memref.store %v, %x[%i] : memref<?xf32>
    }
  }
  return
}

// -----

// An ordinary loop stays in its function.
// CHECK-LABEL: func.func @sequential
// CHECK-NOT:     quartet_parallel_for
// CHECK:         scf.for
// CHECK:         return
// CHECK-NOT:   quartet_parallel_for
func.func @sequential(%x: memref<?xf32>, %n: index, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    memref.store %v, %x[%i] : memref<?xf32>
  }
  return
}
