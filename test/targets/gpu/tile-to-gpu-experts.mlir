// Who chooses experts: tasks that write the choice of their tokens, or each block for
// itself.
// RUN: quartet-opt %s -tile-to-gpu=chip=sm_90a | FileCheck %s

// A task's warps choose by shuffles, one softmax and one sigmoid each, and never meet. They
// write experts and weights to the step's memory; who sorts copies the experts to shared
// memory and computes no exponential.
// CHECK-LABEL: func.func @step_ahead_choose
// CHECK-NOT:     gpu.barrier
// CHECK-COUNT-2: math.roundeven
// CHECK-NOT:     {{gpu.barrier|math.roundeven}}
// CHECK:         llvm.store {{.*}} : i32, !llvm.ptr<1>
// CHECK:         llvm.store {{.*}} : f32, !llvm.ptr<1>
// CHECK-LABEL: func.func @step_ahead_up
// CHECK-NOT:     {{gpu.shuffle|math.roundeven}}
// CHECK:         llvm.store {{.*}} : i32, !llvm.ptr<3>
// CHECK:         gpu.barrier
// CHECK-NOT:     {{gpu.shuffle|math.roundeven}}

// From logits a block does all of it.
// CHECK-LABEL: func.func @step_alone_up
// CHECK:         gpu.shuffle
// CHECK-COUNT-2: math.roundeven
// CHECK:         gpu.barrier
// CHECK:         llvm.store {{.*}} : i32, !llvm.ptr<3>
// CHECK:         gpu.barrier
tile.program @ahead {
  tile.step @ahead many tokens 16 sequences 2 scratch 1536 scratch_per_page 0 local 1024 {
    tile.buffer @l at 0 : memref<16x16xf32>
    tile.buffer @c at 1024 : memref<16x2xi32>
    tile.buffer @w at 1152 : memref<16x2xf32>
    tile.event @e
    tile.phase @choose {
      tile.tasks [<tokens 8>] {
      ^bb0(%t: index):
        tile.choose_experts @l[%t] tile 8 experts 4 top_k 1 shared 1 gate 8 to @c weights @w
      }
      tile.signal @e
    }
    tile.phase @up {
      tile.wait @e
      %g = tile.route @c weights @w experts 4 top_k 1 shared 1 tokens 16 : !tile.groups
      tile.tasks [<experts 1>] groups %g : !tile.groups {
      ^bb0(%e: index):
      }
    }
  }
  tile.step @alone many tokens 32 sequences 2 scratch 2048 scratch_per_page 0 local 1024 {
    tile.buffer @l at 0 : memref<32x16xf32>
    tile.phase @up {
      %g = tile.route @l experts 4 top_k 1 shared 1 gate 8 tokens 32 : !tile.groups
      tile.tasks [<experts 1>] groups %g : !tile.groups {
      ^bb0(%e: index):
      }
    }
  }
}
