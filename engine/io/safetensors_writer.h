// Writes one safetensors file, tensor by tensor.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/status.h"

namespace tern {

struct TensorSpec {
  std::string name;
  std::vector<int64_t> shape;
  DType dtype = DType::kF32;

  int64_t num_elements() const;
  uint64_t bytes() const { return uint64_t(num_elements()) * uint64_t(dtype_bytes(dtype)); }
};

/// The file exists whole after finish(), or is removed again by the destructor. One thread.
class SafetensorsWriter {
 public:
  /// Makes the file and writes its header with `metadata`, valid UTF-8. kAlreadyExists where there
  /// is one.
  static Result<SafetensorsWriter> create(const std::string& path,
                                          const std::vector<TensorSpec>& tensors,
                                          const std::map<std::string, std::string>& metadata = {
                                              {"format", "pt"}});
  SafetensorsWriter(SafetensorsWriter&& other) noexcept;
  ~SafetensorsWriter();

  /// The next bytes of the tensors, one after the other in the order of create().
  Status write(std::span<const std::byte> bytes);

  /// All bytes have come. kUnavailable where the system could not keep them.
  Status finish();

 private:
  SafetensorsWriter(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  Status fail(int error) const;

  std::string path_;
  int fd_ = -1;  // -1: finished, or moved from
};

}  // namespace tern
