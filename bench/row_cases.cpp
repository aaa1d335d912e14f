// Operations on the rows of activations. Of their flops every function of the formula counts one.
#include <cmath>

#include "bench/kernel_cases.h"
#include "bench/memory.h"

namespace tern {
namespace {

constexpr int64_t kHidden = 2048, kIntermediate = 8192, kVocabulary = 32768;

/// Operands that stay where they are: all of them are read or written once a call.
template <class Op>
Result<Case<Op>> one_place(std::shared_ptr<CaseMemory> memory, const typename Op::Args& args,
                           double floats, double flops) {
  TERN_TRY(memory->status());
  Case<Op> c;
  c.args = {args};
  c.work = {.bytes = 4 * floats, .flops = flops, .footprint = size_t(4 * floats)};
  c.memory = std::move(memory);
  return c;
}

Result<Case<RmsNorm>> make_rmsnorm(const Format*, const Shape& s, CaseContext&) {
  auto memory = std::make_shared<CaseMemory>();
  const RmsNorm::Args a{.x = read_only(memory->random(s[0], s[1])),
                        .gain = memory->random(s[1]),
                        .width = s[1],
                        .y = memory->random(s[0], s[1])};
  const double count = double(s[0] * s[1]);
  return one_place<RmsNorm>(std::move(memory), a, 2 * count + double(s[1]), 4 * count);
}

Result<Case<Rope>> make_rope(const Format*, const Shape& s, CaseContext&) {
  const int64_t tokens = s[0], heads = s[1], head_dim = s[2];
  auto memory = std::make_shared<CaseMemory>();
  const MatView<float> x = memory->random(tokens, heads * head_dim);
  const MatView<float> cos_sin = memory->random(tokens, head_dim);
  int32_t* positions = memory->take<int32_t>(tokens);
  TERN_TRY(memory->status());
  for (int64_t t = 0; t < tokens; ++t) {
    positions[t] = int32_t(t);
    for (int64_t i = 0; i < head_dim / 2; ++i) {  // turned in place again and again: keep lengths
      const double angle = double(t) * std::pow(10000.0, -2.0 * double(i) / double(head_dim));
      cos_sin.row(t)[i] = float(std::cos(angle));
      cos_sin.row(t)[head_dim / 2 + i] = float(std::sin(angle));
    }
  }
  const Rope::Args a{
      .x = x, .positions = positions, .head_dim = head_dim, .cos_sin = read_only(cos_sin)};
  const double count = double(x.rows * x.cols);
  return one_place<Rope>(std::move(memory), a, 2 * count + double(tokens * head_dim), 3 * count);
}

Result<Case<GatedActivation>> make_gated_activation(const Format*, const Shape& s, CaseContext&) {
  auto memory = std::make_shared<CaseMemory>();
  const GatedActivation::Args a{.gate = read_only(memory->random(s[0], s[1])),
                                .up = read_only(memory->random(s[0], s[1])),
                                .y = memory->random(s[0], s[1])};
  const double count = double(s[0] * s[1]);  // silu: negate, exp, add, divide; then times up
  return one_place<GatedActivation>(std::move(memory), a, 3 * count, 5 * count);
}

Result<Case<Softcap>> make_softcap(const Format*, const Shape& s, CaseContext&) {
  auto memory = std::make_shared<CaseMemory>();
  const Softcap::Args a{.cap = 30, .x = memory->random(s[0], s[1])};
  const double count = double(s[0] * s[1]);
  return one_place<Softcap>(std::move(memory), a, 2 * count, 3 * count);
}

Result<Case<Add>> make_add(const Format*, const Shape& s, CaseContext&) {
  auto memory = std::make_shared<CaseMemory>();
  const Add::Args a{.x = read_only(memory->random(s[0], s[1])), .y = memory->random(s[0], s[1])};
  const double count = double(s[0] * s[1]);
  return one_place<Add>(std::move(memory), a, 3 * count, 2 * count);
}

struct EmbedMemory {
  CaseMemory arrays;
  std::unique_ptr<RowSource> table;
};

/// bf16 rows that lie far apart; the same ones every call, so that caches may hold them.
Result<Case<Embed>> make_embed(const Format*, const Shape& s, CaseContext&) {
  const int64_t tokens = s[0], hidden = s[1], vocabulary = 1024;
  auto memory = std::make_shared<EmbedMemory>();
  CaseMemory& arrays = memory->arrays;
  Bf16* rows = arrays.take<Bf16>(vocabulary * hidden);
  int32_t* ids = arrays.take<int32_t>(tokens);
  const MatView<float> y = arrays.random(tokens, hidden);
  TERN_TRY(arrays.status());
  for (int64_t i = 0; i < vocabulary * hidden; ++i) rows[i] = to_bf16(float(i % 251));
  for (int64_t t = 0; t < tokens; ++t) ids[t] = int32_t(t * 397 % vocabulary);
  memory->table = make_dense_rows({rows, DType::kBf16, 2, {vocabulary, hidden, 1, 1}});
  Case<Embed> c;
  c.args = {{.token_ids = ids, .table = source_rows(*memory->table), .y = y}};
  c.work.bytes = double(tokens * hidden) * (2 + 4);
  c.work.footprint = size_t(c.work.bytes);
  c.memory = std::move(memory);
  return c;
}

Result<Case<GatherRows>> make_gather_rows(const Format*, const Shape& s, CaseContext&) {
  auto memory = std::make_shared<CaseMemory>();
  int32_t* rows = memory->take<int32_t>(s[0]);
  const GatherRows::Args a{
      .x = read_only(memory->random(s[0], s[1])), .rows = rows, .y = memory->random(s[0], s[1])};
  TERN_TRY(memory->status());
  for (int64_t r = 0; r < s[0]; ++r) rows[r] = int32_t(s[0] - 1 - r);
  return one_place<GatherRows>(std::move(memory), a, 2 * double(s[0] * s[1]), 0);
}

Result<Case<GatherCols>> make_gather_cols(const Format*, const Shape& s, CaseContext&) {
  auto memory = std::make_shared<CaseMemory>();
  int32_t* cols = memory->take<int32_t>(s[1]);
  const GatherCols::Args a{
      .x = read_only(memory->random(s[0], s[1])), .cols = cols, .y = memory->random(s[0], s[1])};
  TERN_TRY(memory->status());
  for (int64_t k = 0; k < s[1]; ++k) cols[k] = int32_t(k * 397 % s[1]);
  return one_place<GatherCols>(std::move(memory), a, 2 * double(s[0] * s[1]), 0);
}

/// Tokens of one and of many sequences, and of a prompt.
std::vector<Shape> rows_of(const Shape& rest) {
  std::vector<Shape> shapes;
  for (const int64_t tokens : {1, 16, 128}) {
    shapes.push_back({tokens});
    shapes.back().insert(shapes.back().end(), rest.begin(), rest.end());
  }
  return shapes;
}

Status check_rope(const Shape& s) {
  return s[2] % 2 == 0 ? Status() : invalid_argument("D must be even");
}

}  // namespace

Cases<RmsNorm> cases_of(const KernelTable<RmsNorm>&) {
  return {.shape = "MxN", .default_shapes = rows_of({kHidden}), .make = make_rmsnorm};
}
Cases<Rope> cases_of(const KernelTable<Rope>&) {
  return {.shape = "MxHxD",
          .default_shapes = rows_of({32, 64}),
          .make = make_rope,
          .check = check_rope};
}
Cases<GatedActivation> cases_of(const KernelTable<GatedActivation>&) {
  return {
      .shape = "MxN", .default_shapes = rows_of({kIntermediate}), .make = make_gated_activation};
}
Cases<Softcap> cases_of(const KernelTable<Softcap>&) {
  return {.shape = "MxN",
          .default_shapes = {{1, kVocabulary}, {16, kVocabulary}},
          .make = make_softcap};
}
Cases<Add> cases_of(const KernelTable<Add>&) {
  return {.shape = "MxN", .default_shapes = rows_of({kHidden}), .make = make_add};
}
Cases<Embed> cases_of(const KernelTable<Embed>&) {
  return {.shape = "MxN", .default_shapes = rows_of({kHidden}), .make = make_embed};
}

Cases<GatherRows> cases_of(const KernelTable<GatherRows>&) {
  return {.shape = "MxN", .default_shapes = rows_of({kHidden}), .make = make_gather_rows};
}
Cases<GatherCols> cases_of(const KernelTable<GatherCols>&) {
  return {.shape = "MxN", .default_shapes = rows_of({kHidden}), .make = make_gather_cols};
}

}  // namespace tern
