// What the schedule becomes on a CPU, op by op: the claims of tasks, the counters that
// stand for events, and routing that every worker does. Offsets into %arg0 are fields of
// quartet_step_args: 184 scratch, 192 local memory, 200 counters.
// RUN: quartet-opt %s -tile-plan-memory -tile-to-cpu -canonicalize -cse -split-input-file | FileCheck %s

// CHECK:       func.func private @quartet_wait(!llvm.ptr, i32)
// CHECK-LABEL: func.func private @step_plain(
// CHECK-SAME:    %[[ARGS:.*]]: !llvm.ptr, %[[WORKER:.*]]: i64, %[[WORKERS:.*]]: i64)
// How many tasks each phase has is kept for those who wait.
// CHECK:         %[[TOTAL2:.*]] = llvm.alloca
// CHECK:         %[[TOTAL1:.*]] = llvm.alloca
// CHECK:         %[[SYNCFIELD:.*]] = llvm.getelementptr %[[ARGS]][200]
// CHECK:         %[[SYNC:.*]] = llvm.load %[[SYNCFIELD]]
// CHECK:         %[[TOKENS:.*]] = llvm.load %[[ARGS]]
// Tiles of 2 tokens, rounded up.
// CHECK:         %[[PLUS:.*]] = arith.addi %[[TOKENS]], %c1_i64
// CHECK:         %[[TASKS:.*]] = arith.divsi %[[PLUS]], %c2_i64
// CHECK:         llvm.store %[[TASKS]], %[[TOTAL1]]
// The first task is the worker's own; further ones are claimed behind those.
// CHECK:         %[[HAS:.*]] = arith.cmpi slt, %[[WORKER]], %[[TASKS]]
// CHECK:         %[[DONE:.*]] = scf.if %[[HAS]]
// CHECK:           scf.while (%{{.*}} = %[[WORKER]], %{{.*}} = %c0_i64)
// CHECK:             call @embed_f32(
// CHECK:             %[[CLAIM:.*]] = llvm.atomicrmw add %[[SYNC]], %c1_i32 monotonic
// CHECK:             %[[CLAIM64:.*]] = arith.extui %[[CLAIM]]
// CHECK:             arith.addi %[[WORKERS]], %[[CLAIM64]]
// The signal: the phase's second counter, if there was anything to do.
// CHECK:         %[[ANY:.*]] = arith.cmpi sgt, %[[DONE]], %c0_i64
// CHECK:         scf.if %[[ANY]] {
// CHECK:           %[[DONE1:.*]] = llvm.getelementptr %[[SYNC]][64]
// CHECK:           llvm.atomicrmw add %[[DONE1]], %{{.*}} release
// CHECK:         scf.for %[[I:.*]] = %c0_i64 to %c3_i64
// A worker asks for the bytes of its own first task before it waits.
// CHECK:           arith.muli %[[WORKER]], %c128_i64
// CHECK:           scf.for {{.*}} = %c0_i64 to %c128_i64 step %c64_i64
// CHECK:             "llvm.intr.prefetch"
// The wait for a phase before the loop.
// CHECK:           %[[ALL1:.*]] = llvm.load %[[TOTAL1]]
// CHECK:           %[[THERE:.*]] = llvm.getelementptr %[[SYNC]][64]
// CHECK:           %[[ALL132:.*]] = arith.trunci %[[ALL1]]
// CHECK:           call @quartet_wait(%[[THERE]], %[[ALL132]])
// That for the repetition before has nothing to wait for in the first one.
// CHECK:           %[[LATER:.*]] = arith.cmpi sgt, %[[I]], %c0_i64
// CHECK:           scf.if %[[LATER]] {
// CHECK:             %[[LAST:.*]] = arith.subi %[[I]], %c1_i64
// CHECK:             llvm.load %[[TOTAL2]]
// CHECK:             %[[PAIR:.*]] = arith.muli %[[LAST]], %c128_i64
// CHECK:             %[[THEN:.*]] = llvm.getelementptr %[[SYNC]][%[[PAIR]]]
// CHECK:             %[[BEFORE:.*]] = llvm.getelementptr %[[THEN]][192]
// CHECK:             call @quartet_wait(%[[BEFORE]]
// Two dimensions of tasks are one number.
// CHECK:           %[[TILES:.*]] = arith.divsi %{{.*}}, %c4_i64
// CHECK:           %[[BOTH:.*]] = arith.muli %[[TILES]], %c3_i64
// CHECK:           llvm.store %[[BOTH]], %[[TOTAL2]]
// CHECK:           ^bb0(%[[TASK:.*]]: i64, %{{.*}}: i64):
// CHECK:             arith.divsi %[[TASK]], %c3_i64
// CHECK:             call @rope_table_
// Two phases, the second one three times, with two counters each.
// CHECK:       llvm.func internal @quartet_run_step_plain(
// CHECK:       llvm.mlir.global {{.*}}@quartet_programs
tile.program @plain {
  tile.vector @table : tensor<8x16xf32>
  tile.matrix @w rows 64 columns 16 format "f32"
  tile.step @plain few tokens 4 sequences 2 {
    tile.buffer @a : memref<4x16xf32>
    tile.buffer @b : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.phase @first {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.embed @table to @a[%t] tile 2
      }
      tile.signal @e
    }
    tile.layers repeat 3 {
      tile.phase @again {
        tile.prefetch @w bytes 128
        tile.wait @e
        tile.wait previous @f
        tile.tasks [<tokens 4>, <count 3>] {
        ^bb0(%t: index, %i: index):
          tile.rope_table @b[%t] tile 4 inv_freq [1.0] axes [0] scale 1.0
        }
        tile.signal @f
      }
    }
  }
}

// -----

// CHECK-LABEL: func.func private @step_routed(
// CHECK-SAME:    %[[ARGS:.*]]: !llvm.ptr, %[[WORKER:.*]]: i64, %[[WORKERS:.*]]: i64)
// CHECK:         %[[LOCALFIELD:.*]] = llvm.getelementptr %[[ARGS]][192]
// CHECK:         %[[LOCALS:.*]] = llvm.load %[[LOCALFIELD]]
// CHECK:         %[[MINE:.*]] = arith.muli %[[WORKER]]
// CHECK:         %[[LOCAL:.*]] = llvm.getelementptr %[[LOCALS]][%[[MINE]]]
// Every worker routes, into its local memory, and is counted for it.
// CHECK:         call @route_5_3_{{.*}}_renormalized({{.*}}, %[[LOCAL]])
// CHECK:         %[[ACTIVE:.*]] = llvm.load %[[LOCAL]]
// CHECK:         %[[COUNTED:.*]] = arith.addi %[[ACTIVE]], %[[WORKERS]]
// CHECK:         llvm.store %[[COUNTED]]
// CHECK:         %[[HAS:.*]] = arith.cmpi slt, %[[WORKER]], %[[ACTIVE]]
// Only who has a task stages rows.
// CHECK:         %[[DONE:.*]] = scf.if %[[HAS]]
// CHECK:           call @quantize_row_32(
// CHECK:           scf.while
// CHECK:             call @gather_rows(
// CHECK:             call @matmul_on_int4_32(
// CHECK:             call @matmul_on_int4_32(
// CHECK:             call @silu_mul(
// CHECK:         arith.addi %[[DONE]], %c1_i64
// CHECK:         llvm.atomicrmw add {{.*}} release
// CHECK:         call @quartet_wait(
// What was routed is used again where it lies.
// CHECK-NOT:     call @route_
// CHECK:         %[[AGAIN:.*]] = llvm.load %[[LOCAL]]
// CHECK:         arith.cmpi slt, %[[WORKER]], %[[AGAIN]]
tile.program @routed {
  tile.matrix @gate_up experts 5 rows 64 columns 64 format "int4:32"
  tile.step @routed few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x64xf32>
    tile.buffer @logits : memref<4x8xf32>
    tile.buffer @h : !tile.rows<12, 32, 32>
    tile.event @e
    tile.phase @up {
      %a = tile.stage plain @x : !tile.rows<4, 64, 32>
      %g = tile.route @logits experts 4 top_k 2 renormalize shared 1 tokens 4 : !tile.groups
      tile.tasks [<experts 1>, <count 1>] groups %g : !tile.groups {
      ^bb0(%e: index, %r: index):
        tile.expert_up %g[%e, %r] tile 32 weights @gate_up rows %a : !tile.rows<4, 64, 32> to @h intermediate 32
      }
      tile.signal @e
    }
    tile.phase @after {
      tile.wait @e
      %g = tile.recall "up" : !tile.groups
      tile.tasks [<experts 1>] groups %g : !tile.groups {
      ^bb0(%i: index):
      }
    }
  }
}
