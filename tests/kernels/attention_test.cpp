#include <catch2/catch.hpp>
#include <numeric>

#include "kernels/formats/kv_panels.h"
#include "tests/kernels/kernel_test.h"

using namespace tern;

namespace {

struct Model {
  int64_t num_heads, num_kv_heads, head_dim;
  int64_t window = 0;
  float softcap = 0;
  bool is_bidirectional = false;  // rows see what stands behind them, too

  int64_t q_cols() const { return num_heads * head_dim; }
  int64_t kv_cols() const { return num_kv_heads * head_dim; }
};

/// Positions [begin, end) of sequence `id` are this step's rows.
struct Chunk {
  uint64_t id;
  int64_t begin, end;
};

/// A step over paged keys and values. What a sequence holds at a position depends on (id, position)
/// alone; every slot that no position up to a chunk's end uses is NaN.
class Step {
 public:
  Step(Model m, std::vector<Chunk> chunks, int64_t block_size, int64_t table_seed,
       Values values = Values::kOutliers)
      : model_(m),
        chunks_(std::move(chunks)),
        block_size_(block_size),
        num_blocks_(count_blocks()),
        keys_(num_blocks_ * block_size * m.kv_cols()),
        values_(num_blocks_ * block_size * m.kv_cols()),
        block_table_(int64_t(chunks_.size()) * most_blocks_),
        cu_seqlens_(int64_t(chunks_.size()) + 1),
        visible_end_(count_rows()),
        q_(count_rows(), m.q_cols(), 3) {
    fill_block_table(table_seed);
    for (size_t s = 0; s < chunks_.size(); ++s) store(s, values);
  }

  Step(const Step&) = delete;

  Attention::Args args() const {
    return {
        .q = q_.read(),
        .kv = layer(),
        .num_heads = model_.num_heads,
        .scale = 1 / std::sqrt(float(model_.head_dim)),
        .softcap = model_.softcap,
        .window = model_.window,
        .num_seqs = int64_t(chunks_.size()),
        .cu_seqlens_q = cu_seqlens_.data(),
        .visible_end = visible_end_.data(),
        .block_table = {block_table_.data(), int64_t(chunks_.size()), most_blocks_, most_blocks_}};
  }

  /// The outputs; also checks that nothing was written out of place.
  GuardMatrix run(const TestedKernel<Attention>& k, ThreadPool* pool = nullptr) const {
    Attention::Args a = args();
    GuardMatrix y(a.q.rows, a.q.cols, 5);
    a.y = y.view();
    k.run(a, on_pool(pool));
    REQUIRE(y.intact());
    return y;
  }

  const std::vector<Chunk>& chunks() const { return chunks_; }

  /// Largest |v| of KV head `kv_head` that the last row of sequence `s` sees.
  double largest_value(int64_t s, int64_t kv_head) const {
    double largest = 0;
    for (int64_t p = 0; p < chunks_[s].end; ++p)
      for (int64_t d = 0; d < model_.head_dim; ++d)
        largest = std::max<double>(largest, std::abs(kv().value(slot(s, p), kv_head)[d]));
    return largest;
  }

  /// Overwrites one position, as a later token would.
  void overwrite(int64_t s, int64_t position, float key, float value) {
    for (int64_t head = 0; head < model_.num_kv_heads; ++head)
      for (int64_t d = 0; d < model_.head_dim; ++d) {
        kv().key(slot(s, position), head)[d * kKvLanes] = key;
        kv().value(slot(s, position), head)[d] = value;
      }
  }
  void set_queries(float value) {
    for (int64_t r = 0; r < q_.view().rows; ++r)
      std::fill_n(q_.view().row(r), q_.view().cols, value);
  }

 private:
  int64_t longest() const {
    int64_t n = 0;
    for (const Chunk& c : chunks_) n = std::max(n, c.end);
    return n;
  }
  int64_t count_rows() const {
    int64_t n = 0;
    for (const Chunk& c : chunks_) n += c.end - c.begin;
    return n;
  }
  int64_t count_blocks() {
    int64_t n = 1;  // one that nobody uses
    for (const Chunk& c : chunks_) n += ceil_div(c.end, block_size_);
    most_blocks_ = ceil_div(longest(), block_size_) + 1;
    return n;
  }
  KvLayerView layer() const {
    return {.format = &kKvPanels,
            .keys = reinterpret_cast<std::byte*>(keys_.data()),
            .values = reinterpret_cast<std::byte*>(values_.data()),
            .num_blocks = num_blocks_,
            .block_size = block_size_,
            .num_kv_heads = model_.num_kv_heads,
            .head_dim = model_.head_dim};
  }
  KvPanels kv() const { return KvPanels::of(layer()); }
  int64_t slot(int64_t s, int64_t p) const {
    return block_table_[s * most_blocks_ + p / block_size_] * block_size_ + p % block_size_;
  }

  void fill_block_table(int64_t seed) {
    std::vector<int32_t> ids(num_blocks_);
    std::iota(ids.begin(), ids.end(), 0);
    for (size_t i = ids.size(); i > 1; --i)
      std::swap(ids[i - 1], ids[random_bits(seed, RngStream::kTest, i) % i]);
    for (size_t s = 0; s < chunks_.size(); ++s)
      for (int64_t b = 0; b < most_blocks_; ++b) {
        const bool used = b * block_size_ < chunks_[s].end;
        block_table_[s * most_blocks_ + b] = used ? ids.back() : -1000000;
        if (used) ids.pop_back();
      }
  }

  void store(int64_t s, Values values) {
    const Chunk& c = chunks_[s];
    cu_seqlens_[0] = 0;
    cu_seqlens_[s + 1] = cu_seqlens_[s] + int32_t(c.end - c.begin);
    for (int64_t p = 0; p < c.end; ++p)
      for (int64_t head = 0; head < model_.num_kv_heads; ++head)
        for (int64_t d = 0; d < model_.head_dim; ++d) {
          const uint64_t i = p * model_.kv_cols() + head * model_.head_dim + d;
          kv().key(slot(s, p), head)[d * kKvLanes] = random_value(values, 100 + c.id, i);
          kv().value(slot(s, p), head)[d] = random_value(values, 200 + c.id, i);
        }
    for (int64_t p = c.begin; p < c.end; ++p)
      visible_end_[cu_seqlens_[s] + p - c.begin] = int32_t(model_.is_bidirectional ? c.end : p + 1);
    for (int64_t p = c.begin; p < c.end; ++p)
      for (int64_t i = 0; i < model_.q_cols(); ++i)
        q_.view().row(cu_seqlens_[s] + p - c.begin)[i] =
            random_value(values, 300 + c.id, p * model_.q_cols() + i);
  }

  Model model_;
  std::vector<Chunk> chunks_;
  int64_t block_size_, most_blocks_ = 0, num_blocks_;
  GuardBuffer<float> keys_, values_;
  GuardBuffer<int32_t> block_table_, cu_seqlens_, visible_end_;
  GuardMatrix q_;
};

void check_parity(const Model& m, const Step& step) {
  Attention::Args a = step.args();
  GuardMatrix expected(a.q.rows, a.q.cols);
  a.y = expected.view();
  attention_ref(a, {});
  std::vector<double> limit;  // [rows, num_heads]
  for (size_t s = 0; s < step.chunks().size(); ++s)
    for (int64_t p = step.chunks()[s].begin; p < step.chunks()[s].end; ++p)
      for (int64_t h = 0; h < m.num_heads; ++h)
        limit.push_back((Attention::kTolerance + Attention::kSoftcapTolerance * m.softcap) *
                        step.largest_value(s, h / (m.num_heads / m.num_kv_heads)));
  for (const TestedKernel<Attention>& k : tested_kernels(kernels().attention)) {
    CAPTURE(k.name, m.num_heads, m.num_kv_heads, m.head_dim, m.window, m.softcap, a.q.rows,
            a.kv.block_size);
    const GuardMatrix y = step.run(k);
    REQUIRE(first_error(y.read(), expected.read(), [&](int64_t r, int64_t c) {
              return limit[r * m.num_heads + c / m.head_dim];
            }) == "");
  }
}

/// Rows of all positions of sequence `id`, each computed alone: what any other way must reproduce.
GuardMatrix decode_alone(const TestedKernel<Attention>& k, const Model& m, uint64_t id,
                         int64_t length) {
  GuardMatrix all(length, m.q_cols());
  for (int64_t p = 0; p < length; ++p) {
    const Step step(m, {{id, p, p + 1}}, 16, 1);
    const GuardMatrix y = step.run(k);
    std::copy_n(y.read().row(0), m.q_cols(), all.view().row(p));
  }
  return all;
}

/// Where a step's rows differ from those of `alone` (by sequence id).
std::string difference(const Step& step, const GuardMatrix& y,
                       const std::vector<GuardMatrix>& alone) {
  int64_t row = 0;
  for (const Chunk& c : step.chunks()) {
    MatView<const float> got = y.read(), want = alone[c.id].read();
    got.rows = want.rows = c.end - c.begin;
    got.data = got.row(row), want.data = want.row(c.begin);
    if (std::string error = first_difference(got, want); !error.empty())
      return "sequence " + std::to_string(c.id) + " from " + std::to_string(c.begin) + ": " + error;
    row += c.end - c.begin;
  }
  return "";
}

const std::vector<Model> kModels{
    {1, 1, 1},         {2, 2, 15},        {3, 1, 16},       {4, 2, 17},     {6, 2, 64},
    {8, 1, 33},        {9, 1, 48},        {5, 5, 80},       {2, 1, 128},    {12, 3, 100},
    {4, 2, 16, 1},     {4, 1, 33, 8},     {2, 2, 64, 16},   {6, 2, 17, 37}, {4, 2, 33, 0, 5},
    {3, 1, 16, 0, 50}, {6, 2, 17, 19, 2}, {4, 1, 64, 8, 50}};

}  // namespace

TEST_CASE("every attention kernel agrees with the reference", "[attention]") {
  for (const Model& m : kModels)
    for (const int64_t block_size : {16, 32, 64}) {
      check_parity(m, Step(m, {}, block_size, 1));
      check_parity(m, Step(m, {{0, 0, 1}}, block_size, 1));
      check_parity(m, Step(m, {{0, 0, 15}, {1, 15, 16}, {2, 5, 5}, {3, 16, 17}}, block_size, 2));
      check_parity(m, Step(m, {{0, 120, 131}, {1, 0, 33}, {2, 576, 577}}, block_size, 3));
    }
}

TEST_CASE("rows may see what stands behind them", "[attention]") {
  for (Model m : {Model{2, 1, 16}, Model{6, 2, 64}, Model{4, 2, 33, 9}, Model{2, 2, 40, 0, 5}}) {
    m.is_bidirectional = true;
    check_parity(m, Step(m, {{0, 0, 1}, {1, 0, 37}, {2, 16, 48}}, 16, 1));
    // All rows of a sequence see the same: equal queries have equal outputs.
    Step step(m, {{0, 0, 37}}, 16, 1);
    step.set_queries(0.25f);
    for (const TestedKernel<Attention>& k : tested_kernels(kernels().attention)) {
      const GuardMatrix y = step.run(k);
      CAPTURE(k.name, m.head_dim);
      for (int64_t r = 1; r < 37; ++r)
        REQUIRE(std::equal(y.read().row(r), y.read().row(r) + m.q_cols(), y.read().row(0)));
    }
  }
}

TEST_CASE("attention kernels agree with the reference in long contexts", "[attention]") {
  const Model m =
      GENERATE(Model{2, 2, 64}, Model{12, 1, 40}, Model{4, 1, 40, 0, 50}, Model{2, 2, 64, 700, 5});
  check_parity(m, Step(m, {{0, 1290, 1303}, {1, 1023, 1024}}, 32, 1, Values::kPlain));
}

TEST_CASE("attention kernels take tiny and large values", "[attention]") {
  const Model m{4, 2, 40};
  for (const Values values : {Values::kTiny, Values::kPlain})
    check_parity(m, Step(m, {{0, 0, 40}, {1, 99, 100}}, 16, 1, values));
}

TEST_CASE("an attention row has the same bits in any chunk, batch, block table and on any threads",
          "[attention][EC-18]") {
  const Model m = kModels[GENERATE(1, 3, 4, 6, 8, 10, 11, 12, 13, 14, 16, 17)];
  const int64_t length = 70;
  const std::vector<std::vector<Chunk>> steps{
      {{0, 0, 70}},
      {{0, 0, 1}, {1, 0, 70}, {2, 69, 70}},
      {{1, 1, 17}, {0, 17, 33}, {2, 30, 70}},
      {{2, 0, 3}, {2, 3, 10}, {0, 64, 65}, {1, 10, 63}},
      {{0, 33, 69}, {1, 5, 5}, {1, 15, 16}, {2, 16, 17}, {0, 31, 32}}};
  for (const TestedKernel<Attention>& k : tested_kernels(kernels().attention)) {
    std::vector<GuardMatrix> alone;
    for (uint64_t id : {0, 1, 2}) alone.push_back(decode_alone(k, m, id, length));
    for (size_t i = 0; i < steps.size(); ++i)
      for (const int64_t block_size : {16, 32, 64})
        for (ThreadPool* pool :
             {static_cast<ThreadPool*>(nullptr), pools()[0].get(), pools()[1].get()}) {
          CAPTURE(k.name, m.head_dim, i, block_size, num_threads(pool));
          const Step step(m, steps[i], block_size, int64_t(i) + block_size);
          REQUIRE(difference(step, step.run(k, pool), alone) == "");
        }
  }
}

TEST_CASE("an attention row has the same bits in long contexts", "[attention]") {
  const Model m{4, 2, 64};
  const int64_t length = 700;
  for (const TestedKernel<Attention>& k : tested_kernels(kernels().attention)) {
    const Step whole(m, {{0, 0, length}}, 32, 1);
    const GuardMatrix y = whole.run(k);
    for (const int64_t position : {127, 128, 129, 255, 256, 400, 639, 640, 699})
      for (const auto& pool : pools()) {
        CAPTURE(k.name, position, pool->num_threads());
        const Step step(m, {{1, 3, 9}, {0, position, position + 1}}, 64, position);
        const GuardMatrix z = step.run(k, pool.get());
        MatView<const float> got = z.read(), want = y.read();
        got.rows = want.rows = 1;
        got.data = got.row(6), want.data = want.row(position);
        REQUIRE(first_difference(got, want) == "");
      }
  }
}

TEST_CASE("what later positions hold never reaches an earlier row", "[attention]") {
  const Model m =
      GENERATE(Model{1, 1, 16}, Model{2, 2, 33}, Model{6, 2, 64}, Model{6, 2, 64, 0, 4});
  const float poison = GENERATE(NAN, INFINITY, -INFINITY, 3e38f);
  for (const TestedKernel<Attention>& k : tested_kernels(kernels().attention)) {
    Step step(m, {{0, 0, 37}}, 16, 1);
    const GuardMatrix clean = step.run(k);
    for (const int64_t first : {36, 33, 32, 20, 1}) {
      for (int64_t p = first; p < 37; ++p) step.overwrite(0, p, poison, poison);
      const GuardMatrix y = step.run(k);
      MatView<const float> got = y.read(), want = clean.read();
      got.rows = want.rows = first;
      CAPTURE(k.name, first, poison);
      REQUIRE(first_difference(got, want) == "");
    }
  }
}

TEST_CASE("what lies before the window never reaches a row", "[attention]") {
  const Model m =
      GENERATE(Model{2, 2, 33, 5}, Model{6, 2, 64, 16}, Model{4, 1, 16, 20}, Model{6, 2, 33, 9, 3});
  const float poison = GENERATE(NAN, INFINITY, -INFINITY, 3e38f);
  for (const TestedKernel<Attention>& k : tested_kernels(kernels().attention)) {
    Step step(m, {{0, 40, 67}}, 16, 1);
    const GuardMatrix clean = step.run(k);
    for (const int64_t end : {1, 16, 17, 30, 41 - int(m.window)}) {
      if (end > 41 - m.window) continue;  // the first row sees it
      for (int64_t p = 0; p < end; ++p) step.overwrite(0, p, poison, poison);
      CAPTURE(k.name, m.window, end, poison);
      REQUIRE(first_difference(step.run(k).read(), clean.read()) == "");
    }
  }
}

TEST_CASE("attention keeps the sign of an underflow in every chunk", "[attention]") {
  // In row 3 the weights of positions 1 to 3 are so small that their products underflow to -0.
  // Adding 0 times the positive values of positions 4 to 7, which share its tile, would make that
  // +0.
  const Model m{1, 1, 16};
  const auto run = [&](const TestedKernel<Attention>& k, Chunk chunk) {
    Step step(m, {chunk}, 16, 1);
    step.set_queries(1);
    for (int64_t p = 0; p < chunk.end; ++p)
      step.overwrite(0, p, p == 0 ? 1.0f : -1.0f, p == 0 ? 0.0f : p <= 3 ? -1e-45f : 1.0f);
    return step.run(k);
  };
  for (const TestedKernel<Attention>& k : tested_kernels(kernels().attention)) {
    if (!has_fma(k)) continue;  // a product that is rounded by itself leaves +0 when added to +0
    const GuardMatrix y = run(k, {0, 0, 8}), z = run(k, {0, 3, 4});
    CAPTURE(k.name);
    REQUIRE(std::bit_cast<uint32_t>(z.read().row(0)[0]) == 0x80000000u);
    MatView<const float> got = y.read();
    got.rows = 1, got.data = got.row(3);
    REQUIRE(first_difference(got, z.read()) == "");
  }
}

TEST_CASE("attention kernels with fma agree in every bit", "[attention][EC-20]") {
  for (const Model& m : kModels) {
    const Step step(m, {{0, 0, 40}, {1, 300, 301}, {2, 47, 50}}, 16, 1);
    std::vector<GuardMatrix> first;
    for (const TestedKernel<Attention>& k : tested_kernels(kernels().attention)) {
      if (!has_fma(k)) continue;
      GuardMatrix y = step.run(k);
      CAPTURE(k.name, m.head_dim);
      if (!first.empty()) REQUIRE(first_difference(y.read(), first[0].read()) == "");
      first.push_back(std::move(y));
    }
  }
}

TEST_CASE("a softcap bounds the scores", "[attention]") {
  // Scores of 4096 and 0 would leave the second position no weight; capped to 2 it keeps e^-2 of
  // the first one's.
  for (const TestedKernel<Attention>& k : tested_kernels(kernels().attention)) {
    Step step({1, 1, 16, 0, 2}, {{0, 1, 2}}, 16, 1);
    step.set_queries(64);
    step.overwrite(0, 0, 16, 1);
    step.overwrite(0, 1, 0, 0);
    CAPTURE(k.name);
    CHECK(step.run(k).read().row(0)[0] == Approx(1 / (1 + std::exp(-2.0))));
  }
}
