// RUN: quartet-opt %s -quartet-fuse-elementwise | FileCheck %s

// The residual on either side; it may be made after the map, which then moves.
// CHECK-LABEL: func @fold
// CHECK-SAME: (%[[X:[^:]*]]: {{.*}}, %[[W:[^:]*]]: {{.*}}, %[[H:[^:]*]]: {{.*}}, %[[P:[^:]*]]: {{.*}}, %[[I:[^:]*]]: {{.*}}, %[[D:[^:]*]]:
// CHECK-NEXT: %[[A:.*]] = quartet.linear %[[X]], %[[W]] residual(%[[X]])
// CHECK-NEXT: %[[N:.*]] = arith.negf %[[A]]
// CHECK-NEXT: %[[B:.*]] = quartet.linear %[[A]], %[[W]] residual(%[[N]])
// CHECK-NEXT: %[[C:.*]] = quartet.expert_down %[[H]], %[[P]], %[[I]], %[[D]] residual(%[[B]])
// CHECK-NEXT: return %[[C]]
func.func @fold(%x: tensor<?x8xf32>, %w: tensor<8x8xf32>, %h: tensor<?x2x16xf32>,
                %p: tensor<?x2xf32>, %ids: tensor<?x2xi32>,
                %d: !quartet.packed<4x8x16, "int4:16">) -> tensor<?x8xf32> {
  %0 = quartet.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  %a = arith.addf %x, %0 : tensor<?x8xf32>
  %1 = quartet.linear %a, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  %n = arith.negf %a : tensor<?x8xf32>
  %b = arith.addf %1, %n : tensor<?x8xf32>
  %2 = quartet.expert_down %h, %p, %ids, %d
    : (tensor<?x2x16xf32>, tensor<?x2xf32>, tensor<?x2xi32>,
       !quartet.packed<4x8x16, "int4:16">) -> tensor<?x8xf32>
  %c = arith.addf %b, %2 : tensor<?x8xf32>
  return %c : tensor<?x8xf32>
}

// Nearest negatives: a sum that is rounded, a map that something else needs, one
// that has a residual.
// CHECK-LABEL: func @keep
// CHECK: quartet.linear %{{.*}}, %{{.*}} : {{.*}} -> tensor<?x8xbf16>
// CHECK: arith.addf
// CHECK: %[[Y:.*]] = quartet.linear %{{.*}}, %{{.*}} : {{.*}} -> tensor<?x8xf32>
// CHECK: arith.addf
// CHECK: %[[R:.*]] = quartet.linear %{{.*}}, %{{.*}} residual(%{{.*}}) :
// CHECK: arith.addf %{{.*}}, %[[R]]
func.func @keep(%x: tensor<?x8xbf16>, %w: tensor<8x8xf32>, %r: tensor<?x8xf32>)
    -> (tensor<?x8xbf16>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) {
  %0 = quartet.linear %x, %w : (tensor<?x8xbf16>, tensor<8x8xf32>) -> tensor<?x8xbf16>
  %a = arith.addf %x, %0 : tensor<?x8xbf16>
  %1 = quartet.linear %x, %w : (tensor<?x8xbf16>, tensor<8x8xf32>) -> tensor<?x8xf32>
  %b = arith.addf %r, %1 : tensor<?x8xf32>
  %2 = quartet.linear %x, %w residual(%r)
    : (tensor<?x8xbf16>, tensor<8x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %c = arith.addf %r, %2 : tensor<?x8xf32>
  return %a, %b, %1, %c : tensor<?x8xbf16>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
}
