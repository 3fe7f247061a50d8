// RUN: quartet-opt %s -merge-kernels -split-input-file -verify-diagnostics | FileCheck %s

// @b is @a at another offset: one kernel, which selects by the upper half of its
// argument. @c computes something else, for its constant is no offset; @d is @b
// for another bucket, whose kernels stay its own.
// CHECK: kernel = "a", numbers = array<i64: 3, 0, 0, 0>
// CHECK-SAME: kernel = "a", numbers = array<i64: 4294967299, 0, 0, 0>
// CHECK-SAME: kernel = "c", numbers = array<i64: 0, 0, 0, 0>
// CHECK-SAME: kernel = "a", numbers = array<i64: 8589934592, 0, 0, 0>
// CHECK-SAME: kernel = "d", numbers = array<i64: 0, 0, 0, 0>
module attributes {quartet.program = {target = "sm_90a", arch = "sm_90a",
    device = array<i64: 1, 256, 32, 2, 1000000000>, mtp = [], buckets = [
  {numbers = array<i64: 1, 1, 0, 0, 0, 0>, launches = [
    {kernel = "a", numbers = array<i64: 3, 0, 0, 0>},
    {kernel = "b", numbers = array<i64: 3, 0, 0, 0>},
    {kernel = "c", numbers = array<i64: 0, 0, 0, 0>},
    {kernel = "e", numbers = array<i64: 0, 0, 0, 0>}]},
  {numbers = array<i64: 16, 16, 0, 0, 0, 0>, launches = [
    {kernel = "d", numbers = array<i64: 0, 0, 0, 0>}]}]}} {
  // CHECK-LABEL: func.func @a(
  // CHECK-SAME: %[[ARGS:.*]]: !llvm.ptr<1>, %[[LAYER:.*]]: i64)
  // CHECK-DAG: %[[VARIANT:.*]] = arith.shrui %[[LAYER]], %c32
  // CHECK-DAG: %[[REPEAT:.*]] = arith.andi %[[LAYER]], %c4294967295
  // CHECK-DAG: %[[ONE:.*]] = arith.cmpi eq, %[[VARIANT]], %c1_i64
  // CHECK-DAG: %[[TWO:.*]] = arith.cmpi eq, %[[VARIANT]], %c2_i64
  // CHECK: %[[A:.*]] = arith.constant 8 : i64
  // CHECK: %[[B:.*]] = arith.constant 24 : i64
  // CHECK: %[[AB:.*]] = arith.select %[[ONE]], %[[B]], %[[A]]
  // CHECK: %[[E:.*]] = arith.constant 40 : i64
  // CHECK: %[[ABE:.*]] = arith.select %[[TWO]], %[[E]], %[[AB]]
  // CHECK: llvm.getelementptr %[[ARGS]][%[[ABE]]]
  // CHECK: arith.muli %[[REPEAT]]
  func.func @a(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
    %o = arith.constant 8 : i64
    %p = llvm.getelementptr %args[%o] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
    %k = arith.constant 5 : i64
    %v = arith.muli %layer, %k : i64
    llvm.store %v, %p : i64, !llvm.ptr<1>
    return
  }
  // CHECK-NOT: func.func @b
  func.func @b(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
    %o = arith.constant 24 : i64
    %p = llvm.getelementptr %args[%o] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
    %k = arith.constant 5 : i64
    %v = arith.muli %layer, %k : i64
    llvm.store %v, %p : i64, !llvm.ptr<1>
    return
  }
  // CHECK-LABEL: func.func @c(
  // CHECK-NOT: select
  func.func @c(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
    %o = arith.constant 8 : i64
    %p = llvm.getelementptr %args[%o] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
    %k = arith.constant 6 : i64
    %v = arith.muli %layer, %k : i64
    llvm.store %v, %p : i64, !llvm.ptr<1>
    return
  }
  // CHECK-LABEL: func.func @d(
  // CHECK-NOT: select
  func.func @d(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
    %o = arith.constant 24 : i64
    %p = llvm.getelementptr %args[%o] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
    %k = arith.constant 5 : i64
    %v = arith.muli %layer, %k : i64
    llvm.store %v, %p : i64, !llvm.ptr<1>
    return
  }
  // CHECK-NOT: func.func @e
  func.func @e(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
    %o = arith.constant 40 : i64
    %p = llvm.getelementptr %args[%o] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
    %k = arith.constant 5 : i64
    %v = arith.muli %layer, %k : i64
    llvm.store %v, %p : i64, !llvm.ptr<1>
    return
  }
}

// -----

// Phases that one kernel calls become one in the same way; @z stores another
// value.
module attributes {quartet.program = {target = "sm_90a", arch = "sm_90a",
    device = array<i64: 1, 256, 32, 1, 1000000000>, mtp = [], buckets = [
  {numbers = array<i64: 1, 1, 0, 0, 0, 0>, launches = [
    {kernel = "all", numbers = array<i64: 0, 0, 0, 1>}]}]}} {
  // CHECK-LABEL: func.func private @x(
  // CHECK: arith.select
  func.func private @x(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.phase} {
    %o = arith.constant 8 : i64
    %p = llvm.getelementptr %args[%o] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
    llvm.store %layer, %p : i64, !llvm.ptr<1>
    return
  }
  // CHECK-NOT: @y
  func.func private @y(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.phase} {
    %o = arith.constant 24 : i64
    %p = llvm.getelementptr %args[%o] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
    llvm.store %layer, %p : i64, !llvm.ptr<1>
    return
  }
  // CHECK-LABEL: func.func private @z(
  // CHECK-NOT: select
  func.func private @z(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.phase} {
    %o = arith.constant 8 : i64
    %p = llvm.getelementptr %args[%o] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
    llvm.store %o, %p : i64, !llvm.ptr<1>
    return
  }
  // CHECK-LABEL: func.func @all(
  // CHECK-SAME: %[[ARGS:.*]]: !llvm.ptr<1>, %[[LAYER:.*]]: i64)
  // CHECK-NEXT: call @x(%[[ARGS]], %[[LAYER]])
  // CHECK-NEXT: %[[UPPER:.*]] = arith.constant 4294967296
  // CHECK-NEXT: %[[SECOND:.*]] = arith.ori %[[LAYER]], %[[UPPER]]
  // CHECK-NEXT: call @x(%[[ARGS]], %[[SECOND]])
  // CHECK-NEXT: call @z(%[[ARGS]], %[[LAYER]])
  func.func @all(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
    func.call @x(%args, %layer) : (!llvm.ptr<1>, i64) -> ()
    func.call @y(%args, %layer) : (!llvm.ptr<1>, i64) -> ()
    func.call @z(%args, %layer) : (!llvm.ptr<1>, i64) -> ()
    return
  }
}

// -----

// expected-error @+1 {{the module has no attribute 'quartet.program'; run tile-to-gpu first}}
module {
}
