// Typed access to the metadata of a GGUF file.
#include <cmath>
#include <cstring>

#include "engine/io/gguf.h"
#include "engine/io/gguf_cursor.h"
#include "engine/io/json_parse.h"

namespace tern {
namespace {

std::string type_text(const GgufValue& value) {
  constexpr const char* kNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                    "bool", "string", "array", "u64", "i64", "f64"};
  const std::string name = kNames[uint32_t(value.type)];
  return value.is_array ? "an array of " + name : name;
}

template <class T>
T load(const GgufValue& value, uint64_t index) {
  T out;
  std::memcpy(&out, value.data + index * sizeof(T), sizeof(T));
  return out;
}

/// Element `index` of a value of an integer type; false for other types and what int64_t lacks.
bool load_integer(const GgufValue& value, uint64_t index, int64_t& out) {
  switch (value.type) {
    case GgufType::kU8:
      out = load<uint8_t>(value, index);
      return true;
    case GgufType::kI8:
      out = load<int8_t>(value, index);
      return true;
    case GgufType::kU16:
      out = load<uint16_t>(value, index);
      return true;
    case GgufType::kI16:
      out = load<int16_t>(value, index);
      return true;
    case GgufType::kU32:
      out = load<uint32_t>(value, index);
      return true;
    case GgufType::kI32:
      out = load<int32_t>(value, index);
      return true;
    case GgufType::kI64:
    case GgufType::kU64:
      out = load<int64_t>(value, index);
      return value.type == GgufType::kI64 || out >= 0;
    default:
      return false;
  }
}

bool load_float(const GgufValue& value, uint64_t index, double& out) {
  if (value.type == GgufType::kF32) {
    out = load<float>(value, index);
  } else if (value.type == GgufType::kF64) {
    out = load<double>(value, index);
  }
  return value.type == GgufType::kF32 || value.type == GgufType::kF64;
}

/// Moves `next` behind the string that begins there; open() has checked its length.
std::string_view next_string(const std::byte*& next) {
  uint64_t length = 0;
  std::memcpy(&length, next, sizeof length);
  const std::string_view text(reinterpret_cast<const char*>(next + sizeof length), length);
  next += sizeof length + length;
  return text;
}

Status missing(std::string_view key) {
  return Status(Code::kNotFound, "lacks the key " + in_quotes(key));
}

/// What a value can be asked for as: `read` fills T from it, or says false.
struct Reader {
  static bool read(const GgufValue& v, bool& out) {
    if (v.is_array || v.type != GgufType::kBool) return false;
    out = load<uint8_t>(v, 0) != 0;
    return true;
  }
  static bool read(const GgufValue& v, int64_t& out) {
    return !v.is_array && load_integer(v, 0, out);
  }
  static bool read(const GgufValue& v, double& out) {
    return !v.is_array && load_float(v, 0, out) && std::isfinite(out);
  }
  static bool read(const GgufValue& v, std::string_view& out) {
    if (v.is_array || v.type != GgufType::kString) return false;
    const std::byte* next = v.data;
    out = next_string(next);
    return true;
  }
  static bool read(const GgufValue& v, std::vector<int32_t>& out) {
    int64_t element = 0;
    if (!v.is_array || (v.count > 0 && !load_integer(v, 0, element))) return false;
    out.resize(v.count);
    for (uint64_t i = 0; i < v.count; ++i) {
      if (!load_integer(v, i, element) || element != int32_t(element)) return false;
      out[i] = int32_t(element);
    }
    return true;
  }
  static bool read(const GgufValue& v, std::vector<float>& out) {
    double element = 0;
    if (!v.is_array || (v.count > 0 && !load_float(v, 0, element))) return false;
    out.resize(v.count);
    for (uint64_t i = 0; i < v.count && load_float(v, i, element); ++i) out[i] = float(element);
    return true;
  }
  static bool read(const GgufValue& v, std::vector<std::string_view>& out) {
    if (!v.is_array || v.type != GgufType::kString) return false;
    out.resize(v.count);
    const std::byte* next = v.data;
    for (std::string_view& text : out) text = next_string(next);
    return true;
  }
  static bool read(const GgufValue& v, std::vector<bool>& out) {
    if (!v.is_array || v.type != GgufType::kBool) return false;
    for (uint64_t i = 0; i < v.count; ++i) out.push_back(load<uint8_t>(v, i) != 0);
    return true;
  }
};

template <class T>
constexpr std::string_view kWanted = "";
template <>
constexpr std::string_view kWanted<bool> = "a boolean";
template <>
constexpr std::string_view kWanted<int64_t> = "an integer below 2^63";
template <>
constexpr std::string_view kWanted<double> = "a finite float";
template <>
constexpr std::string_view kWanted<std::string_view> = "a string";
template <>
constexpr std::string_view kWanted<std::vector<bool>> = "an array of booleans";
template <>
constexpr std::string_view kWanted<std::vector<int32_t>> = "an array of 32-bit integers";
template <>
constexpr std::string_view kWanted<std::vector<float>> = "an array of floats";
template <>
constexpr std::string_view kWanted<std::vector<std::string_view>> = "an array of strings";

}  // namespace

template <class T>
Result<T> GgufFile::get(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return missing(key).with_context(path_);
  T out{};
  if (Reader::read(*value, out)) return out;
  return invalid_argument(path_ + ": key " + in_quotes(key) + ": must be " +
                          std::string(kWanted<T>) + ", is " + type_text(*value));
}

template Result<bool> GgufFile::get(std::string_view) const;
template Result<int64_t> GgufFile::get(std::string_view) const;
template Result<double> GgufFile::get(std::string_view) const;
template Result<std::string_view> GgufFile::get(std::string_view) const;
template Result<std::vector<bool>> GgufFile::get(std::string_view) const;
template Result<std::vector<int32_t>> GgufFile::get(std::string_view) const;
template Result<std::vector<float>> GgufFile::get(std::string_view) const;
template Result<std::vector<std::string_view>> GgufFile::get(std::string_view) const;

}  // namespace tern
