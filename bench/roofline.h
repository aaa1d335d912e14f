// The limits of this machine: how fast it reads memory and multiplies in registers.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/thread_pool.h"
#include "bench/caches.h"
#include "bench/measure.h"
#include "kernels/ops/probe.h"

namespace tern {

/// How much is spent on a limit. The defaults are for results that are kept: many passes, so short
/// that on a busy machine some are not disturbed.
struct ProbeEffort {
  int32_t passes = 64;
  double pass_s = 0.002;
  size_t dram_bytes = 0;  ///< read part by part, again and again; 0 = eight times the caches
};

/// Operations a second; a product and its addition are two.
struct PeakRate {
  Isa isa = Isa::kScalar;
  Arithmetic arithmetic = Arithmetic::kF32Fma;
  Rate rate;
};

/// What a call cannot avoid.
struct Work {
  double bytes = 0;                             ///< read or written, each once
  double flops = 0;                             ///< that the operation asks for
  Arithmetic arithmetic = Arithmetic::kF32Fma;  ///< what they are done with
  double products = 1;   ///< of that arithmetic for each that the operation asks for
  size_t footprint = 0;  ///< bytes that calls pass through before they come to the same again
};

/// The time that limits allow for a work, and what sets it: "dram", "cache" or an arithmetic.
struct Bound {
  double seconds = 0;
  std::string_view name;
};

/// What `threads` threads can do together. Rates are of bytes and of operations a second.
struct Limits {
  int threads = 1;
  Isa isa = Isa::kScalar;       ///< whose loads read memory
  Rate dram;                    ///< reading much more than the caches hold
  Rate cache;                   ///< reading what half of each L2 holds
  std::vector<PeakRate> peaks;  ///< from general to special

  /// The best rate of `arithmetic` that kernels of `isa` can have; 0 where it has none.
  double peak(Isa isa, Arithmetic arithmetic) const;

  /// The better of each limit and of the same limits measured another time.
  void take_better(const Limits& other);

  /// The longer of two: moving the bytes, from the caches where the footprint is `held_bytes` or
  /// less, and doing the products as kernels of `isa` can at best.
  Bound bound(const Work& work, Isa isa, size_t held_bytes) const;
};

/// Bytes a second that `pool` reads from memory with the loads of `isa`. Errors as below.
Result<Rate> measure_dram_read(Isa isa, ThreadPool& pool, const ProbeEffort& effort);

/// Measures on `pool` the limits of the instruction sets up to `isa`. kResourceExhausted where
/// memory is too short. `progress` is told the share of it that is done.
Result<Limits> measure_limits(Isa isa, ThreadPool& pool, const ProbeEffort& effort,
                              const std::function<void(double)>& progress);

/// Rows {what, isa, threads, best, median} of `limits`: gb_per_s for "dram_read" and "cache_read",
/// gop_per_s for the names of Arithmetic; `median` in the same unit.
nlohmann::json limit_rows(const Limits& limits);

/// `num_threads`, or all CPUs where it is 0.
int thread_count(int32_t num_threads);

struct RooflineOptions {
  int32_t num_threads = 0;  ///< 0 = all CPUs
  int32_t rounds = 3;       ///< over both numbers of threads; the better of each limit counts
  ProbeEffort effort;
};

/// The limits of one thread and of all. Keys: rows[{what, isa, threads, gb_per_s or gop_per_s
/// (best), median}], cpu, isa, threads.
Result<nlohmann::json> bench_roofline(const RooflineOptions& options,
                                      const std::function<void(double)>& progress);

}  // namespace tern
