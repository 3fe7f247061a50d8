// RUN: quartet-opt %s -gpu-to-emulator -split-input-file | FileCheck %s

// Registers go to the stack in words, the sums come back from there.
// CHECK-LABEL: llvm.func @int8_matrices
llvm.func @int8_matrices(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %w = llvm.mlir.constant(7 : i32) : i32
  // CHECK: %[[WORDS:.*]] = llvm.alloca %{{.*}} x !llvm.array<32 x i32>
  // CHECK: %[[B:.*]] = llvm.getelementptr %[[WORDS]][32]
  // CHECK: %[[C:.*]] = llvm.getelementptr %[[WORDS]][64]
  // CHECK: %[[D:.*]] = llvm.getelementptr %[[WORDS]][96]
  // CHECK: %[[KIND:.*]] = llvm.mlir.constant(1 : i32)
  // CHECK: llvm.call @quartet_emu_mma(%[[KIND]], %[[WORDS]], %[[B]], %[[C]], %[[D]], %{{.*}})
  // CHECK: %[[SUM:.*]] = llvm.load %[[D]] : !llvm.ptr -> i32
  // CHECK: llvm.insertvalue %[[SUM]], %{{.*}}[0]
  %0 = nvvm.mma.sync A[%w, %w, %w, %w] B[%w, %w] C[%w, %w, %w, %w]
      {intOverflowBehavior = #nvvm.mma_int_overflow<wrapped>,
       layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>,
       multiplicandAPtxType = #nvvm.mma_type<s8>,
       multiplicandBPtxType = #nvvm.mma_type<s8>, shape = #nvvm.shape<m = 16, n = 8, k = 32>}
      : (i32, i32, i32) -> !llvm.struct<(i32, i32, i32, i32)>
  // The same words serve again.
  // CHECK-NOT: alloca
  // CHECK: llvm.mlir.constant(2 : i32)
  // CHECK: llvm.call @quartet_emu_mma(
  %1 = nvvm.mma.sync A[%w, %w, %w, %w] B[%w, %w] C[%w, %w, %w, %w]
      {intOverflowBehavior = #nvvm.mma_int_overflow<wrapped>,
       layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>,
       multiplicandAPtxType = #nvvm.mma_type<u8>,
       multiplicandBPtxType = #nvvm.mma_type<s8>, shape = #nvvm.shape<m = 16, n = 8, k = 32>}
      : (i32, i32, i32) -> !llvm.struct<(i32, i32, i32, i32)>
  llvm.return
}

// -----

// CHECK-LABEL: llvm.func @float_matrices
llvm.func @float_matrices(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %w = llvm.mlir.constant(7 : i32) : i32
  %h = llvm.bitcast %w : i32 to vector<2xf16>
  %f = llvm.mlir.constant(0.0 : f32) : f32
  // CHECK: llvm.mlir.constant(3 : i32)
  // CHECK: llvm.call @quartet_emu_mma(
  // CHECK: llvm.load %{{.*}} : !llvm.ptr -> f32
  %0 = nvvm.mma.sync A[%w, %w, %w, %w] B[%w, %w] C[%f, %f, %f, %f]
      {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>,
       multiplicandAPtxType = #nvvm.mma_type<bf16>,
       multiplicandBPtxType = #nvvm.mma_type<bf16>, shape = #nvvm.shape<m = 16, n = 8, k = 16>}
      : (i32, i32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
  // CHECK: llvm.store %{{.*}} {alignment = 4 : i64} : vector<2xf16>
  // CHECK: llvm.mlir.constant(4 : i32)
  // CHECK: llvm.call @quartet_emu_mma(
  %1 = nvvm.mma.sync A[%h, %h, %h, %h] B[%h, %h] C[%f, %f, %f, %f]
      {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>,
       shape = #nvvm.shape<m = 16, n = 8, k = 16>}
      : (vector<2xf16>, vector<2xf16>, f32) -> !llvm.struct<(f32, f32, f32, f32)>
  llvm.return
}

// -----

// Copies into shared memory, and from it into registers.
// CHECK-LABEL: llvm.func @copies
llvm.func @copies(%src: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %dst = llvm.inttoptr %layer : i64 to !llvm.ptr<3>
  %four = llvm.mlir.constant(4 : i32) : i32
  // CHECK: %[[BYTES:.*]] = llvm.mlir.constant(16 : i32)
  // CHECK: llvm.call @quartet_emu_copy_async(%{{.*}}, %arg0, %[[BYTES]], %[[BYTES]], %{{.*}})
  nvvm.cp.async.shared.global %dst, %src, 16, cache = cg : !llvm.ptr<3>, !llvm.ptr<1>
  // CHECK: %[[ALL:.*]] = llvm.mlir.constant(16 : i32)
  // CHECK: llvm.call @quartet_emu_copy_async(%{{.*}}, %arg0, %[[ALL]], %{{.*}}, %{{.*}})
  nvvm.cp.async.shared.global %dst, %src, 16, cache = cg, %four : !llvm.ptr<3>, !llvm.ptr<1>, i32
  // CHECK: llvm.call @quartet_emu_commit_group() : () -> ()
  nvvm.cp.async.commit.group
  // CHECK: %[[PENDING:.*]] = llvm.mlir.constant(1 : i32)
  // CHECK: llvm.call @quartet_emu_wait_group(%[[PENDING]])
  nvvm.cp.async.wait.group 1
  // CHECK: llvm.call @quartet_emu_ldmatrix(
  // CHECK-COUNT-4: llvm.insertvalue
  %0 = nvvm.ldmatrix %dst {num = 4 : i32, layout = #nvvm.mma_layout<row>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>} : (!llvm.ptr<3>) -> !llvm.struct<(i32, i32, i32, i32)>
  // CHECK: %[[TRANSPOSED:.*]] = llvm.mlir.constant(1 : i32)
  // CHECK: llvm.call @quartet_emu_ldmatrix(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}})
  %1 = nvvm.ldmatrix %dst {num = 1 : i32, layout = #nvvm.mma_layout<col>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>} : (!llvm.ptr<3>) -> i32
  llvm.return
}

// -----

// Bulk copies and their barriers.
// CHECK-LABEL: llvm.func @transfers
llvm.func @transfers(%src: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %dst = llvm.inttoptr %layer : i64 to !llvm.ptr<3>
  %bytes = llvm.mlir.constant(64 : i32) : i32
  %parity = llvm.mlir.constant(1 : i32) : i32
  // CHECK: llvm.call @quartet_emu_transfer_begin(%[[DST:.*]], %{{.*}}, %{{.*}})
  nvvm.mbarrier.init %dst, %parity : !llvm.ptr<3>, i32
  // CHECK: llvm.call @quartet_emu_transfer_expect(%[[DST]], %{{.*}}, %{{.*}})
  nvvm.mbarrier.arrive.expect_tx %dst, %bytes : !llvm.ptr<3>, i32
  // CHECK: llvm.call @quartet_emu_transfer_copy(%[[DST]], %arg0, %[[DST]], %{{.*}}, %{{.*}})
  nvvm.cp.async.bulk.shared.cluster.global %dst, %src, %dst, %bytes : !llvm.ptr<3>, !llvm.ptr<1>
  // CHECK: llvm.call @quartet_emu_transfer_wait(%[[DST]], %{{.*}}, %{{.*}})
  nvvm.mbarrier.try_wait.parity %dst, %parity, %bytes : !llvm.ptr<3>, i32, i32
  // CHECK: llvm.call @quartet_emu_transfer_end(%[[DST]], %{{.*}})
  nvvm.mbarrier.inval %dst : !llvm.ptr<3>
  llvm.return
}

// -----

// Matrix instructions of warp groups.
// CHECK-LABEL: llvm.func @groups
llvm.func @groups(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %a = llvm.mlir.constant(7 : i32) : i32
  // CHECK: llvm.call @quartet_emu_group_barrier(%{{.*}}, %{{.*}}, %{{.*}}) : (i32, i32, !llvm.ptr) -> ()
  nvvm.barrier id = %a number_of_threads = %a
  // CHECK: llvm.call @quartet_emu_group_fence() : () -> ()
  nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
  // CHECK-COUNT-4: llvm.store
  // CHECK: %[[OFFSET:.*]] = llvm.mlir.constant(2 : i64)
  // CHECK: %[[STEP:.*]] = llvm.add %arg1, %[[OFFSET]]
  // CHECK: llvm.store %[[STEP]]
  // CHECK: %[[ELEMENT:.*]] = llvm.mlir.constant(1 : i32)
  // CHECK: %[[COLUMNS:.*]] = llvm.mlir.constant(8 : i32)
  // CHECK: %[[STEPS:.*]] = llvm.mlir.constant(1 : i32)
  // CHECK: llvm.call @quartet_emu_group_multiply(%[[ELEMENT]], %[[COLUMNS]], %[[STEPS]],
  // CHECK-COUNT-4: llvm.insertvalue
  %0 = llvm.inline_asm has_side_effects
      {quartet.warp_group = {columns = 8 : i64, element = "s8", offsets = array<i64: 2>}}
      "wgmma", "=r,=r,=r,=r,r,r,r,r,l" %a, %a, %a, %a, %layer
      : (i32, i32, i32, i32, i64) -> !llvm.struct<(i32, i32, i32, i32)>
  llvm.return
}

// -----

// Shuffles, votes, barriers and waits in NVIDIA's own words.
// CHECK-LABEL: llvm.func @warps
llvm.func @warps(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %all = llvm.mlir.constant(-1 : i32) : i32
  %clamp = llvm.mlir.constant(31 : i32) : i32
  %yes = llvm.mlir.constant(true) : i1
  %d = llvm.mlir.constant(4 : i32) : i32
  %bytes = llvm.bitcast %d : i32 to vector<4xi8>
  // CHECK: llvm.call @quartet_emu_shuffle_xor(
  %0 = nvvm.shfl.sync bfly %all, %d, %d, %clamp : i32 -> i32
  // CHECK: llvm.call @quartet_emu_shuffle_index(
  %1 = nvvm.shfl.sync idx %all, %d, %d, %clamp : i32 -> i32
  // CHECK: %[[MASK:.*]] = llvm.call @quartet_emu_ballot(
  // CHECK: llvm.trunc %[[MASK]] : i64 to i32
  %2 = nvvm.vote.sync ballot %all, %yes -> i32
  // CHECK: llvm.call @quartet_emu_ballot(
  // CHECK: llvm.icmp "eq"
  %3 = nvvm.vote.sync all %all, %yes -> i1
  // CHECK: llvm.call @quartet_emu_warp_barrier(
  nvvm.bar.warp.sync %all : i32
  // CHECK-COUNT-2: llvm.call @quartet_emu_barrier(
  nvvm.barrier0
  nvvm.barrier
  // CHECK: llvm.call @quartet_emu_dependency_wait() : () -> ()
  nvvm.griddepcontrol wait
  // CHECK: llvm.call @quartet_emu_dependency_launch() : () -> ()
  nvvm.griddepcontrol launch_dependents
  // CHECK: llvm.mul %{{.*}} : vector<4xi32>
  // CHECK: llvm.intr.vector.reduce.add
  %4 = nvvm.dot.accumulate.4way %bytes <signed>, %bytes <signed>, %d : vector<4xi8>, vector<4xi8>
  llvm.return
}

// -----

// Bytes picked from two words are plain arithmetic.
// CHECK-LABEL: llvm.func @permutes
llvm.func @permutes(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %w = llvm.mlir.constant(8 : i32) : i32
  // CHECK-NOT: nvvm.prmt
  // CHECK-COUNT-4: llvm.select
  // CHECK: llvm.trunc
  %0 = nvvm.prmt #nvvm.permute_mode<default> %w, %w, %w : i32
  llvm.return
}
