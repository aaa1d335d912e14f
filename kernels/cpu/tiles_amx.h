// The eight tile registers of AMX, and their dot products.
//
// As asm, since a tile's number must stand in the instruction; "memory" keeps the compiler from
// moving the loads and stores of what tiles read and write.
#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"

namespace tern {
namespace {

/// Rows and bytes of a row of each tile (LDTILECFG).
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  void set(int tile, int64_t num_rows, int64_t bytes) {
    rows[tile] = static_cast<uint8_t>(num_rows);
    row_bytes[tile] = static_cast<uint16_t>(bytes);
  }
};

TERN_INLINE void configure_tiles(const TileConfig& config) {
  asm volatile("ldtilecfg %0" ::"m"(config) : "memory");
}
TERN_INLINE void release_tiles() {
  asm volatile("tilerelease" ::: "memory");
}
template <int kTile>
TERN_INLINE void zero_tile() {
  asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
}
/// Rows of memory lie `stride` bytes apart.
template <int kTile>
TERN_INLINE void load_tile(const void* p, int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(p), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
TERN_INLINE void store_tile(void* p, int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(p), "r"(stride), "i"(kTile) : "memory");
}
/// c[i][j] += the products of the signed bytes of a[i] with the unsigned ones of b's column j, of
/// which row k holds four; exact modulo 2^32.
template <int kC, int kA, int kB>
TERN_INLINE void dot_bytes() {
  asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kC), "i"(kA), "i"(kB));
}

}  // namespace
}  // namespace tern
