// silu_mul, add, embed: one output from one place of each input.

namespace tern {
namespace {

// silu(v) = v sigmoid(v), with e^-|v| so that nothing overflows: 1 / (1 + e) or e / (1 + e).
TERN_INLINE Vec silu(Vec v) {
  const Vec e = exp(min(v, negate(v)));
  const Vec one = broadcast(1.0f);
  return v * (select_negative(v, e, one) / (one + e));
}

void silu_mul(const SiluMul::Args& a, const Exec& ex) {
  for_rows(ex, a.y.rows, 4 * a.y.cols, [&](int64_t t) {
    for (int64_t i = 0; i < a.y.cols; i += kLanes) {
      const int64_t n = min64(kLanes, a.y.cols - i);
      const Vec gate = load_first(a.gate.row(t) + i, n);
      store_first(a.y.row(t) + i, silu(gate) * load_first(a.up.row(t) + i, n), n);
    }
  });
}

void add(const Add::Args& a, const Exec& ex) {
  const Vec scale = broadcast(a.scale);
  for_rows(ex, a.y.rows, a.y.cols, [&](int64_t t) {
    for (int64_t i = 0; i < a.y.cols; i += kLanes) {
      const int64_t n = min64(kLanes, a.y.cols - i);
      float* y = a.y.row(t) + i;
      store_first(y, fma(scale, load_first(a.x.row(t) + i, n), load_first(y, n)), n);
    }
  });
}

// A tail is copied to where a whole vector may be read.
template <class T>
TERN_INLINE Vec load_table(const T* p, int64_t n) {
  if (n == kLanes) return load(p);
  T lanes[kLanes] = {};
  for (int64_t i = 0; i < n; ++i) lanes[i] = p[i];
  return load(lanes);
}

template <class T>
void embed_from(const Embed::Args& a, const Exec& ex) {
  const T* table = static_cast<const T*>(a.table.data);
  const Vec scale = broadcast(a.scale);
  for_rows(ex, a.y.rows, a.y.cols, [&](int64_t t) {
    const T* source = table + a.token_ids[t] * a.y.cols;
    for (int64_t i = 0; i < a.y.cols; i += kLanes) {
      const int64_t n = min64(kLanes, a.y.cols - i);
      store_first(a.y.row(t) + i, scale * load_table(source + i, n), n);
    }
  });
}

void embed(const Embed::Args& a, const Exec& ex) {
  switch (a.table.dtype) {
    case DType::kBf16:
      return embed_from<Bf16>(a, ex);
    case DType::kF16:
      return embed_from<F16>(a, ex);
    default:
      return embed_from<float>(a, ex);
  }
}

}  // namespace
}  // namespace tern
