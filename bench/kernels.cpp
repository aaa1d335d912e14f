#include "bench/kernels.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "bench/kernel_cases.h"
#include "kernels/staged_arrays.h"

namespace tern {
namespace {

using nlohmann::json;

std::string join(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all.append(all.empty() ? "" : ", ").append(name);
  return all;
}

/// What one flag may say, and whether it was said.
struct Choice {
  const char* flag;
  std::vector<std::string> allowed;

  void allow(std::string_view name) {
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end())
      allowed.emplace_back(name);
  }
  Status check(const std::string& chosen) const {
    if (chosen.empty() || std::find(allowed.begin(), allowed.end(), chosen) != allowed.end())
      return {};
    return invalid_argument(std::string(flag) + ": must be one of " + join(allowed) + ", is '" +
                            chosen + "'");
  }
};

/// "16x2048x64"; nothing where that is no list of numbers from 1 on whose product is 2^48 at most:
/// no number of bytes that follows from them overflows.
std::optional<Shape> parse_shape(const std::string& text) {
  int64_t most = int64_t(1) << 48;
  Shape shape;
  for (const char *at = text.data(), *end = at + text.size();; ++at) {
    int64_t value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc() || value < 1 || value > most) return {};
    most /= value;
    shape.push_back(value);
    if (next == end) return shape;
    if (*next != 'x') return {};
    at = next;
  }
}

template <class Op>
Status check_shape(const Cases<Op>& cases, const std::string& text) {
  const std::string wanted = "--shape: for " + std::string(Op::kName) + " must be " +
                             std::string(cases.shape) + ", is '" + text + "'";
  const std::optional<Shape> shape = parse_shape(text);
  const auto dimensions = 1 + std::count(cases.shape.begin(), cases.shape.end(), 'x');
  if (!shape || int64_t(shape->size()) != dimensions) return invalid_argument(wanted);
  return cases.check(*shape).with_context(wanted);
}

std::string shape_name(const Shape& shape) {
  std::string name;
  for (const int64_t n : shape) name.append(name.empty() ? "" : "x").append(std::to_string(n));
  return name;
}

/// Which kernels and formats the options choose.
struct Selection {
  const BenchKernelsOptions& options;
  Isa most;
  Device device;

  template <class Op>
  bool takes(const Kernel<Op>& k) const {
    return k.name != kReferenceName && k.device == device && k.isa <= most &&
           (options.isa.empty() || isa_name(k.isa) == options.isa);
  }
  template <class Op>
  bool takes_any(const KernelTable<Op>& table) const {
    return (options.op.empty() || options.op == Op::kName) &&
           std::any_of(table.all().begin(), table.all().end(),
                       [&](const Kernel<Op>& k) { return takes(k); });
  }
  bool takes(const Format* f) const {
    return options.format.empty() || (f != nullptr && f->name() == options.format);
  }
  template <class Op>
  std::vector<Shape> shapes(const Cases<Op>& cases) const {
    if (options.shape.empty()) return cases.default_shapes;
    return {*parse_shape(options.shape)};
  }
};

template <class Op>
std::vector<std::pair<const Format*, Shape>> chosen_cases(const Selection& selection,
                                                          const KernelTable<Op>& table) {
  std::vector<std::pair<const Format*, Shape>> chosen;
  if (!selection.takes_any(table)) return chosen;
  const Cases<Op> cases = cases_of(table);
  for (const Format* f : cases.formats)
    for (const Shape& shape : selection.shapes(cases))
      if (selection.takes(f)) chosen.emplace_back(f, shape);
  return chosen;
}

/// A row that lacks what the limits say of it.
struct Timed {
  Work work;
  Isa isa;
  double best_s;
  json row;
};

/// Times the cases of all tables, one table after the other, until one fails.
struct Walk {
  const BenchKernelsOptions& options;
  const Selection& selection;
  const std::function<void(double)>& progress;
  CaseContext context;
  size_t num_cases = 0, num_done = 0;
  std::vector<Timed> timed;
  Status status;

  template <class Op>
  void measure(const KernelTable<Op>& table) {
    for (const auto& [format, shape] : chosen_cases(selection, table)) {
      if (!status.ok()) return;
      status = measure_case(table, format, shape)
                   .with_context(std::string(Op::kName) + " " + shape_name(shape));
      progress(double(++num_done) / double(num_cases));
    }
  }

  template <class Op>
  Status measure_case(const KernelTable<Op>& table, const Format* format, const Shape& shape) {
    TERN_ASSIGN(Case<Op> made, cases_of(table).make(format, shape, context));
    StagedArrays arrays(device_memory(selection.device));
    TERN_TRY(arrays.stage<Op>(made.args));
    for (const Kernel<Op>& k : table.all()) {
      if (!selection.takes(k) || !k.supports(made.args.front())) continue;
      Buffer scratch;
      TERN_TRY(give_scratch(k, made, scratch));
      timed.push_back(time(k, format, shape, made));
    }
    return {};
  }

  /// As much as the kernel asks for, on its device, for all calls.
  template <class Op>
  Status give_scratch(const Kernel<Op>& k, Case<Op>& c, Buffer& scratch) {
    if constexpr (requires { c.args.front().scratch; }) {
      if (k.scratch_bytes == nullptr) return {};
      const Exec ex{.device = k.device, .isa = k.isa, .pool = &context.pool};
      TERN_ASSIGN(scratch,
                  Buffer::allocate(k.scratch_bytes(c.args.front(), ex), device_memory(k.device)));
      for (auto& a : c.args) a.scratch = scratch.data();
    }
    return {};
  }

  template <class Op>
  Timed time(const Kernel<Op>& k, const Format* format, const Shape& shape, const Case<Op>& c) {
    const Exec ex{.device = k.device, .isa = k.isa, .pool = &context.pool};
    const size_t count = c.args.size();
    DeviceMemory& memory = device_memory(k.device);
    const CallTime time =
        time_calls(options.repeat, options.sample_s, options.most_s, [&](int64_t i) {
          k.run(c.args[size_t(i) % count], ex);
          memory.wait(ex.stream);
        });
    return {c.work, k.isa, time.best,
            json{{"op", Op::kName},
                 {"kernel", k.name},
                 {"format", format != nullptr ? format->name() : ""},
                 {"shape", shape_name(shape)},
                 {"isa", k.device == Device::kCpu ? isa_name(k.isa) : device_name(k.device)},
                 {"threads", context.pool.num_threads()},
                 {"us", time.median * 1e6},
                 {"best_us", time.best * 1e6},
                 {"gb_per_s", c.work.bytes / time.median * 1e-9},
                 {"gflop_per_s", c.work.flops / time.median * 1e-9}}};
  }
};

/// What a device of a plug-in allows at most is not known here.
json rows_against(const Limits& limits, size_t held_bytes, Device device,
                  std::vector<Timed> timed) {
  json rows = json::array();
  for (Timed& t : timed) {
    if (device != Device::kCpu) {
      t.row["roofline_share"] = nullptr;
      t.row["bound"] = "";
      rows.push_back(std::move(t.row));
      continue;
    }
    const Bound bound = limits.bound(t.work, t.isa, held_bytes);
    t.row["roofline_share"] = bound.seconds / t.best_s;
    t.row["bound"] = bound.name;
    rows.push_back(std::move(t.row));
  }
  return rows;
}

}  // namespace

Status check_bench_kernels(const BenchKernelsOptions& options) {
  TERN_ASSIGN(const Isa most, selected_isa());
  TERN_TRY(open_device(options.device).status());
  if (options.repeat < 1) return invalid_argument("--repeat: must be 1 or more");
  Choice ops{"--op", {}}, formats{"--format", {}}, isas{"--isa", {}};
  std::string shapes;
  Status shape;
  for_each_table(kernels(), [&]<class Op>(const KernelTable<Op>& table) {
    ops.allow(Op::kName);
    const Cases<Op> cases = cases_of(table);
    shapes += " " + std::string(Op::kName) + " " + std::string(cases.shape) + ",";
    if (!options.op.empty() && options.op != Op::kName) return;
    for (const Format* f : cases.formats)
      if (f != nullptr) formats.allow(f->name());
    for (const Kernel<Op>& k : table.all())
      if (k.name != kReferenceName && k.isa <= most) isas.allow(isa_name(k.isa));
    if (!options.shape.empty()) shape = check_shape(cases, options.shape);
  });
  TERN_TRY(ops.check(options.op));
  if (!options.format.empty() && formats.allowed.empty())
    return invalid_argument("--format: " + options.op + " has none");
  TERN_TRY(formats.check(options.format));
  TERN_TRY(isas.check(options.isa));
  if (!options.shape.empty() && options.op.empty())
    return invalid_argument("--shape: needs --op, one of" + shapes.substr(0, shapes.size() - 1));
  return shape;
}

Result<json> bench_kernels(const BenchKernelsOptions& options,
                           const std::function<void(double)>& progress) {
  TERN_TRY(check_bench_kernels(options));
  TERN_ASSIGN(const Isa isa, selected_isa());
  TERN_ASSIGN(const Device device, open_device(options.device));
  constexpr double kLimitsShare = 0.05;  // of the whole time, before the walk and after it
  ThreadPool pool(thread_count(options.num_threads));
  const auto limits_part = [&](double begin) {
    return [&progress, begin](double part) { progress(begin + kLimitsShare * part); };
  };
  TERN_ASSIGN(Limits limits, measure_limits(isa, pool, options.effort, limits_part(0)));
  const size_t held = read_caches().last_bytes;
  const Selection selection{options, isa, device};
  const std::function<void(double)> walked = [&](double part) {
    progress(kLimitsShare + (1 - 2 * kLimitsShare) * part);
  };
  Walk walk{
      options, selection, walked, {pool, options.cold_bytes > 0 ? options.cold_bytes : 4 * held}};
  for_each_table(kernels(), [&](const auto& table) {
    walk.num_cases += chosen_cases(selection, table).size();
  });
  for_each_table(kernels(), [&](const auto& table) { walk.measure(table); });
  TERN_TRY(walk.status);
  if (walk.timed.empty())
    return invalid_argument("no kernel of --isa " + options.isa + " takes --format " +
                            options.format);
  walk.context.weights.reset();
  // Once more: a neighbour that was busy all through the first time would make kernels look good.
  TERN_ASSIGN(const Limits again,
              measure_limits(isa, pool, options.effort, limits_part(1 - kLimitsShare)));
  limits.take_better(again);
  return json{{"rows", rows_against(limits, held, device, std::move(walk.timed))},
              {"cpu", cpu_info().model_name},
              {"isa", isa_name(isa)},
              {"threads", pool.num_threads()},
              {"roofline", limit_rows(limits)}};
}

}  // namespace tern
