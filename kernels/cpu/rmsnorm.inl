// y = x / sqrt(mean(x²) + eps) * gain.

namespace tern {
namespace {

void rmsnorm_group(const RmsNorm::Args& a, const float* x, float* y) {
  const int64_t cols = a.width;
  const int64_t whole = cols / kLanes * kLanes, tail = cols - whole;
  Vec squares = zero();
  for (int64_t i = 0; i < whole; i += kLanes) {
    const Vec v = load(x + i);
    squares = fma(v, v, squares);
  }
  const Vec last = load_first(x + whole, tail);
  squares = fma(last, last, squares);

  const float mean = reduce_add(squares) / static_cast<float>(cols);
  const Vec inv_rms = broadcast(1.0f / __builtin_sqrtf(mean + a.eps));
  for (int64_t i = 0; i < whole; i += kLanes)
    store(y + i, load(x + i) * inv_rms * load(a.gain + i));
  store_first(y + whole, last * inv_rms * load_first(a.gain + whole, tail), tail);
}

void rmsnorm(const RmsNorm::Args& a, const Exec& ex) {
  for_rows(ex, a.x.rows, 2 * a.x.cols, [&](int64_t t) {
    for (int64_t i = 0; i < a.x.cols; i += a.width)
      rmsnorm_group(a, a.x.row(t) + i, a.y.row(t) + i);
  });
}

}  // namespace
}  // namespace tern
