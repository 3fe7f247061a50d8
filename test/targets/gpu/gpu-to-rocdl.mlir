// Kernels in AMD's dialect, for waves of 64 and of 32.
// RUN: sed s/LANES/64/ %S/Inputs/kernels.mlir | quartet-opt -quartet-device-pipeline=chip=gfx942 | FileCheck %s --check-prefixes=CHECK,WAVE64
// RUN: sed s/LANES/32/ %S/Inputs/kernels.mlir | quartet-opt -quartet-device-pipeline=chip=gfx1201 | FileCheck %s --check-prefixes=CHECK,WAVE32

// CHECK-LABEL: llvm.func @rows(
// WAVE64-SAME:   passthrough = {{\[}}["amdgpu-waves-per-eu", "1,1"], ["uniform-work-group-size", "true"]]
// WAVE32-SAME:   passthrough = {{\[}}["amdgpu-waves-per-eu", "4,4"], ["uniform-work-group-size", "true"]]
// CHECK-SAME:    rocdl.flat_work_group_size = "256,256", rocdl.kernel, rocdl.reqd_work_group_size = array<i32: 256, 1, 1>
// CHECK-DAG:     rocdl.workitem.id.x : i32
// CHECK-DAG:     rocdl.workgroup.id.x : i32
// The number of blocks is the first implicit argument: no library function.
// CHECK-DAG:     %[[IMPLICIT:.*]] = llvm.call_intrinsic "llvm.amdgcn.implicitarg.ptr"() : () -> !llvm.ptr<4>
// CHECK-DAG:     llvm.load %[[IMPLICIT]] invariant {alignment = 4 : i64} : !llvm.ptr<4> -> i32
// CHECK:         llvm.fence syncscope("workgroup") release
// CHECK-NEXT:    rocdl.s.barrier
// CHECK-NEXT:    llvm.fence syncscope("workgroup") acquire
// CHECK:         llvm.intr.maxnum

// 16 within 32 lanes is the crossbar's; 8 an operand's where waves are of 32; 1 always.
// CHECK-LABEL: llvm.func @warp(
// CHECK:         %[[XOR16:.*]] = llvm.mlir.constant(16415 : i32)
// CHECK:         rocdl.ds_swizzle %{{.*}}, %[[XOR16]]
// WAVE64:        %[[XOR8:.*]] = llvm.mlir.constant(8223 : i32)
// WAVE64:        rocdl.ds_swizzle %{{.*}}, %[[XOR8]]
// WAVE32:        rocdl.update.dpp %{{.*}} with 360, 15, 15, true
// CHECK:         rocdl.update.dpp %{{.*}} with 177, 15, 15, true
// CHECK:         %[[BYTES:.*]] = llvm.shl
// CHECK:         rocdl.ds_bpermute %[[BYTES]]

// A device is an agent.
// CHECK-LABEL: llvm.func @wait(
// CHECK:         llvm.atomicrmw add %arg0, %{{.*}} syncscope("agent") release
// CHECK:         llvm.load %arg0 atomic syncscope("agent") acquire

// All threads release and acquire what one tells and is told; on gfx9 they wait for it.
// CHECK-LABEL: llvm.func @tell(
// CHECK:         llvm.fence syncscope("agent") release
// WAVE64-NEXT:   rocdl.s.waitcnt 3952
// CHECK-NEXT:    rocdl.s.barrier
// CHECK-NEXT:    llvm.fence syncscope("workgroup") acquire
// CHECK-NEXT:    llvm.atomicrmw add %arg0, %{{.*}} syncscope("agent") monotonic
// CHECK-NEXT:    llvm.load %arg0 atomic syncscope("agent") monotonic
// CHECK-NEXT:    llvm.fence syncscope("workgroup") release
// CHECK-NEXT:    rocdl.s.barrier
// CHECK-NEXT:    llvm.fence syncscope("agent") acquire
// CHECK-NOT:     quartet.by_barriers
// CHECK-NOT:     builtin.unrealized_conversion_cast
