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
    : source_(source), options_(options), memory_(device_memory(options.ex.device)) {
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

Result<Linear> WeightLoader::pack(const RowSource& rows, Compute compute) {
  const Format format = choose_format(rows.encoding(), compute, options_.ex);
  const Packing& packing = *format.packing;
  Linear linear;
  linear.weight = {.format = format, .rows = rows.rows(), .cols = rows.cols()};
  const size_t bytes = format.packed_bytes(rows.rows(), rows.cols());
  packed_bytes_ += bytes;
  if (options_.plan_only) return linear;
  TERN_ASSIGN(Buffer packed, Buffer::allocate(bytes));

  // Large enough that giving pages back costs little, and small beside what is packed.
  constexpr uint64_t kTaskBytes = uint64_t(1) << 20;
  const uint64_t row_bytes = rows.bytes() / std::max<uint64_t>(rows.rows(), 1);
  const int64_t panels = kTaskBytes / std::max<uint64_t>(row_bytes * packing.panel_rows, 1);
  const int64_t rows_per_task = std::clamp<int64_t>(panels, 1, 64) * packing.panel_rows;
  parallel_for(options_.ex.pool, ceil_div(rows.rows(), rows_per_task),
               [&](int64_t task, int thread) {
                 const int64_t first = task * rows_per_task;
                 const int64_t count = std::min(rows_per_task, rows.rows() - first);
                 packing.pack_rows(format.encoding, rows, first, count, packed.data());
                 rows.release(first, count);
                 done_bytes_ += count * row_bytes;
                 if (thread == 0) report();  // the loading thread
               });
  // Reading a task's first and last pages has brought in neighbours.
  rows.release(0, rows.rows());
  TERN_ASSIGN(linear.packed, Buffer::upload(std::move(packed), memory_));
  linear.weight.data = linear.packed.data();
  if (rows.encoding().input == InputTransform::kGather) TERN_TRY(load_order(rows, linear));
  return linear;
}

Status WeightLoader::load_order(const RowSource& rows, Linear& linear) {
  TERN_ASSIGN(Buffer order, Buffer::allocate(size_t(rows.cols()) * sizeof(int32_t)));
  std::copy_n(rows.input_order(), rows.cols(), order.as<int32_t>());
  packed_bytes_ += order.size();
  TERN_ASSIGN(linear.input_order, Buffer::upload(std::move(order), memory_));
  linear.weight.input_order = linear.input_order.as<int32_t>();
  return {};
}

Result<Linear> WeightLoader::linear(const LinearName& name, int64_t in, bool has_bias) {
  TERN_ASSIGN(LinearGroup group, linear_group({name}, in, has_bias));
  return std::move(group.parts.front());
}

Result<LinearGroup> WeightLoader::linear_group(const std::vector<LinearName>& names, int64_t in,
                                               bool has_bias) {
  std::vector<std::unique_ptr<RowSource>> weights;
  for (const LinearName& n : names) {
    TERN_ASSIGN(std::unique_ptr<RowSource> whole, rows(n.name + ".weight", {n.out, in}));
    const uint64_t whole_bytes = whole->bytes();
    TERN_ASSIGN(weights.emplace_back(), cut_rows(std::move(whole), n, options_.rank));
    total_bytes_ -= whole_bytes - weights.back()->bytes();  // other ranks pack them
  }
  // Matrices that read their input in orders of their own are multiplied apart.
  const auto alike = [&](const auto& w) {
    return w->encoding() == weights[0]->encoding() && w->input_order() == nullptr;
  };
  LinearGroup group;
  if (weights.size() == 1) {
    TERN_ASSIGN(group.parts.emplace_back(), pack(*weights.front()));
    group.parts.back().names = names;
  } else if (std::all_of(weights.begin(), weights.end(), alike)) {
    TERN_ASSIGN(group.parts.emplace_back(), pack(*make_row_stack(std::move(weights))));
    group.parts.back().names = names;
  } else {
    for (size_t i = 0; i < weights.size(); ++i) {
      TERN_ASSIGN(group.parts.emplace_back(), pack(*weights[i]));
      group.parts.back().names = {names[i]};
    }
  }
  if (has_bias)
    for (Linear& part : group.parts) TERN_TRY(load_bias(part));
  return group;
}

Status WeightLoader::load_bias(Linear& linear) {
  std::vector<float> all;
  for (const LinearName& n : linear.names) {
    TERN_ASSIGN(std::vector<float> whole, vector(n.name + ".bias", n.out));
    TERN_ASSIGN(const std::vector<float> part, cut_bias(std::move(whole), n, options_.rank));
    all.insert(all.end(), part.begin(), part.end());
  }
  TERN_ASSIGN(linear.bias, upload(all));
  return {};
}

Result<Norm> WeightLoader::norm(const std::string& name, int64_t size, float eps, float offset,
                                float divisor) {
  TERN_ASSIGN(std::vector<float> gain, vector(name + ".weight", size));
  for (float& v : gain) v = (v + offset) / divisor;
  Norm norm;
  norm.eps = eps;
  TERN_ASSIGN(norm.gain, upload(gain));
  return norm;
}

Result<std::vector<float>> WeightLoader::vector(const std::string& name, int64_t size) {
  TERN_ASSIGN(const std::unique_ptr<RowSource> source, rows(name, {size}));
  std::vector<float> values(size);
  source->read(0, values.data());
  advance(source->bytes());
  return values;
}

Result<Buffer> WeightLoader::upload(const std::vector<float>& values) {
  TERN_ASSIGN(Buffer host, Buffer::allocate(values.size() * sizeof(float)));
  std::copy(values.begin(), values.end(), host.as<float>());
  packed_bytes_ += host.size();
  return Buffer::upload(std::move(host), memory_);
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
