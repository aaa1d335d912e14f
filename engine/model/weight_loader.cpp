#include "engine/model/weight_loader.h"

#include <algorithm>
#include <numeric>

#include "base/math.h"
#include "base/thread_pool.h"

namespace tern {
WeightLoader::WeightLoader(const Checkpoint& checkpoint, const Exec& ex, LoadFraction on_progress)
    : checkpoint_(checkpoint), ex_(ex), on_progress_(std::move(on_progress)) {}

Result<TensorView> WeightLoader::tensor(const std::string& name,
                                        const std::vector<int64_t>& shape) {
  TERN_ASSIGN(const TensorView t, checkpoint_.get(name, shape));
  if (!is_float(t.dtype))
    return invalid_argument(checkpoint_.directory() + ": tensor " + name + ": is " +
                            std::string(dtype_name(t.dtype)) + ", must be f32, bf16 or f16");
  used_.insert(name);
  num_parameters_ += t.num_elements();
  return t;
}

void WeightLoader::advance(const TensorView& t) {
  done_bytes_ += t.num_elements() * dtype_bytes(t.dtype);
  if (on_progress_) on_progress_(double(done_bytes_) / double(checkpoint_.total_bytes()));
}

Result<Linear> WeightLoader::pack(const TensorView& source) {
  // f16 has no kernels yet; f32 holds it exactly.
  const FormatId id = source.dtype == DType::kBf16 ? FormatId::kBf16 : FormatId::kF32;
  const Format& f = format(id);
  const int64_t rows = source.shape[0], cols = source.shape[1];
  Linear linear;
  TERN_ASSIGN(linear.packed, Buffer::allocate(f.packed_bytes(rows, cols)));
  constexpr int64_t kRowsPerTask = 4 * kPanelRows;
  parallel_for(ex_.pool, ceil_div(rows, kRowsPerTask), [&](int64_t task, int) {
    const int64_t first = task * kRowsPerTask;
    f.pack_rows(source, first, std::min(kRowsPerTask, rows - first), linear.packed.data());
  });
  linear.weight = {.data = linear.packed.data(), .format = id, .rows = rows, .cols = cols};
  packed_bytes_ += linear.packed.size();
  advance(source);
  return linear;
}

Result<Linear> WeightLoader::linear(const std::string& name, int64_t out, int64_t in,
                                    bool has_bias) {
  TERN_ASSIGN(const TensorView source, tensor(name + ".weight", {out, in}));
  TERN_ASSIGN(Linear linear, pack(source));
  if (has_bias) {
    TERN_ASSIGN(linear.bias, vector(name + ".bias", out));
  }
  return linear;
}

Result<std::vector<Linear>> WeightLoader::fused_linears(const std::string& name,
                                                        const std::vector<int64_t>& outs,
                                                        int64_t in) {
  const int64_t rows = std::accumulate(outs.begin(), outs.end(), int64_t{0});
  TERN_ASSIGN(const TensorView source, tensor(name + ".weight", {rows, in}));
  std::vector<Linear> linears;
  int64_t first = 0;
  for (const int64_t out : outs) {
    TERN_ASSIGN(Linear linear, pack(rows_of(source, first, out)));
    linears.push_back(std::move(linear));
    first += out;
  }
  return linears;
}

Result<Norm> WeightLoader::norm(const std::string& name, int64_t size, float eps) {
  Norm norm;
  norm.eps = eps;
  TERN_ASSIGN(norm.gain, vector(name + ".weight", size));
  return norm;
}

Result<Buffer> WeightLoader::vector(const std::string& name, int64_t size) {
  TERN_ASSIGN(const TensorView source, tensor(name, {size}));
  TERN_ASSIGN(Buffer values, Buffer::allocate(size * sizeof(float)));
  for (int64_t i = 0; i < size; ++i) values.as<float>()[i] = float_element(source, i);
  packed_bytes_ += values.size();
  advance(source);
  return values;
}

Status WeightLoader::finish() const {
  std::string unknown;
  int count = 0;
  for (const std::string& name : checkpoint_.names()) {
    // Old checkpoints carry the rotary frequencies as a tensor; they follow from the config.
    if (used_.contains(name) || name.ends_with("rotary_emb.inv_freq")) continue;
    if (++count <= 5) unknown += (count > 1 ? ", " : "") + name;
  }
  if (count == 0) return {};
  if (count > 5) unknown += " and " + std::to_string(count - 5) + " more";
  return invalid_argument(checkpoint_.directory() +
                          ": tensors that the architecture does not have: " + unknown);
}

}  // namespace tern
