// Attention over paged keys and values: all scores of a query, then its softmax, then the
// sum of values. Queries that read the same KV head are taken together, so that each key and value
// is loaded once for several of them; every query's own arithmetic is the same in any company.

#include "kernels/formats/kv_panels.h"

namespace tern {
namespace {

static_assert(kLanes == kKvLanes);

/// Queries (a row's heads, then the next row's) that a thread takes together, to load each key and
/// value once for all of them.
constexpr int64_t kQueryTile = 8;

constexpr int kMaxQueries = 4;  // that share the loads of a tile

/// One KV head of one sequence, by absolute position.
struct KvSequence {
  const KvPanels& kv;
  const int32_t* block_table;
  int64_t kv_head;

  /// [head_dim][kKvLanes]: the keys of positions [16 group, 16 group + 16).
  const float* keys(int64_t group) const {
    const int64_t groups = kv.block_size / kKvLanes;
    return kv.keys + block_table[group / groups] * kv.block_stride() + kv_head * kv.head_stride() +
           group % groups * kKvLanes * kv.head_dim;
  }
  /// [block_size][head_dim]: the values of block `index`.
  const float* values(int64_t index) const {
    return kv.values + block_table[index] * kv.block_stride() + kv_head * kv.head_stride();
  }
};

/// A query head of a row.
struct Query {
  const float* q;  // [head_dim]
  float* weights;  // [positions, up to whole groups]: first scores, then weights
  float* y;        // [head_dim]
  int64_t begin;   // positions [begin, length) are those that it sees
  int64_t length;
  float inv_sum;
};

/// Scores of the positions of groups [group, group + kGroups).
template <int kQueries, int kGroups>
void score_tile(const KvSequence& s, const Query* queries, float scale, int64_t group) {
  const float* keys[kGroups];
  for (int g = 0; g < kGroups; ++g) keys[g] = s.keys(group + g);
  Vec acc[kQueries][kGroups];
#pragma GCC unroll 8
  for (int i = 0; i < kQueries; ++i)
#pragma GCC unroll 8
    for (int g = 0; g < kGroups; ++g) acc[i][g] = zero();
  for (int64_t d = 0; d < s.kv.head_dim; ++d) {
    Vec key[kGroups];
#pragma GCC unroll 8
    for (int g = 0; g < kGroups; ++g) key[g] = load(keys[g] + d * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kQueries; ++i) {
      const Vec qd = broadcast(queries[i].q[d]);
#pragma GCC unroll 8
      for (int g = 0; g < kGroups; ++g) acc[i][g] = fma(qd, key[g], acc[i][g]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kQueries; ++i)
#pragma GCC unroll 8
    for (int g = 0; g < kGroups; ++g)
      store(queries[i].weights + (group + g) * kLanes, acc[i][g] * broadcast(scale));
}

template <int kQueries, int kGroups = tile_vecs(kQueries)>
void scores(const KvSequence& s, const Query* queries, float scale, int64_t begin, int64_t end) {
  for (; begin + kGroups <= end; begin += kGroups)
    score_tile<kQueries, kGroups>(s, queries, scale, begin);
  if constexpr (kGroups > 1) scores<kQueries, kGroups / 2>(s, queries, scale, begin, end);
}

/// Scores of positions [p, p + 16), `outside` for those that the query does not see: what lies
/// behind `length` was never written.
TERN_INLINE Vec seen_scores(const Query& query, int64_t p, Vec outside) {
  const int64_t n = min64(kLanes, query.length - p);
  Vec v = load_first(query.weights + p, n);
  if (n < kLanes) v = select_first(n, v, outside);
  return p < query.begin ? select_first(query.begin - p, outside, v) : v;
}

/// The scores that the query sees become cap tanh(score / cap); those beside them in its groups may
/// become anything.
void softcap_scores(const Query& query, float softcap) {
  const Vec cap = broadcast(softcap), inv_cap = broadcast(1.0f / softcap);
  for (int64_t p = query.begin / kLanes * kLanes; p < query.length; p += kLanes)
    store(query.weights + p, cap * tanh(load(query.weights + p) * inv_cap));
}

/// weights <- e^(score - max). The sum runs in 16 chains over absolute positions, then over a fixed
/// tree; positions that are not seen count exactly 0.
void softmax(Query& query) {
  const int64_t first = query.begin / kLanes * kLanes;
  const Vec lowest = broadcast(-__builtin_inff());
  Vec highest = lowest;
  for (int64_t p = first; p < query.length; p += kLanes)
    highest = max(highest, seen_scores(query, p, lowest));
  const float maximum = reduce_max(highest);

  Vec sum = zero();
  for (int64_t p = first; p < query.length; p += kLanes) {
    const int64_t n = min64(kLanes, query.length - p);
    // Unseen lanes take the maximum itself: e^0, finite, and replaced at once.
    const Vec w = exp(seen_scores(query, p, broadcast(maximum)) - broadcast(maximum));
    store_first(query.weights + p, w, n);
    Vec counted = n < kLanes ? select_first(n, w, zero()) : w;
    if (p < query.begin) counted = select_first(query.begin - p, zero(), counted);
    sum = sum + counted;
  }
  query.inv_sum = 1.0f / reduce_add(sum);
}

/// y[d, …) += sum of weight times value over positions [begin, end), one chain an output, for the
/// kVecs Vecs from dimension d on; the last of them may reach beyond head_dim.
template <int kQueries, int kVecs>
void value_tile(const KvSequence& s, const Query* queries, int64_t d, int64_t begin, int64_t end) {
  const int64_t head_dim = s.kv.head_dim, block_size = s.kv.block_size;
  const int64_t last = min64(kLanes, head_dim - d - (kVecs - 1) * kLanes);
  Vec acc[kQueries][kVecs];
#pragma GCC unroll 8
  for (int i = 0; i < kQueries; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v)
      acc[i][v] = load_first(queries[i].y + d + v * kLanes, v == kVecs - 1 ? last : kLanes);
  while (begin < end) {
    const int64_t block = begin / block_size, stop = min64(end, (block + 1) * block_size);
    const float* values = s.values(block) + begin % block_size * head_dim + d;
    for (; begin < stop; ++begin, values += head_dim) {
      Vec value[kVecs];
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v)
        value[v] =
            v == kVecs - 1 ? load_first(values + v * kLanes, last) : load(values + v * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kQueries; ++i) {
        const Vec weight = broadcast(queries[i].weights[begin]);
#pragma GCC unroll 8
        for (int v = 0; v < kVecs; ++v) acc[i][v] = fma(weight, value[v], acc[i][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kQueries; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v)
      store_first(queries[i].y + d + v * kLanes, acc[i][v], v == kVecs - 1 ? last : kLanes);
}

template <int kQueries, int kVecs = tile_vecs(kQueries)>
void values(const KvSequence& s, const Query* queries, int64_t d, int64_t begin, int64_t end) {
  for (; d + (kVecs - 1) * kLanes < s.kv.head_dim; d += kVecs * kLanes)
    value_tile<kQueries, kVecs>(s, queries, d, begin, end);
  if constexpr (kVecs > 1) values<kQueries, kVecs / 2>(s, queries, d, begin, end);
}

/// f.operator()<n>(first): runs over `count` queries in tiles of 4, 2 and 1.
template <int kQueries = kMaxQueries, class F>
TERN_INLINE void for_query_tiles(int64_t first, int64_t count, const F& f) {
  for (; count >= kQueries; first += kQueries, count -= kQueries)
    f.template operator()<kQueries>(first);
  if constexpr (kQueries > 1) for_query_tiles<kQueries / 2>(first, count, f);
}

/// Positions that all query tiles of a task visit before any goes on: their keys and values then
/// come from the nearest cache.
constexpr int64_t kChunkGroups = 8, kChunk = kChunkGroups * kKvLanes;

/// The queries of one task, in ascending order of what they see, from scores to outputs.
void attend(const Attention::Args& a, const KvSequence& s, Query* queries, int64_t count) {
  const int64_t first_group = queries[0].begin / kLanes;
  const int64_t num_groups = ceil_div64(queries[count - 1].length, kLanes);
  for (int64_t group = first_group; group < num_groups; group += kChunkGroups)
    for_query_tiles(0, count, [&]<int n>(int64_t i) {
      scores<n>(s, queries + i, a.scale, group, min64(num_groups, group + kChunkGroups));
    });
  for (int64_t i = 0; i < count; ++i) {
    if (a.softcap > 0) softcap_scores(queries[i], a.softcap);
    softmax(queries[i]);
  }

  // What all see lies in [shared, shortest); before it and behind it each goes alone. A weight of
  // zero would not do for what is not seen: it turns -0 to +0, and infinity to NaN.
  const int64_t shortest = queries[0].length;
  const int64_t shared = min64(queries[count - 1].begin, shortest);
  for (int64_t i = 0; i < count; ++i)
    if (queries[i].begin < shared) values<1>(s, queries + i, 0, queries[i].begin, shared);
  for (int64_t p = shared; p < shortest; p += kChunk)
    for_query_tiles(0, count, [&]<int n>(int64_t i) {
      values<n>(s, queries + i, 0, p, min64(shortest, p + kChunk));
    });
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = shortest > queries[i].begin ? shortest : queries[i].begin;
    if (begin < queries[i].length) values<1>(s, queries + i, 0, begin, queries[i].length);
  }
}

/// Queries of one KV head of one sequence, in the order (row, head of the group).
struct AttentionTask {
  int64_t seq, kv_head, first_query, count;
};

int64_t num_query_tiles(const Attention::Args& a, int64_t seq) {
  const int64_t rows = a.cu_seqlens_q[seq + 1] - a.cu_seqlens_q[seq];
  return ceil_div64(rows * (a.num_heads / a.kv.num_kv_heads), kQueryTile);
}

AttentionTask find_task(const Attention::Args& a, int64_t index) {
  AttentionTask task{};
  int64_t tiles = num_query_tiles(a, 0);
  for (; index >= tiles * a.kv.num_kv_heads; tiles = num_query_tiles(a, task.seq)) {
    index -= tiles * a.kv.num_kv_heads;
    ++task.seq;
  }
  const int64_t rows = a.cu_seqlens_q[task.seq + 1] - a.cu_seqlens_q[task.seq];
  task.kv_head = index / tiles;
  task.first_query = index % tiles * kQueryTile;
  task.count =
      min64(kQueryTile, rows * (a.num_heads / a.kv.num_kv_heads) - task.first_query);
  return task;
}

void run_task(const Attention::Args& a, const AttentionTask& task, float* scratch) {
  const int64_t group = a.num_heads / a.kv.num_kv_heads, head_dim = a.kv.head_dim;
  const int64_t first_row = a.cu_seqlens_q[task.seq], end_row = a.cu_seqlens_q[task.seq + 1];
  const int64_t most = a.visible_end[end_row - 1];  // that a row of the sequence sees
  const KvPanels kv = KvPanels::of(a.kv);
  Query queries[kQueryTile];
  for (int64_t i = 0; i < task.count; ++i) {
    const int64_t index = task.first_query + i, row = first_row + index / group;
    const int64_t head = task.kv_head * group + index % group;
    queries[i] = {.q = a.q.row(row) + head * head_dim,
                  .weights = scratch + i * (ceil_div64(most, kLanes) * kLanes),
                  .y = a.y.row(row) + head * head_dim,
                  .begin = 0,
                  .length = a.visible_end[row],
                  .inv_sum = 0};
    if (a.window > 0 && a.window < queries[i].length)
      queries[i].begin = queries[i].length - a.window;
    for (int64_t d = 0; d < head_dim; ++d) queries[i].y[d] = 0;
  }
  attend(a, {kv, a.block_table.row(task.seq), task.kv_head}, queries, task.count);
  for (int64_t i = 0; i < task.count; ++i)
    for (int64_t d = 0; d < head_dim; ++d) queries[i].y[d] *= queries[i].inv_sum;
}

/// Floats of a thread's scratch: the scores of a query tile.
int64_t scratch_floats(const Attention::Args& a) {
  return kQueryTile * ceil_div64(a.max_context_len(), kLanes) * kLanes;
}

size_t attention_scratch_bytes(const Attention::Args& a, const Exec& ex) {
  const int threads = ex.dry_run_threads > 0 ? ex.dry_run_threads : count_threads(ex.pool);
  return size_t(threads * scratch_floats(a)) * sizeof(float);
}

void attention(const Attention::Args& a, const Exec& ex) {
  constexpr int64_t kTaskMacs = 1 << 15;  // less is done before a worker wakes up
  int64_t num_tasks = 0, macs = 0;
  for (int64_t s = 0; s < a.num_seqs; ++s) {
    const int64_t rows = a.cu_seqlens_q[s + 1] - a.cu_seqlens_q[s];
    num_tasks += num_query_tiles(a, s) * a.kv.num_kv_heads;
    macs += rows * a.visible_end[a.cu_seqlens_q[s + 1] - 1] * a.num_heads * a.kv.head_dim;
  }
  float* scratch = reinterpret_cast<float*>(a.scratch);
  for_tasks(macs < kTaskMacs ? nullptr : ex.pool, num_tasks, [&](int64_t index, int thread) {
    run_task(a, find_task(a, index), scratch + thread * scratch_floats(a));
  });
}

}  // namespace
}  // namespace tern
