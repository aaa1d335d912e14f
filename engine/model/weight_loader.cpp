#include "engine/model/weight_loader.h"

#include <algorithm>
#include <cstring>

#include "base/math.h"
#include "base/thread_pool.h"

namespace tern {
namespace {

/// Whether two matrices of one shape hold the same, row by row until they differ.
bool are_equal(const RowSource& a, const RowSource& b) {
  constexpr int64_t kRowsAtOnce = 1024;
  const bool as_stored = a.encoding() == b.encoding() && !a.encoding().is_codes();
  const size_t row_bytes = size_t(a.cols()) * dtype_bytes(a.encoding().dtype);
  std::vector<float> left(a.cols()), right(a.cols());
  const auto is_same_row = [&](int64_t row) {
    if (as_stored && a.stored(row) != nullptr && b.stored(row) != nullptr)
      return std::memcmp(a.stored(row), b.stored(row), row_bytes) == 0;
    a.read(row, left.data());
    b.read(row, right.data());
    return left == right;
  };
  bool is_same = true;
  for (int64_t first = 0; is_same && first < a.rows(); first += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, a.rows() - first);
    for (int64_t row = first; is_same && row < first + count; ++row) is_same = is_same_row(row);
    a.release(first, count);
    b.release(first, count);
  }
  return is_same;
}

}  // namespace

WeightLoader::WeightLoader(const WeightSource& source, const LoadOptions& options)
    : source_(source), options_(options) {
  for (TensorInfo& t : source.tensors()) {
    total_bytes_ += t.bytes;
    unused_.emplace(std::move(t.name), t.bytes);
  }
}

Result<std::unique_ptr<RowSource>> WeightLoader::rows(const std::string& name,
                                                      const std::vector<int64_t>& shape) {
  TERN_ASSIGN(std::unique_ptr<RowSource> rows, source_.get(name, shape));
  unused_.erase(name);
  num_parameters_ += uint64_t(rows->rows()) * rows->cols();
  return rows;
}

Result<bool> WeightLoader::ignore_copy(const std::string& name, const RowSource& rows) {
  const auto found = unused_.find(name);
  if (found == unused_.end()) return true;
  TERN_ASSIGN(const std::unique_ptr<RowSource> other,
              source_.get(name, {rows.rows(), rows.cols()}));
  if (!are_equal(rows, *other)) return false;
  total_bytes_ -= found->second;
  unused_.erase(found);
  return true;
}

void WeightLoader::keep_in_file(const RowSource& rows) {
  total_bytes_ -= rows.bytes();
  file_bytes_ += rows.bytes();
}

void WeightLoader::advance(uint64_t bytes) {
  done_bytes_ += bytes;
  report();
}

void WeightLoader::report() const {
  if (options_.on_progress && !options_.plan_only) options_.on_progress(done_bytes_, total_bytes_);
}

Result<Linear> WeightLoader::pack(const RowSource& rows) {
  const Format& f = format(packed_format(rows.encoding(), options_.compute, options_.ex.isa));
  Linear linear;
  linear.weight = {.data = nullptr, .format = f.id, .rows = rows.rows(), .cols = rows.cols()};
  const size_t bytes = f.packed_bytes(f, rows.rows(), rows.cols());
  packed_bytes_ += bytes;
  if (options_.plan_only) return linear;
  TERN_ASSIGN(linear.packed, Buffer::allocate(bytes));
  linear.weight.data = linear.packed.data();

  // Large enough that giving pages back costs little, and small beside what is packed.
  constexpr uint64_t kTaskBytes = uint64_t(1) << 20;
  const uint64_t row_bytes = rows.bytes() / std::max<uint64_t>(rows.rows(), 1);
  const int64_t panels = kTaskBytes / std::max<uint64_t>(row_bytes * kPanelRows, 1);
  const int64_t rows_per_task = std::clamp<int64_t>(panels, 1, 64) * kPanelRows;
  parallel_for(options_.ex.pool, ceil_div(rows.rows(), rows_per_task),
               [&](int64_t task, int thread) {
                 const int64_t first = task * rows_per_task;
                 const int64_t count = std::min(rows_per_task, rows.rows() - first);
                 f.pack_rows(f, rows, first, count, linear.packed.data());
                 rows.release(first, count);
                 done_bytes_ += count * row_bytes;
                 if (thread == 0) report();  // the loading thread
               });
  // Reading a task's first and last pages has brought in neighbours.
  rows.release(0, rows.rows());
  return linear;
}

Result<Linear> WeightLoader::linear(const std::string& name, int64_t out, int64_t in,
                                    bool has_bias) {
  TERN_ASSIGN(const std::unique_ptr<RowSource> weight, rows(name + ".weight", {out, in}));
  TERN_ASSIGN(Linear linear, pack(*weight));
  if (has_bias) {
    TERN_ASSIGN(linear.bias, vector(name + ".bias", out));
  }
  return linear;
}

Result<LinearGroup> WeightLoader::linear_group(const std::vector<LinearName>& names, int64_t in,
                                               bool has_bias) {
  std::vector<std::unique_ptr<RowSource>> weights;
  for (const LinearName& n : names) {
    TERN_ASSIGN(weights.emplace_back(), rows(n.name + ".weight", {n.out, in}));
  }
  const auto alike = [&](const auto& w) { return w->encoding() == weights[0]->encoding(); };
  LinearGroup group;
  if (std::all_of(weights.begin(), weights.end(), alike)) {
    TERN_ASSIGN(group.parts.emplace_back(), pack(*make_row_stack(std::move(weights))));
  } else {
    for (const auto& w : weights) {
      TERN_ASSIGN(group.parts.emplace_back(), pack(*w));
    }
  }
  if (has_bias) TERN_TRY(load_biases(names, group));
  return group;
}

Status WeightLoader::load_biases(const std::vector<LinearName>& names, LinearGroup& group) {
  std::vector<float> all;
  for (const LinearName& n : names) {
    TERN_ASSIGN(const std::unique_ptr<RowSource> bias, rows(n.name + ".bias", {n.out}));
    all.resize(all.size() + n.out);
    bias->read(0, all.data() + all.size() - n.out);
    advance(bias->bytes());
  }
  const float* next = all.data();
  for (Linear& part : group.parts) {
    TERN_ASSIGN(part.bias, Buffer::allocate(part.out() * sizeof(float)));
    std::copy(next, next + part.out(), part.bias.as<float>());
    next += part.out();
    packed_bytes_ += part.bias.size();
  }
  return {};
}

Result<Norm> WeightLoader::norm(const std::string& name, int64_t size, float eps) {
  Norm norm;
  norm.eps = eps;
  TERN_ASSIGN(norm.gain, vector(name + ".weight", size));
  return norm;
}

Result<Buffer> WeightLoader::vector(const std::string& name, int64_t size) {
  TERN_ASSIGN(const std::unique_ptr<RowSource> source, rows(name, {size}));
  TERN_ASSIGN(Buffer values, Buffer::allocate(size * sizeof(float)));
  source->read(0, values.as<float>());
  packed_bytes_ += values.size();
  advance(source->bytes());
  return values;
}

Status WeightLoader::finish() const {
  std::string unknown;
  int count = 0;
  for (const auto& [name, bytes] : unused_) {
    // Old checkpoints carry the rotary frequencies as a tensor; they follow from the config.
    if (name.ends_with("rotary_emb.inv_freq")) continue;
    if (++count <= 5) unknown += (count > 1 ? ", " : "") + name;
  }
  if (count == 0) return {};
  if (count > 5) unknown += " and " + std::to_string(count - 5) + " more";
  return invalid_argument(source_.path() +
                          ": tensors that the architecture does not have: " + unknown);
}

}  // namespace tern
