// mlir-opt with the quartet dialect: every stage and pass can be run alone on
// text. Flags only; the stages are in compiler/Pipelines.h.
#include "dialects/Quartet/QuartetOps.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<quartet::QuartetDialect>();
  mlir::registerAllPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Quartet optimizer driver\n", registry));
}
