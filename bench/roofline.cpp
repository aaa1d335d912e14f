#include "bench/roofline.h"

#include <nlohmann/json.hpp>
#include <string>

#include "base/math.h"
#include "bench/memory.h"
#include "kernels/registry.h"

namespace tern {
namespace {

using nlohmann::json;

/// What keeps the compiler from leaving a loop out, a cache line for each task.
struct alignas(64) Sink {
  float lanes[16] = {};
};

Rate measure_multiply(const Probe& probe, int arithmetic, ThreadPool& pool,
                      const ProbeEffort& effort) {
  const auto multiply = probe.multiply[arithmetic];
  std::vector<Sink> sinks(pool.num_threads());
  int64_t steps = 1 << 10;
  for (double seconds = 0; seconds < effort.pass_s / 2; steps *= 2) {
    const TimePoint start = std::chrono::steady_clock::now();
    multiply(steps, sinks[0].lanes);
    seconds = seconds_since(start);
  }
  std::vector<int64_t> done(pool.num_threads());
  return measure_rate(effort.passes, [&] {
    pool.parallel_for(pool.num_threads(),
                      [&](int64_t task, int) { done[task] = multiply(steps, sinks[task].lanes); });
    double sum = 0;
    for (const int64_t d : done) sum += double(d);
    return sum;
  });
}

using Read = void (*)(const float* data, int64_t count, float* out);

void fill_with_ones(Buffer& buffer, int64_t slice, ThreadPool& pool) {
  float* data = buffer.as<float>();
  const int64_t count = int64_t(buffer.size() / sizeof(float));
  pool.parallel_for(ceil_div(count, slice), [&](int64_t task, int) {
    std::fill(data + task * slice, data + std::min(count, (task + 1) * slice), 1.0f);
  });
}

/// A pass reads the next part of a buffer which is so big that caches have lost it since. Threads
/// take slices one by one, as they take panels of a weight.
Result<Rate> measure_dram(Read read, ThreadPool& pool, const ProbeEffort& effort) {
  constexpr int64_t kSlice = 1 << 16;  // floats: ~10 us, far more than a hand-over
  constexpr int64_t kParts = 16;
  const size_t least = size_t(256) << 20;  // hypervisors do not tell of all caches
  const size_t wanted =
      effort.dram_bytes > 0 ? effort.dram_bytes : std::max(least, 8 * read_caches().last_bytes);
  const int64_t slices = int64_t(ceil_div(wanted / kParts, kSlice * sizeof(float)));  // of a part
  const int64_t part = slices * kSlice;
  TERN_ASSIGN(Buffer buffer, allocate_checked(size_t(part * kParts) * sizeof(float)));
  fill_with_ones(buffer, kSlice, pool);
  std::vector<Sink> sinks(pool.num_threads());
  int64_t next = 0;
  return measure_rate(effort.passes, [&] {
    const float* data = buffer.as<float>() + next++ % kParts * part;
    pool.parallel_for(slices, [&](int64_t task, int thread) {
      read(data + task * kSlice, kSlice, sinks[thread].lanes);
    });
    return double(part) * sizeof(float);
  });
}

Result<Rate> measure_cache(Read read, ThreadPool& pool, const ProbeEffort& effort) {
  const size_t bytes = round_up(read_caches().l2_bytes / 2, Probe::kReadMultiple * sizeof(float));
  const int64_t count = int64_t(bytes / sizeof(float));
  TERN_ASSIGN(Buffer buffer, allocate_checked(bytes * pool.num_threads()));
  fill_with_ones(buffer, count, pool);
  std::vector<Sink> sinks(pool.num_threads());
  const auto read_often = [&](int64_t task, int64_t times) {
    for (int64_t i = 0; i < times; ++i)
      read(buffer.as<float>() + task * count, count, sinks[task].lanes);
  };
  const TimePoint start = std::chrono::steady_clock::now();
  read_often(0, 4);
  const int64_t times = 1 + int64_t(4 * effort.pass_s / std::max(seconds_since(start), 1e-9));
  return measure_rate(effort.passes, [&] {
    pool.parallel_for(pool.num_threads(), [&](int64_t task, int) { read_often(task, times); });
    return double(bytes) * double(times) * pool.num_threads();
  });
}

}  // namespace

double Limits::peak(Isa of, Arithmetic arithmetic) const {
  double best = 0;
  for (const PeakRate& p : peaks)
    if (p.isa <= of && p.arithmetic == arithmetic) best = p.rate.best;
  return best;
}

void Limits::take_better(const Limits& other) {
  const auto take = [](Rate& mine, const Rate& others) {
    if (others.best > mine.best) mine = others;
  };
  take(dram, other.dram);
  take(cache, other.cache);
  for (size_t i = 0; i < peaks.size(); ++i) take(peaks[i].rate, other.peaks[i].rate);
}

Bound Limits::bound(const Work& work, Isa of, size_t held_bytes) const {
  const bool cached = work.footprint <= held_bytes;
  const Bound memory{work.bytes / (cached ? cache : dram).best, cached ? "cache" : "dram"};
  const double peak_rate = peak(of, work.arithmetic);
  const Bound products{peak_rate > 0 ? work.flops * work.products / peak_rate : 0,
                       kArithmeticNames[int(work.arithmetic)]};
  return products.seconds > memory.seconds ? products : memory;
}

Result<Rate> measure_dram_read(Isa isa, ThreadPool& pool, const ProbeEffort& effort) {
  Read read = nullptr;
  for (const Probe& probe : probes())
    if (probe.isa <= isa && probe.read != nullptr) read = probe.read;
  return measure_dram(read, pool, effort);
}

Result<Limits> measure_limits(Isa isa, ThreadPool& pool, const ProbeEffort& effort,
                              const std::function<void(double)>& progress) {
  Limits limits{.threads = pool.num_threads()};
  std::vector<std::pair<Probe, int>> loops;
  Read read = nullptr;
  for (const Probe& probe : probes()) {
    if (probe.isa > isa) continue;
    if (probe.read != nullptr) read = probe.read, limits.isa = probe.isa;
    for (int a = 0; a < kNumArithmetics; ++a)
      if (probe.multiply[a] != nullptr) loops.emplace_back(probe, a);
  }
  const double all = double(loops.size()) + 2;
  TERN_ASSIGN(limits.dram, measure_dram(read, pool, effort));
  progress(1 / all);
  TERN_ASSIGN(limits.cache, measure_cache(read, pool, effort));
  progress(2 / all);
  for (const auto& [probe, a] : loops) {
    limits.peaks.push_back({probe.isa, Arithmetic(a), measure_multiply(probe, a, pool, effort)});
    progress((double(limits.peaks.size()) + 2) / all);
  }
  return limits;
}

json limit_rows(const Limits& limits) {
  json rows = json::array();
  const auto add = [&](std::string_view what, Isa isa, const char* unit, Rate rate) {
    rows.push_back({{"what", what},
                    {"isa", isa_name(isa)},
                    {"threads", limits.threads},
                    {unit, rate.best * 1e-9},
                    {"median", rate.median * 1e-9}});
  };
  add("dram_read", limits.isa, "gb_per_s", limits.dram);
  add("cache_read", limits.isa, "gb_per_s", limits.cache);
  for (const PeakRate& p : limits.peaks)
    add(kArithmeticNames[int(p.arithmetic)], p.isa, "gop_per_s", p.rate);
  return rows;
}

int thread_count(int32_t num_threads) {
  return num_threads > 0 ? num_threads : cpu_info().num_cpus;
}

Result<json> bench_roofline(const RooflineOptions& options,
                            const std::function<void(double)>& progress) {
  TERN_ASSIGN(const Isa isa, selected_isa());
  const int threads = thread_count(options.num_threads);
  std::vector<int> counts{1};
  if (threads > 1) counts.push_back(threads);
  std::vector<Limits> best;
  const double all = double(counts.size()) * options.rounds;
  for (double done = 0; done < all; ++done) {
    const size_t i = size_t(done) % counts.size();
    ThreadPool pool(counts[i]);
    TERN_ASSIGN(const Limits limits, measure_limits(isa, pool, options.effort, [&](double part) {
                  progress((done + part) / all);
                }));
    if (best.size() == i)
      best.push_back(limits);
    else
      best[i].take_better(limits);
  }
  json rows = json::array();
  for (const Limits& limits : best)
    for (json& row : limit_rows(limits)) rows.push_back(std::move(row));
  return json{
      {"rows", rows}, {"cpu", cpu_info().model_name}, {"isa", isa_name(isa)}, {"threads", threads}};
}

}  // namespace tern
