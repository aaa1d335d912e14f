// y = x Wᵀ + b: lanes are rows of W, one accumulator chain an output in the order of K from zero,
// the bias last. How many rows and panels a tile takes, how K is cut and who computes it change
// speed only. Here: how the work is cut, whatever a tile multiplies.
//
// A tile class has kMaxRows, panels(rows) = how many panels its registers hold beside that many
// rows, and run<kRows, kPanels>(args, row, panel, k_begin, k_end), which computes part [k_begin,
// k_end) of the chains of rows [row, row + kRows), panels [panel, panel + kPanels); or instead
// run_rows(args, row, num_rows, block), for all the block's panels.

namespace tern {
namespace {

/// Columns of W that a pass takes where several row tiles use them: they then come from L2. Whole
/// groups and pairs of columns.
constexpr int64_t kBlockK = 512;
constexpr int64_t kTaskPanels = 24;     // at most; a block of them is 384 KB of bf16
constexpr int64_t kTaskRows = 64;       // at most
constexpr int64_t kTaskMacs = 1 << 15;  // at least: ~1 us, several times a hand-over
constexpr int64_t kTasksPerThread = 4;  // so that an unlucky thread does not decide alone

struct GemmBlock {
  int64_t panel_begin, panel_end, k_begin, k_end;
};

template <class Tile, int kRows, int kPanels = Tile::panels(kRows)>
void gemm_panels(const Gemm::Args& a, int64_t row, GemmBlock b) {
  for (; b.panel_begin + kPanels <= b.panel_end; b.panel_begin += kPanels)
    Tile::template run<kRows, kPanels>(a, row, b.panel_begin, b.k_begin, b.k_end);
  if constexpr (kPanels > 1) gemm_panels<Tile, kRows, kPanels / 2>(a, row, b);
}

template <class Tile, int kRows = Tile::kMaxRows>
void gemm_rows(const Gemm::Args& a, int64_t row, int64_t num_rows, const GemmBlock& b) {
  if (num_rows == kRows) return gemm_panels<Tile, kRows>(a, row, b);
  if constexpr (kRows > 1) gemm_rows<Tile, kRows - 1>(a, row, num_rows, b);
}

/// Rows [row_begin, row_end) in tiles whose sizes differ by one at most.
template <class Tile>
void gemm_task(const Gemm::Args& a, int64_t row_begin, int64_t row_end, GemmBlock b) {
  const int64_t rows = row_end - row_begin, num_tiles = ceil_div64(rows, Tile::kMaxRows);
  const int64_t block_k = num_tiles > 1 ? kBlockK : a.w.cols;
  for (b.k_begin = 0; b.k_begin < a.w.cols; b.k_begin = b.k_end) {
    b.k_end = min64(a.w.cols, b.k_begin + block_k);
    for (int64_t i = 0; i < num_tiles; ++i) {
      const int64_t begin = rows * i / num_tiles, end = rows * (i + 1) / num_tiles;
      if constexpr (requires { Tile::run_rows(a, begin, end, b); })
        Tile::run_rows(a, row_begin + begin, end - begin, b);
      else
        gemm_rows<Tile>(a, row_begin + begin, end - begin, b);
    }
  }
}

template <class Tile>
void gemm(const Gemm::Args& a, const Exec& ex) {
  const int64_t rows = a.x.rows, num_panels = ceil_div64(a.w.rows, kLanes);
  if (rows == 0) return;
  const int64_t row_tasks = ceil_div64(rows, kTaskRows);
  const int64_t task_rows = ceil_div64(rows, row_tasks);
  // Panels of a task: whole groups of those that a tile takes at once.
  const int64_t group = Tile::panels(static_cast<int>(min64(task_rows, Tile::kMaxRows)));
  const int64_t wanted = kTasksPerThread * count_threads(ex.pool);
  const int64_t smallest = ceil_div64(kTaskMacs, task_rows * kLanes * max64(1, a.w.cols));
  int64_t task_panels = max64(ceil_div64(num_panels * row_tasks, wanted), smallest);
  task_panels = ceil_div64(min64(task_panels, max64(kTaskPanels, smallest)), group) * group;
  const int64_t panel_tasks = ceil_div64(num_panels, task_panels);
  for_tasks(ex.pool, row_tasks * panel_tasks, [&](int64_t task, int) {
    const int64_t row = task % row_tasks * task_rows, panel = task / row_tasks * task_panels;
    gemm_task<Tile>(a, row, min64(rows, row + task_rows),
                    {panel, min64(num_panels, panel + task_panels), 0, 0});
  });
}

/// The accumulators of a tile: what earlier columns left, or zero.
template <int kRows, int kPanels>
TERN_INLINE void load_sums(const Gemm::Args& a, int64_t row, int64_t panel, bool first,
                           Vec (&acc)[kRows][kPanels]) {
#pragma GCC unroll 8
  for (int p = 0; p < kPanels; ++p) {
    const int64_t col = (panel + p) * kLanes, n = min64(kLanes, a.w.rows - col);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
      acc[r][p] = first ? zero() : load_first(a.y.row(row + r) + col, n);
  }
}

/// The accumulators go where they belong; the last columns' with the bias.
template <int kRows, int kPanels>
TERN_INLINE void store_sums(const Gemm::Args& a, int64_t row, int64_t panel, bool last,
                            const Vec (&acc)[kRows][kPanels]) {
  const bool add_bias = a.bias != nullptr && last;
#pragma GCC unroll 8
  for (int p = 0; p < kPanels; ++p) {
    const int64_t col = (panel + p) * kLanes, n = min64(kLanes, a.w.rows - col);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Vec sum = add_bias ? acc[r][p] + load_first(a.bias + col, n) : acc[r][p];
      store_first(a.y.row(row + r) + col, sum, n);
    }
  }
}

}  // namespace
}  // namespace tern
