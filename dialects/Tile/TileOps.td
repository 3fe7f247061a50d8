// All ops of the tile dialect.
#ifndef TILE_OPS
#define TILE_OPS
include "dialects/Tile/TileKernelOps.td"
include "dialects/Tile/TileScheduleOps.td"
#endif
