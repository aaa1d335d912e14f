// Every kernel of the registry, timed against what the machine allows.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/status.h"
#include "bench/roofline.h"

namespace tern {

struct BenchKernelsOptions {
  std::string op;           ///< this operation alone; empty = all
  std::string format;       ///< this weight format, and operations that have one; empty = all
  std::string shape;        ///< instead of the default shapes of `op`: "16x2048x2048"
  std::string isa;          ///< kernels of this instruction set; empty = all that may run
  std::string device = "cpu";  ///< whose kernels: open_device()
  int32_t num_threads = 0;  ///< 0 = all CPUs
  int32_t repeat = 7;       ///< samples, fewer where a case takes long
  double sample_s = 0.002;  ///< of calls that make one sample, at least
  double most_s = 0.5;      ///< after which no further sample of a case begins
  size_t cold_bytes = 0;    ///< of weights that caches cannot hold; 0 = four times the caches
  ProbeEffort effort;
};

/// kInvalidArgument, naming what is allowed, where the options choose no kernel of this machine.
Status check_bench_kernels(const BenchKernelsOptions& options);

/// Walks the tables of the registry: every kernel that is no reference, with representative
/// arguments (kernel_cases.h). Keys: rows[{op, kernel, format, shape, isa, threads, us (median),
/// best_us, gb_per_s, gflop_per_s, roofline_share, bound}], cpu, isa, threads, roofline[] (the rows
/// of limit_rows()). roofline_share = the time that Limits::bound() allows / best_us (limits are
/// the best of their passes too, before the walk and after it); `bound` is what it names. It may
/// exceed 1 where the first level of the caches, which is not measured, holds everything; it is null
/// for the kernels of another device. Errors:
/// those of check_bench_kernels(); kResourceExhausted where memory is short.
Result<nlohmann::json> bench_kernels(const BenchKernelsOptions& options,
                                     const std::function<void(double)>& progress);

}  // namespace tern
