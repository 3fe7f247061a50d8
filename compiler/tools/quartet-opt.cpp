// mlir-opt with the quartet dialect: every stage and pass can be run alone on
// text. Flags only; the stages are in compiler/Pipelines.h.
#include "compiler/Pipelines.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "passes/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  quartet::registerDialects(registry);
  mlir::registerAllPasses();
  quartet::registerQuartetPasses();
  quartet::registerPipelines();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Quartet optimizer driver\n", registry));
}
