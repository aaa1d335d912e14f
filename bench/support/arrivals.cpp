#include "bench/support/arrivals.h"

#include <cmath>
#include <random>

#include "bench/support/random.h"

namespace tern::bench {

std::vector<double> draw_arrivals(uint64_t count, double rate, double burstiness, uint64_t seed) {
  std::vector<double> at(count, 0.0);
  if (std::isinf(rate) || count == 0) return at;
  CounterRng rng(seed_of(seed, Draw::kGap));
  std::gamma_distribution<double> gap(burstiness, 1 / (rate * burstiness));
  double sum = 0;
  for (double& t : at) t = sum += gap(rng);
  const double scale = sum > 0 ? double(count) / rate / sum : 0;
  for (double& t : at) t *= scale;
  return at;
}

}  // namespace tern::bench
