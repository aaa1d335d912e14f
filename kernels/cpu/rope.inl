// Rotary position embedding in place.

namespace tern {
namespace {

// first, second <- first c - second s, second c + first s; n lanes.
TERN_INLINE void turn(float* first, float* second, Vec c, Vec s, int64_t n) {
  const Vec a = load_first(first, n), b = load_first(second, n);
  store_first(first, fma(a, c, negate(b * s)), n);
  store_first(second, fma(b, c, a * s), n);
}

void rope_row(const Rope::Args& a, int64_t t) {
  const int64_t half = a.cos_sin.cols / 2;
  const float* cosines = a.angles(t);
  const float* sines = cosines + half;
  for (int64_t i = 0; i < half; i += kLanes) {
    const int64_t n = min64(kLanes, half - i);
    const Vec c = load_first(cosines + i, n), s = load_first(sines + i, n);
    for (float* head = a.x.row(t); head < a.x.row(t) + a.x.cols; head += a.head_dim)
      turn(head + i, head + half + i, c, s, n);
  }
}

void rope(const Rope::Args& a, const Exec& ex) {
  for_rows(ex, a.x.rows, 2 * a.x.cols, [&](int64_t t) { rope_row(a, t); });
}

}  // namespace
}  // namespace tern
