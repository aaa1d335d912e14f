// The GGUF format, versions 2 and 3: metadata and tensors of llama.cpp's world in one mapped file.
// Files are untrusted.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/io/mapped_file.h"

namespace tern {

/// Types of metadata values, with the format's own numbers.
enum class GgufType : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

/// A metadata value where it lies in the file.
struct GgufValue {
  GgufType type = GgufType::kU8;    ///< of the value, or of the array's elements
  bool is_array = false;            ///< of scalars or strings; there are no arrays of arrays
  uint64_t count = 1;               ///< elements of the array
  const std::byte* data = nullptr;  ///< little-endian, unaligned
};

/// How a tensor's type lays out a row: blocks of `block` weights in `bytes` bytes.
struct GgufTensorType {
  uint32_t id;            ///< the format's own number
  std::string_view name;  ///< "q4_1"
  uint32_t block;
  uint32_t bytes;
};

struct GgufTensor {
  std::string_view name;
  const GgufTensorType* type = nullptr;
  int rank = 0;                     ///< 1 to 4
  int64_t shape[4] = {1, 1, 1, 1};  ///< outermost dimension first, as NumPy has it
  uint64_t offset = 0;              ///< from the start of the file's data
  uint64_t bytes = 0;
  const std::byte* data = nullptr;  ///< aligned as the file is, perhaps to nothing

  std::vector<int64_t> dims() const { return {shape, shape + rank}; }
};

/// One mapped file. Every field of the header is checked at open(): magic, version, counts against
/// the file's size, types, lengths of strings and arrays, booleans 0 or 1, no arrays of arrays, no
/// key or tensor twice, alignment a power of two, 1 to 4 positive dimensions whose product
/// does not overflow, rows of whole blocks, tensors aligned, inside the file and apart. Anything
/// else is kInvalidArgument naming file, key or tensor, value and limit; a big-endian file or
/// version 1 is kUnimplemented. Memory for the header stays below four times the file's size. Views
/// live as long as the object.
class GgufFile {
 public:
  static Result<GgufFile> open(const std::string& path);

  const std::string& path() const { return path_; }
  std::span<const GgufTensor> tensors() const { return tensors_; }  ///< by name

  /// Null where there is none.
  const GgufTensor* find_tensor(std::string_view name) const;
  const GgufValue* find(std::string_view key) const;

  /// The value as T: bool; int64_t (every integer type); double (every float type, finite);
  /// string_view; vectors of bool, int32_t, float and string_view for arrays. kNotFound where the
  /// key is missing, kInvalidArgument where its type is another or the value does not fit; both
  /// name file and key.
  template <class T>
  Result<T> get(std::string_view key) const;

  /// The same; a missing key gives nothing.
  template <class T>
  Result<std::optional<T>> get_optional(std::string_view key) const {
    if (find(key) == nullptr) return std::optional<T>();
    TERN_ASSIGN(T value, get<T>(key));
    return std::optional<T>(std::move(value));
  }

 private:
  struct KeyValue {
    std::string_view key;
    GgufValue value;
  };

  Status parse();  // fills the rest from path_ and file_
  Status place_tensors(uint64_t header_bytes);

  std::string path_;
  MappedFile file_;
  std::vector<KeyValue> metadata_;   // by key
  std::vector<GgufTensor> tensors_;  // by name
};

}  // namespace tern
