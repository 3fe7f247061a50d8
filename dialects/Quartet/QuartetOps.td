// All ops of the quartet dialect, for TableGen.
#ifndef QUARTET_OPS
#define QUARTET_OPS

include "dialects/Quartet/QuartetExpertOps.td"
include "dialects/Quartet/QuartetFusedOps.td"
include "dialects/Quartet/QuartetMixerOps.td"
include "dialects/Quartet/QuartetRecordOps.td"
include "dialects/Quartet/QuartetStructureOps.td"

#endif
