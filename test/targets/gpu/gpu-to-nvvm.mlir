// Kernels in NVIDIA's dialect.
// RUN: sed s/LANES/32/ %S/Inputs/kernels.mlir | quartet-opt -quartet-device-pipeline=chip=sm_90a | FileCheck %s

// The dynamic shared memory stays a declaration.
// CHECK:       llvm.mlir.global external @quartet_shared() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<0 x i8>{{$}}

// CHECK-LABEL: llvm.func @rows(
// CHECK-SAME:    nvvm.kernel, nvvm.maxntid = array<i32: 256>, nvvm.minctasm = 2 : i32
// CHECK-SAME:    quartet.shared_bytes = 1024
// CHECK-DAG:     %[[TID:.*]] = nvvm.read.ptx.sreg.tid.x : i32
// CHECK-DAG:     llvm.zext %[[TID]] : i32 to i64
// CHECK-DAG:     nvvm.read.ptx.sreg.ctaid.x
// CHECK-DAG:     nvvm.read.ptx.sreg.nctaid.x
// CHECK:         llvm.store %{{.*}}, %{{.*}} : f32, !llvm.ptr<3>
// CHECK-NEXT:    nvvm.barrier0
// Nothing becomes a call; what must not be fused is not.
// CHECK:         llvm.fmul
// CHECK-NEXT:    llvm.fadd
// CHECK-NEXT:    llvm.intr.fma
// CHECK-NEXT:    llvm.intr.sqrt
// CHECK-NEXT:    llvm.intr.roundeven
// CHECK-NEXT:    llvm.intr.fabs
// CHECK-NEXT:    llvm.intr.maxnum
// CHECK-NEXT:    llvm.fdiv

// CHECK-LABEL: llvm.func @warp(
// CHECK-DAG:     %[[ALL:.*]] = llvm.mlir.constant(-1 : i32)
// CHECK-DAG:     %[[CLAMP:.*]] = llvm.mlir.constant(31 : i32)
// CHECK-DAG:     %[[SIXTEEN:.*]] = llvm.mlir.constant(16 : i32)
// CHECK:         nvvm.shfl.sync {{ *}}bfly %[[ALL]], %{{.*}}, %[[SIXTEEN]], %[[CLAMP]] : f32 -> f32
// CHECK:         %[[LANE:.*]] = llvm.trunc %arg1
// CHECK:         nvvm.shfl.sync {{ *}}idx %[[ALL]], %{{.*}}, %[[LANE]], %[[CLAMP]] : i32 -> i32

// LLVM's code generator takes no order from an atomicrmw.
// CHECK-LABEL: llvm.func @wait(
// CHECK:         llvm.fence syncscope("device") release
// CHECK-NEXT:    llvm.atomicrmw add %arg0, %{{.*}} syncscope("device") monotonic
// CHECK-NOT:     llvm.fence
// CHECK:         llvm.load %arg0 atomic syncscope("device") acquire

// Order passes from thread to thread there.
// CHECK-LABEL: llvm.func @tell(
// CHECK:         nvvm.barrier0
// CHECK-NEXT:    llvm.fence syncscope("device") release
// CHECK-NEXT:    llvm.atomicrmw add %arg0, %{{.*}} syncscope("device") monotonic
// CHECK-NEXT:    llvm.fence syncscope("device") acquire
// CHECK-NEXT:    llvm.load %arg0 atomic syncscope("device") acquire
// CHECK-NEXT:    nvvm.barrier0
// CHECK-NOT:     builtin.unrealized_conversion_cast
