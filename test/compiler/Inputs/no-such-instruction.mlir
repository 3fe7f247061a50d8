// An instruction of sm_90, which LLVM cannot select for older chips.
module {
  func.func @waits(%args: !llvm.ptr<1>, %layer: i64) attributes {quartet.kernel} {
    llvm.call_intrinsic "llvm.nvvm.griddepcontrol.wait"() : () -> ()
    return
  }
}
