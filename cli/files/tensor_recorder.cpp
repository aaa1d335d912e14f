#include "cli/files/tensor_recorder.h"

#include <algorithm>

#include "engine/arch/registry.h"

namespace tern {
namespace {

// Zeros. A matrix has its rows but no columns: the loader packs it into no memory at all.
class ZeroRows final : public RowSource {
 public:
  ZeroRows(int64_t rows, int64_t cols) : RowSource(rows, cols, {.dtype = DType::kF32}, 0) {}
  void read(int64_t, float* out) const override { std::fill_n(out, cols(), 0.0f); }
  void read_codes(int64_t, uint8_t*, float*, float*) const override {
    TERN_CHECK(false, "floats have no codes");
  }
};

class Recorder final : public WeightSource {
 public:
  explicit Recorder(std::string path) : path_(std::move(path)) {}

  const std::string& path() const override { return path_; }

  Result<std::unique_ptr<RowSource>> get(std::string_view name,
                                         const std::vector<int64_t>& shape) const override {
    needed_.push_back({std::string(name), shape});
    const bool is_vector = shape.size() < 2;
    int64_t rows = 1;
    for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
    return std::unique_ptr<RowSource>(
        std::make_unique<ZeroRows>(rows, is_vector && !shape.empty() ? shape[0] : 0));
  }

  std::vector<TensorInfo> tensors() const override { return {}; }

  std::vector<NeededTensor> take() { return std::move(needed_); }

 private:
  const std::string path_;
  mutable std::vector<NeededTensor> needed_;  // loading thread only
};

}  // namespace

Result<std::vector<NeededTensor>> needed_tensors(const ModelConfig& config) {
  const auto recorder = std::make_shared<Recorder>(config.source);
  const LoadOptions options{.max_model_len = 1, .ex = {.device = Device::kCpu}};
  TERN_TRY(load_model(config, recorder, options).status());
  return recorder->take();
}

}  // namespace tern
