// e^x by our own polynomial: libm's changes with the CPU and the release.

namespace tern {
namespace {

/// e^x = 2^n (1 + p).
struct ExpParts {
  Vec n, p;
};

/// For x in [-104, 89]; NaN for NaN.
TERN_INLINE ExpParts exp_parts(Vec x) {
  // x = n ln 2 + r, |r| <= ln 2 / 2. Adding 1.5 * 2^23 rounds to a whole number; ln 2 comes in two
  // parts, of which the first has so few bits that n times it is exact.
  const Vec magic = broadcast(0x1.8p23f);
  const Vec n = fma(x, broadcast(0x1.715476p0f), magic) - magic;
  Vec r = fma(n, broadcast(-0x1.62e4p-1f), x);
  r = fma(n, broadcast(-0x1.7f7d1cp-20f), r);
  // e^r = 1 + r + r² q(r); q interpolates at Chebyshev's nodes, relative error 1.1e-8.
  Vec q = broadcast(0x1.6d113ep-10f);
  q = fma(q, r, broadcast(0x1.120ba2p-7f));
  q = fma(q, r, broadcast(0x1.55551ap-5f));
  q = fma(q, r, broadcast(0x1.5554dcp-3f));
  q = fma(q, r, broadcast(0.5f));
  return {n, fma(r * r, q, r)};
}

/// Within 1.2 units in the last place (2 without fma); subnormal results too. 0 below -104,
/// infinite from 88.73 on, NaN for NaN.
TERN_INLINE Vec exp(Vec x) {
  const ExpParts e = exp_parts(min(broadcast(89.0f), max(broadcast(-104.0f), x)));
  return scale_by_pow2(e.p + broadcast(1.0f), e.n);
}

/// Within 3 units in the last place, for every magnitude; NaN for NaN.
TERN_INLINE Vec tanh(Vec x) {
  // tanh |x| = m / (2 - m), m = 1 - e^(-2 |x|): small differences keep their last bits in p.
  const Vec two = broadcast(2.0f), one = broadcast(1.0f);
  const ExpParts e = exp_parts(max(broadcast(-104.0f), two * min(x, negate(x))));
  const Vec power = scale_by_pow2(one, e.n);
  const Vec m = fma(power, negate(e.p), one - power);
  const Vec t = m / (two - m);
  return select_negative(x, negate(t), t);
}

void exp_array(const float* x, float* out, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t n = min64(kLanes, count - i);
    store_first(out + i, exp(load_first(x + i, n)), n);
  }
}

}  // namespace
}  // namespace tern
