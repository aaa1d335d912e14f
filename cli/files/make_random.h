// A checkpoint of random weights in the shape of a config.json: to try and to time what nobody has
// trained.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/dtype.h"
#include "base/status.h"

namespace tern {

struct MakeRandomOptions {
  std::string config_file;  ///< a config.json; copied
  std::string out;          ///< directory; made, or empty
  uint64_t seed = 0;
  DType dtype = DType::kBf16;                    ///< f32, bf16 or f16
  uint64_t max_shard_bytes = uint64_t(4) << 30;  ///< of tensors a file; one tensor may be larger
};

/// Writes config.json and safetensors with the tensors that the architecture's own loader asks for.
/// Matrices are normal-like with deviation 0.02, norm gains lie around 1, biases around 0: each
/// value is a function of (seed, tensor's name, index), equal on every machine. Memory is bounded,
/// whatever the size. kAlreadyExists where `out` holds anything; where writing fails (disk full),
/// what was written is removed again. Keys: bytes, tensors, parameters, files.
Result<nlohmann::json> make_random(const MakeRandomOptions& options,
                                   const std::function<void(double)>& progress);

}  // namespace tern
