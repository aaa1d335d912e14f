// When requests arrive in an open loop.
#pragma once

#include <cstdint>
#include <vector>

namespace tern::bench {

/// Seconds from the start at which `count` requests are due, ascending. Gaps ~ Gamma(shape =
/// burstiness, scale = 1 / (rate · burstiness)): 1 is a Poisson process, less is burstier. As in
/// vLLM's bench the cumulative gaps are rescaled, so that the last request is due at count / rate.
/// An infinite rate: all at 0. `rate` and `burstiness` are over 0.
std::vector<double> draw_arrivals(uint64_t count, double rate, double burstiness, uint64_t seed);

}  // namespace tern::bench
