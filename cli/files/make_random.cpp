#include "cli/files/make_random.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/cpu_info.h"
#include "base/math.h"
#include "base/rng.h"
#include "base/thread_pool.h"
#include "cli/files/tensor_recorder.h"
#include "cli/support/output.h"
#include "engine/io/safetensors_writer.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr float kDeviation = 0.02f;           // what transformers begins a training with
constexpr int64_t kChunk = int64_t(1) << 22;  // elements made at once

uint32_t hash_name(std::string_view name) {  // FNV-1a
  uint32_t hash = 2166136261u;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619u;
  return hash;
}

// Nearly normal: four 16-bit numbers summed, in integers, so that no libm has a say.
float normal_like(uint32_t a, uint32_t b) {
  const int32_t sum =
      int32_t(a & 0xFFFF) + int32_t(a >> 16) + int32_t(b & 0xFFFF) + int32_t(b >> 16);
  constexpr float kUnit = 1.0f / (65536 * 0.57735026f);  // the sum's deviation is 65536 / sqrt(3)
  return float(sum - 2 * 65535) * kUnit;
}

void store(float value, DType dtype, int64_t index, std::byte* out) {
  if (dtype == DType::kBf16)
    reinterpret_cast<Bf16*>(out)[index] = to_bf16(value);
  else if (dtype == DType::kF16)
    reinterpret_cast<F16*>(out)[index] = to_f16(value);
  else
    reinterpret_cast<float*>(out)[index] = value;
}

// Elements [first, first + count) of a tensor; `first` is even.
void fill(const TensorSpec& tensor, uint64_t seed, int64_t first, int64_t count, std::byte* out) {
  const uint32_t name = hash_name(tensor.name);
  const bool is_gain = tensor.shape.size() < 2 && !tensor.name.ends_with("bias");
  const float mean = is_gain ? 1.0f : 0.0f;
  for (int64_t i = 0; i < count; i += 2) {
    const auto pair = uint64_t(first + i) / 2;
    const auto w = philox4x32({uint32_t(pair), uint32_t(pair >> 32), name, 0x80000000u},
                              {uint32_t(seed), uint32_t(seed >> 32)});
    store(mean + kDeviation * normal_like(w[0], w[1]), tensor.dtype, i, out);
    if (i + 1 < count) store(mean + kDeviation * normal_like(w[2], w[3]), tensor.dtype, i + 1, out);
  }
}

class Generator {
 public:
  Generator(const MakeRandomOptions& options, uint64_t total_bytes,
            const std::function<void(double)>& progress)
      : options_(options),
        total_bytes_(total_bytes),
        progress_(progress),
        pool_(cpu_info().num_cpus),
        chunk_(size_t(kChunk) * size_t(dtype_bytes(options.dtype))) {}

  Status write_file(const std::string& path, const std::vector<TensorSpec>& tensors) {
    TERN_ASSIGN(SafetensorsWriter writer, SafetensorsWriter::create(path, tensors));
    for (const TensorSpec& tensor : tensors) TERN_TRY(write_tensor(tensor, writer));
    return writer.finish();
  }

 private:
  Status write_tensor(const TensorSpec& tensor, SafetensorsWriter& writer) {
    constexpr int64_t kPerTask = 1 << 16;
    const int64_t element_bytes = dtype_bytes(tensor.dtype);
    for (int64_t first = 0; first < tensor.num_elements(); first += kChunk) {
      const int64_t count = std::min(kChunk, tensor.num_elements() - first);
      parallel_for(&pool_, ceil_div(count, kPerTask), [&](int64_t task, int) {
        const int64_t at = task * kPerTask;
        fill(tensor, options_.seed, first + at, std::min(kPerTask, count - at),
             chunk_.data() + at * element_bytes);
      });
      TERN_TRY(writer.write({chunk_.data(), size_t(count * element_bytes)}));
      done_bytes_ += uint64_t(count * element_bytes);
      progress_(double(done_bytes_) / double(total_bytes_));
    }
    return {};
  }

  const MakeRandomOptions& options_;
  const uint64_t total_bytes_;
  const std::function<void(double)>& progress_;
  ThreadPool pool_;
  std::vector<std::byte> chunk_;
  uint64_t done_bytes_ = 0;
};

std::vector<std::vector<TensorSpec>> make_shards(std::vector<TensorSpec> tensors,
                                                 uint64_t max_bytes) {
  std::vector<std::vector<TensorSpec>> shards(1);
  uint64_t bytes = 0;
  for (TensorSpec& tensor : tensors) {
    if (!shards.back().empty() && bytes + tensor.bytes() > max_bytes) {
      shards.emplace_back();
      bytes = 0;
    }
    bytes += tensor.bytes();
    shards.back().push_back(std::move(tensor));
  }
  return shards;
}

std::string shard_name(size_t index, size_t count) {
  if (count == 1) return "model.safetensors";
  char name[64];
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", index + 1, count);
  return name;
}

Status write_text(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return {};
  return Status(Code::kUnavailable, "cannot write " + path.string() + ": " + std::strerror(errno));
}

// The directory that is filled: taken back, with what is in it, unless it is kept.
class OutputDirectory {
 public:
  static Result<OutputDirectory> create(const std::string& path) {
    std::error_code error;
    const bool existed = fs::exists(path, error);
    if (existed && (!fs::is_directory(path, error) || !fs::is_empty(path, error)))
      return Status(Code::kAlreadyExists,
                    path + ": exists and is not empty; nothing is overwritten");
    if (!existed) fs::create_directories(path, error);
    if (error) return Status(Code::kUnavailable, "cannot make " + path + ": " + error.message());
    return OutputDirectory(path, existed);
  }
  OutputDirectory(OutputDirectory&& other) noexcept
      : path_(std::move(other.path_)), existed_(other.existed_), keep_(other.keep_) {
    other.keep_ = true;
  }
  ~OutputDirectory() {
    if (keep_) return;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(path_, ignored)) fs::remove(entry, ignored);
    if (!existed_) fs::remove(path_, ignored);
  }

  fs::path operator/(const std::string& name) const { return path_ / name; }
  void keep() { keep_ = true; }

 private:
  OutputDirectory(fs::path path, bool existed) : path_(std::move(path)), existed_(existed) {}

  fs::path path_;
  bool existed_;
  bool keep_ = false;
};

}  // namespace

Result<json> make_random(const MakeRandomOptions& options,
                         const std::function<void(double)>& progress) {
  TERN_ASSIGN(const std::string config_text, read_text(options.config_file));
  TERN_ASSIGN(const ModelConfig config, read_model_config(options.config_file));
  TERN_ASSIGN(const std::vector<NeededTensor> needed, needed_tensors(config));
  std::vector<TensorSpec> tensors;
  uint64_t bytes = 0, parameters = 0;
  for (const NeededTensor& t : needed) {
    const TensorSpec& tensor = tensors.emplace_back(TensorSpec{t.name, t.shape, options.dtype});
    bytes += tensor.bytes();
    parameters += uint64_t(tensor.num_elements());
  }
  const size_t num_tensors = tensors.size();

  TERN_ASSIGN(OutputDirectory out, OutputDirectory::create(options.out));
  TERN_TRY(write_text(out / "config.json", config_text));
  const auto shards = make_shards(std::move(tensors), options.max_shard_bytes);
  Generator generator(options, bytes, progress);
  json files = json::array(), index{{"metadata", {{"total_size", bytes}}}};
  for (size_t i = 0; i < shards.size(); ++i) {
    files.push_back(shard_name(i, shards.size()));
    TERN_TRY(generator.write_file((out / files.back().get<std::string>()).string(), shards[i]));
    for (const TensorSpec& tensor : shards[i]) index["weight_map"][tensor.name] = files.back();
  }
  if (shards.size() > 1) {
    files.push_back("model.safetensors.index.json");
    TERN_TRY(write_text(out / "model.safetensors.index.json", index.dump(2)));
  }
  out.keep();
  return json{
      {"bytes", bytes}, {"tensors", num_tensors}, {"parameters", parameters}, {"files", files}};
}

}  // namespace tern
