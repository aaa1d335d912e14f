// The tile registers of kernels/cpu/tiles_amx.h in plain C++, with the checks that the CPU makes: a
// kernel that passes on them asks for nothing that the CPU would refuse.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>

#include "kernels/cpu/isa.h"

namespace tern {
namespace {

struct TileConfig {
  int64_t rows[8] = {}, row_bytes[8] = {};

  void set(int tile, int64_t num_rows, int64_t bytes) {
    rows[tile] = num_rows;
    row_bytes[tile] = bytes;
  }
};

struct EmulatedTiles {
  bool configured = false;
  TileConfig config;
  uint8_t bytes[8][16][64] = {};

  static EmulatedTiles& get() {
    static thread_local EmulatedTiles tiles;
    return tiles;
  }
  static void require(bool condition, const char* what) {
    if (!condition) throw std::logic_error(what);
  }
  void check(int tile) const {
    require(configured, "no tiles are configured");
    require(config.rows[tile] > 0 && config.row_bytes[tile] > 0, "the tile is not configured");
  }
};

inline void configure_tiles(const TileConfig& config) {
  for (int t = 0; t < 8; ++t) {
    EmulatedTiles::require(config.rows[t] >= 0 && config.rows[t] <= 16, "rows of a tile");
    EmulatedTiles::require(config.row_bytes[t] >= 0 && config.row_bytes[t] <= 64 &&
                               config.row_bytes[t] % 4 == 0,
                           "bytes of a tile's row");
    EmulatedTiles::require((config.rows[t] == 0) == (config.row_bytes[t] == 0),
                           "a tile with rows or bytes only");
  }
  EmulatedTiles::get() = {.configured = true, .config = config, .bytes = {}};
}
inline void release_tiles() {
  EmulatedTiles::get() = {};
}
template <int kTile>
void zero_tile() {
  EmulatedTiles::get().check(kTile);
  std::memset(EmulatedTiles::get().bytes[kTile], 0, sizeof EmulatedTiles::get().bytes[kTile]);
}
template <int kTile>
void load_tile(const void* p, int64_t stride) {
  EmulatedTiles& t = EmulatedTiles::get();
  t.check(kTile);
  zero_tile<kTile>();
  for (int64_t r = 0; r < t.config.rows[kTile]; ++r)
    std::memcpy(t.bytes[kTile][r], static_cast<const char*>(p) + r * stride,
                t.config.row_bytes[kTile]);
}
template <int kTile>
void store_tile(void* p, int64_t stride) {
  EmulatedTiles& t = EmulatedTiles::get();
  t.check(kTile);
  for (int64_t r = 0; r < t.config.rows[kTile]; ++r)
    std::memcpy(static_cast<char*>(p) + r * stride, t.bytes[kTile][r],
                t.config.row_bytes[kTile]);
}
template <int kC, int kA, int kB>
void dot_bytes() {
  static_assert(kC != kA && kC != kB && kA != kB, "three tiles");
  EmulatedTiles& t = EmulatedTiles::get();
  for (const int tile : {kC, kA, kB}) t.check(tile);
  const TileConfig& c = t.config;
  EmulatedTiles::require(c.rows[kA] == c.rows[kC], "rows of a and c");
  EmulatedTiles::require(c.row_bytes[kB] == c.row_bytes[kC], "columns of b and c");
  EmulatedTiles::require(c.row_bytes[kA] == 4 * c.rows[kB], "columns of a and rows of b");
  for (int64_t i = 0; i < c.rows[kC]; ++i)
    for (int64_t j = 0; j < c.row_bytes[kC] / 4; ++j) {
      uint32_t sum;
      std::memcpy(&sum, &t.bytes[kC][i][4 * j], 4);
      for (int64_t k = 0; k < c.row_bytes[kA]; ++k)
        sum += uint32_t(int32_t(static_cast<int8_t>(t.bytes[kA][i][k])) *
                        int32_t(t.bytes[kB][k / 4][4 * j + k % 4]));
      std::memcpy(&t.bytes[kC][i][4 * j], &sum, 4);
    }
}

}  // namespace
}  // namespace tern
