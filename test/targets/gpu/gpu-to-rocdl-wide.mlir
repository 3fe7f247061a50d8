// What waves of 64 lanes have beyond the crossbar of 32: the lane is asked by its number.
// RUN: quartet-opt %s -quartet-device-pipeline=chip=gfx90a | FileCheck %s

// CHECK-LABEL: llvm.func @halves(
// CHECK-DAG:     %[[ALL:.*]] = llvm.mlir.constant(-1 : i32)
// CHECK-DAG:     %[[ZERO:.*]] = llvm.mlir.constant(0 : i32)
// CHECK:         %[[LOW:.*]] = rocdl.mbcnt.lo %[[ALL]], %[[ZERO]]
// CHECK:         %[[LANE:.*]] = rocdl.mbcnt.hi %[[ALL]], %[[LOW]]
// CHECK:         %[[OTHER:.*]] = llvm.xor %[[LANE]], %{{.*}}
// CHECK:         %[[PLACE:.*]] = llvm.shl %[[OTHER]], %{{.*}}
// CHECK:         rocdl.ds_bpermute %[[PLACE]]
func.func @halves(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
  %x = arith.trunci %layer : i64 to i32
  %half = arith.constant 32 : i32
  %lanes = arith.constant 64 : i32
  %y, %valid = gpu.shuffle xor %x, %half, %lanes : i32
  llvm.store %y, %args : i32, !llvm.ptr<1>
  return
}
