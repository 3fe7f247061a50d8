// What the driver prints about its stages and about MLIR's diagnostics: whole
// lines that name the part of the model.
#include "compiler/Progress.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"
#include "mlir/IR/MLIRContext.h"
#include "gtest/gtest.h"

using namespace mlir;

/// What printDiagnostic prints for an error at \p location with a note.
static std::string printed(MLIRContext &context, Location location) {
  ScopedDiagnosticHandler handler(&context, quartet::printDiagnostic);
  testing::internal::CaptureStderr();
  {
    InFlightDiagnostic error = emitError(location) << "is wrong";
    error.attachNote(UnknownLoc::get(&context)) << "because";
  }
  return testing::internal::GetCapturedStderr();
}

TEST(Progress, DiagnosticsNameThePartOfTheModel) {
  MLIRContext context;
  Location part = NameLoc::get(StringAttr::get(&context, "l2"));
  EXPECT_EQ(printed(context, part),
            "quartetc: error: l2: is wrong\nquartetc: note: because\n");
}

// Patterns fuse the locations of the ops that they replace.
TEST(Progress, TheNameIsFoundInsideAFusedLocation) {
  MLIRContext context;
  Location part = NameLoc::get(StringAttr::get(&context, "embed"));
  Location both = FusedLoc::get(&context, {UnknownLoc::get(&context), part});
  EXPECT_EQ(printed(context, both),
            "quartetc: error: embed: is wrong\nquartetc: note: because\n");
}

TEST(Progress, ALocationWithoutNameLeavesNoGap) {
  MLIRContext context;
  EXPECT_EQ(printed(context, UnknownLoc::get(&context)),
            "quartetc: error: is wrong\nquartetc: note: because\n");
}

TEST(Progress, EachLineIsWholeAndStartsWithTheTime) {
  quartet::StageProgress stages(/*quiet=*/false);
  testing::internal::CaptureStderr();
  stages.note("packing");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "quartetc:   0.0 s  packing\n");
  testing::internal::CaptureStderr();
  stages.wrote("a.out", 2500000);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "quartetc:   0.0 s  wrote a.out (2.50 MB)\n");
}

TEST(Progress, QuietPrintsNothing) {
  quartet::StageProgress stages(/*quiet=*/true);
  testing::internal::CaptureStderr();
  stages.note("packing");
  stages.wrote("a.out", 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}
