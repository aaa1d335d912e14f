// The safetensors format: an 8-byte length, a JSON header, then raw tensors. Files are untrusted.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"
#include "engine/io/mapped_file.h"

namespace tern {

/// What a tensor is of whose type nothing here computes with.
struct ForeignType {
  std::string dtype;  ///< as the file says: "U32"
  std::vector<int64_t> shape;
};

/// One mapped file. Every field of the header is checked at open(): length within the file and 100
/// MB, valid UTF-8 JSON object without duplicate names, dtype of the format, rank <= 8 (the first
/// dimensions of more than 4 are one), non-negative shape without overflow, offsets in order,
/// within the file, equal to shape × dtype, no two tensors overlapping, no gaps; no empty name.
/// Anything else is kInvalidArgument naming file, tensor, value and limit.
class SafetensorsFile {
 public:
  static Result<SafetensorsFile> open(const std::string& path);

  const std::string& path() const { return path_; }
  const std::map<std::string, TensorView, std::less<>>& tensors() const { return tensors_; }
  const std::map<std::string, std::string, std::less<>>& metadata() const { return metadata_; }

  /// Null where there is no such tensor. Its data stands where the file has it: MLX writes headers
  /// of odd lengths, and all behind them is unaligned.
  const TensorView* find(std::string_view name) const;

  /// Null where the tensor's type is a DType; else it is among the tensors() as so many bytes (U8).
  const ForeignType* foreign_type(std::string_view name) const;

 private:
  Status parse();  // fills the rest from path_ and file_

  std::string path_;
  MappedFile file_;
  std::map<std::string, TensorView, std::less<>> tensors_;
  std::map<std::string, ForeignType, std::less<>> foreign_;
  std::map<std::string, std::string, std::less<>> metadata_;
};

}  // namespace tern
