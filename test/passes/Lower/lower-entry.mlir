// RUN: quartet-opt %s -split-input-file -quartet-lower-entry | FileCheck %s
// RUN: quartet-opt %s -split-input-file -quartet-lower-entry="target=x86-64-v4 features=avx512f,avx512bw" | FileCheck %s --check-prefix=NAMED

// What the options say about the machine goes into the table.
// NAMED: @quartet_program0_target("x86-64-v4\00")
// NAMED: @quartet_program0_features("avx512f,avx512bw\00")

// The step becomes internal; the entry, which the program table names, reads each argument's address and extents
// from the struct, whose field k is 8 * k bytes in: 0 is num_tokens, 1 is
// num_sequences, 3 is num_slots, 6 is tokens, 9 is seq_start, 19 is weights and 20
// is states.
// CHECK-LABEL: func.func private @m_step
// CHECK-SAME:    llvm.linkage = #llvm.linkage<internal>
// CHECK-LABEL: llvm.func internal @quartet_run_any
// CHECK-SAME:    (%[[ARGS:.*]]: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64)
// A plain field: address, then extent, then stride 1.
// CHECK:         %[[F:.*]] = llvm.getelementptr %[[ARGS]][6] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK:         %[[TOKENS:.*]] = llvm.load %[[F]] : !llvm.ptr -> !llvm.ptr
// CHECK:         %[[F:.*]] = llvm.getelementptr %[[ARGS]][0] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK:         %[[N:.*]] = llvm.load %[[F]] : !llvm.ptr -> i64
// CHECK:         llvm.insertvalue %[[TOKENS]], %{{.*}}[0]
// CHECK:         llvm.insertvalue %[[TOKENS]], %{{.*}}[1]
// CHECK:         llvm.insertvalue %[[N]], %{{.*}}[3, 0]
// seq_start has one entry more than there are sequences.
// CHECK:         llvm.getelementptr %[[ARGS]][9]
// CHECK:         %[[ONE:.*]] = llvm.mlir.constant(1 : i64)
// CHECK:         %[[F:.*]] = llvm.getelementptr %[[ARGS]][1] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK:         %[[COUNT:.*]] = llvm.load %[[F]] : !llvm.ptr -> i64
// CHECK:         llvm.add %[[COUNT]], %[[ONE]]
// A weight is an entry of an array of addresses.
// CHECK:         %[[F:.*]] = llvm.getelementptr %[[ARGS]][19] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK:         %[[TABLE:.*]] = llvm.load %[[F]] : !llvm.ptr -> !llvm.ptr
// CHECK:         %[[F:.*]] = llvm.getelementptr %[[TABLE]][2] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
// CHECK:         llvm.load %[[F]] : !llvm.ptr -> !llvm.ptr
// So is a state; only its dynamic extent is read, and strides follow from extents.
// CHECK:         llvm.getelementptr %[[ARGS]][20]
// CHECK:         %[[TWO:.*]] = llvm.mlir.constant(2 : i64)
// CHECK:         %[[F:.*]] = llvm.getelementptr %[[ARGS]][3] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK:         %[[SLOTS:.*]] = llvm.load %[[F]] : !llvm.ptr -> i64
// CHECK:         %[[FIVE:.*]] = llvm.mlir.constant(5 : i64)
// CHECK:         llvm.insertvalue %[[FIVE]], %{{.*}}[3, 2]
// CHECK:         %[[INNER:.*]] = llvm.mul %{{.*}}, %[[FIVE]]
// CHECK:         llvm.insertvalue %[[SLOTS]], %{{.*}}[3, 1]
// CHECK:         llvm.insertvalue %[[INNER]], %{{.*}}[4, 1]
// CHECK:         %[[OUTER:.*]] = llvm.mul %[[INNER]], %[[SLOTS]]
// CHECK:         llvm.insertvalue %[[TWO]], %{{.*}}[3, 0]
// CHECK:         llvm.insertvalue %[[OUTER]], %{{.*}}[4, 0]
// CHECK:         call @m_step(
// CHECK-NEXT:    llvm.return

// One program with one bucket, for any number of tokens and sequences, that needs
// no memory and no team.
// CHECK:       llvm.mlir.global internal constant @quartet_program0_target("any\00")
// CHECK:       llvm.mlir.global internal constant @quartet_program0_features("\00")
// CHECK-LABEL: llvm.mlir.global internal constant @quartet_program0_buckets
// CHECK-SAME:    !llvm.array<1 x struct<(i64, i64, i64, i64, i64, i64, i64, ptr, ptr, i64)>>
// CHECK:         %[[TOKENS:.*]] = llvm.mlir.constant(9223372036854775807 : i64)
// CHECK:         %[[SEQUENCES:.*]] = llvm.mlir.constant(9223372036854775807 : i64)
// CHECK-COUNT-4: llvm.mlir.constant(0 : i64)
// CHECK:         %[[TEAM:.*]] = llvm.mlir.constant(0 : i64)
// CHECK:         %[[ENTRY:.*]] = llvm.mlir.addressof @quartet_run_any
// CHECK:         llvm.insertvalue %[[TOKENS]], %{{.*}}[0, 0]
// CHECK:         llvm.insertvalue %[[SEQUENCES]], %{{.*}}[0, 1]
// CHECK:         llvm.insertvalue %[[TEAM]], %{{.*}}[0, 6]
// CHECK:         llvm.insertvalue %[[ENTRY]], %{{.*}}[0, 7]
// CHECK-LABEL: llvm.mlir.global external constant @quartet_programs
// CHECK-SAME:    !llvm.array<1 x struct<(ptr, ptr, ptr, i64, ptr, i64, ptr)>>
// CHECK:         %[[BUCKETS:.*]] = llvm.mlir.addressof @quartet_program0_buckets
// CHECK:         %[[ONE:.*]] = llvm.mlir.constant(1 : i64)
// CHECK:         llvm.insertvalue %[[BUCKETS]], %{{.*}}[0, 2]
// CHECK:         llvm.insertvalue %[[ONE]], %{{.*}}[0, 3]
// CHECK:         llvm.insertvalue %{{.*}}, %{{.*}}[0, 5]
// CHECK:       llvm.mlir.global external constant @quartet_num_programs(1 : i64)
func.func @m_step(
    %tokens: memref<?xi32> {quartet.field = "tokens", quartet.extents = ["num_tokens"]},
    %seq_start: memref<?xi32> {quartet.field = "seq_start", quartet.extents = ["num_sequences + 1"]},
    %weight: memref<4x8xbf16> {quartet.field = "weights", quartet.place = 2 : i64},
    %state: memref<2x?x5xf32> {quartet.field = "states", quartet.place = 0 : i64,
                               quartet.extents = ["num_slots"]})
    attributes {quartet.entry} {
  return
}

// -----

// Only the function that is marked as the step gets an entry.
// CHECK-LABEL: func.func @helper(%arg0: memref<?xi32>) {
// CHECK-NOT:   quartet_run
// CHECK-NOT:   quartet_program
func.func @helper(%x: memref<?xi32>) {
  return
}
