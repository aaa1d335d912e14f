// gated_activation, softcap, add: one output from one place of each input.

namespace tern {
namespace {

// 1 / (1 + e^-v), from e^-|v| so that nothing overflows.
TERN_INLINE Vec sigmoid(Vec v) {
  const Vec e = exp(min(v, negate(v)));
  const Vec one = broadcast(1.0f);
  return select_negative(v, e, one) / (one + e);
}

TERN_INLINE Vec silu(Vec v) {
  return v * sigmoid(v);
}

// v sigmoid(2 u); where v³ overflows the sigmoid is 0 or 1.
TERN_INLINE Vec gelu_tanh(Vec v) {
  const Vec twice_u = v * fma(v * v, broadcast(0.0713548163f), broadcast(1.5957691216f));
  return v * sigmoid(twice_u);
}

template <class Activate>
void activate_rows(const GatedActivation::Args& a, const Exec& ex, const Activate& activate) {
  for_rows(ex, a.y.rows, 4 * a.y.cols, [&](int64_t t) {
    for (int64_t i = 0; i < a.y.cols; i += kLanes) {
      const int64_t n = min64(kLanes, a.y.cols - i);
      const Vec gate = load_first(a.gate.row(t) + i, n);
      store_first(a.y.row(t) + i, activate(gate) * load_first(a.up.row(t) + i, n), n);
    }
  });
}

void gated_activation(const GatedActivation::Args& a, const Exec& ex) {
  switch (a.activation) {
    case Activation::kSilu:
      return activate_rows(a, ex, [](Vec v) { return silu(v); });
    case Activation::kGeluTanh:
      return activate_rows(a, ex, [](Vec v) { return gelu_tanh(v); });
  }
}

void softcap(const Softcap::Args& a, const Exec& ex) {
  const Vec cap = broadcast(a.cap), inv_cap = broadcast(1.0f / a.cap);
  for_rows(ex, a.x.rows, 4 * a.x.cols, [&](int64_t t) {
    for (int64_t i = 0; i < a.x.cols; i += kLanes) {
      const int64_t n = min64(kLanes, a.x.cols - i);
      float* x = a.x.row(t) + i;
      store_first(x, cap * tanh(load_first(x, n) * inv_cap), n);
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

}  // namespace
}  // namespace tern
