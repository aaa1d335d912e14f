#include "engine/io/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/math.h"
#include "engine/io/gguf_cursor.h"
#include "engine/io/json_parse.h"

namespace tern {
namespace {

constexpr int64_t kDefaultAlignment = 32;
constexpr int64_t kMaxAlignment = int64_t(1) << 30;
constexpr uint64_t kMaxDimension = uint64_t(1) << 40;

constexpr uint32_t kMaxRank = 4;

constexpr uint64_t kMinKeyBytes = 14;     // key of one letter, type, value of one byte
constexpr uint64_t kMinTensorBytes = 33;  // name of one letter, rank, dimension, type, offset

constexpr GgufTensorType kTensorTypes[] = {
    {0, "f32", 1, 4},         {1, "f16", 1, 2},         {2, "q4_0", 32, 18},
    {3, "q4_1", 32, 20},      {6, "q5_0", 32, 22},      {7, "q5_1", 32, 24},
    {8, "q8_0", 32, 34},      {9, "q8_1", 32, 36},      {10, "q2_k", 256, 84},
    {11, "q3_k", 256, 110},   {12, "q4_k", 256, 144},   {13, "q5_k", 256, 176},
    {14, "q6_k", 256, 210},   {15, "q8_k", 256, 292},   {16, "iq2_xxs", 256, 66},
    {17, "iq2_xs", 256, 74},  {18, "iq3_xxs", 256, 98}, {19, "iq1_s", 256, 50},
    {20, "iq4_nl", 32, 18},   {21, "iq3_s", 256, 110},  {22, "iq2_s", 256, 82},
    {23, "iq4_xs", 256, 136}, {24, "i8", 1, 1},         {25, "i16", 1, 2},
    {26, "i32", 1, 4},        {27, "i64", 1, 8},        {28, "f64", 1, 8},
    {29, "iq1_m", 256, 56},   {30, "bf16", 1, 2},       {34, "tq1_0", 256, 54},
    {35, "tq2_0", 256, 66},   {39, "mxfp4", 32, 17},    {40, "nvfp4", 64, 36},
    {41, "q1_0", 128, 18},    {42, "q2_0", 64, 18}};

Status parse_preamble(GgufCursor& in, uint64_t& num_tensors, uint64_t& num_keys) {
  if (in.left() < kGgufMagic.size() ||
      std::memcmp(in.position(), kGgufMagic.data(), kGgufMagic.size()) != 0)
    return invalid_argument("is no GGUF file: it does not begin with 'GGUF'");
  TERN_TRY(in.skip(kGgufMagic.size()));
  uint32_t version = 0;
  TERN_TRY(in.read(version, "version"));
  if ((version & 0xffff) == 0 && version != 0)
    return Status(Code::kUnimplemented, "big-endian GGUF files are not supported");
  if (version == 1)
    return Status(Code::kUnimplemented, "GGUF version 1 is not supported; tern reads 2 and 3");
  if (version != 2 && version != 3)
    return invalid_argument("GGUF version " + std::to_string(version) + "; tern reads 2 and 3");
  TERN_TRY(in.read(num_tensors, "number of tensors"));
  TERN_TRY(in.read(num_keys, "number of keys"));
  TERN_TRY(in.check_count(num_tensors, kMinTensorBytes, "tensors"));
  TERN_TRY(in.check_count(num_keys, kMinKeyBytes, "keys"));
  // Both together bound what is allocated for them.
  return in.check_count(num_tensors * kMinTensorBytes + num_keys * kMinKeyBytes, 1,
                        "bytes of tensors and keys");
}

Status parse_value(GgufCursor& in, GgufValue& value) {
  uint32_t type = 0;
  TERN_TRY(in.read(type, "value type"));
  value.is_array = type == uint32_t(GgufType::kArray);
  if (value.is_array) {
    TERN_TRY(in.read(type, "element type"));
    TERN_TRY(in.read(value.count, "array length"));
    if (type == uint32_t(GgufType::kArray)) return invalid_argument("is an array of arrays");
  }
  if (type > uint32_t(GgufType::kF64))
    return invalid_argument("has the unknown value type " + std::to_string(type));
  value.type = GgufType(type);
  value.data = in.position();
  if (value.type == GgufType::kString) {
    TERN_TRY(in.check_count(value.count, sizeof(uint64_t), "strings"));
    for (uint64_t i = 0; i < value.count; ++i) {
      std::string_view text;
      TERN_TRY(in.read(text, "string"));
    }
    return {};
  }
  TERN_TRY(in.check_count(value.count, gguf_bytes(value.type), "elements"));
  TERN_TRY(in.skip(value.count * gguf_bytes(value.type)));
  if (value.type == GgufType::kBool)
    for (uint64_t i = 0; i < value.count; ++i)
      if (uint8_t(value.data[i]) > 1)
        return invalid_argument("holds the boolean " + std::to_string(uint8_t(value.data[i])));
  return {};
}

/// The bytes of rows of whole blocks. `shape` is already bounded, dimension by dimension.
Status tensor_bytes(const GgufTensor& tensor, uint64_t& bytes) {
  const GgufTensorType& type = *tensor.type;
  const int64_t cols = tensor.shape[tensor.rank - 1];
  if (cols % type.block != 0)
    return invalid_argument("rows of " + std::to_string(cols) + " weights are no whole blocks of " +
                            std::to_string(type.block) + " (" + std::string(type.name) + ")");
  bytes = uint64_t(cols) / type.block * type.bytes;
  for (int i = 0; i + 1 < tensor.rank; ++i)
    if (__builtin_mul_overflow(bytes, uint64_t(tensor.shape[i]), &bytes))
      return invalid_argument("its dimensions overflow 2^64 bytes");
  return {};
}

/// Fills all but `data`.
Status parse_tensor(GgufCursor& in, GgufTensor& tensor) {
  uint32_t rank = 0, type = 0;
  TERN_TRY(in.read(rank, "rank"));
  if (rank < 1 || rank > kMaxRank)
    return invalid_argument("has " + std::to_string(rank) + " dimensions, must have 1 to " +
                            std::to_string(kMaxRank));
  tensor.rank = int(rank);
  for (int i = tensor.rank - 1; i >= 0; --i) {  // the file has the innermost dimension first
    uint64_t size = 0;
    TERN_TRY(in.read(size, "dimension"));
    if (size < 1 || size > kMaxDimension)
      return invalid_argument("has a dimension of " + std::to_string(size) +
                              ", must be from 1 to " + std::to_string(kMaxDimension));
    tensor.shape[i] = int64_t(size);
  }
  TERN_TRY(in.read(type, "tensor type"));
  const auto* known =
      std::ranges::find_if(kTensorTypes, [&](const GgufTensorType& t) { return t.id == type; });
  if (known == std::end(kTensorTypes))
    return invalid_argument("has the unknown tensor type " + std::to_string(type));
  tensor.type = known;
  TERN_TRY(tensor_bytes(tensor, tensor.bytes));
  return in.read(tensor.offset, "offset");
}

}  // namespace

Result<GgufFile> GgufFile::open(const std::string& path) {
  GgufFile result;
  result.path_ = path;
  TERN_ASSIGN(result.file_, MappedFile::open(path));
  if (Status status = result.parse(); !status.ok()) return status.with_context(path);
  return result;
}

Status GgufFile::parse() {
  GgufCursor in(file_.bytes());
  uint64_t num_tensors = 0, num_keys = 0;
  TERN_TRY(parse_preamble(in, num_tensors, num_keys));

  metadata_.reserve(num_keys);
  for (uint64_t i = 0; i < num_keys; ++i) {
    KeyValue& pair = metadata_.emplace_back();
    TERN_TRY(in.read(pair.key, "key"));
    if (pair.key.empty()) return invalid_argument("a key is empty");
    if (Status s = parse_value(in, pair.value); !s.ok())
      return s.with_context("key " + in_quotes(pair.key));
  }
  std::ranges::sort(metadata_, {}, &KeyValue::key);
  const auto same_key = std::ranges::adjacent_find(metadata_, {}, &KeyValue::key);
  if (same_key != metadata_.end())
    return invalid_argument("key " + in_quotes(same_key->key) + " stands twice");

  tensors_.reserve(num_tensors);
  for (uint64_t i = 0; i < num_tensors; ++i) {
    GgufTensor& tensor = tensors_.emplace_back();
    TERN_TRY(in.read(tensor.name, "tensor name"));
    if (tensor.name.empty()) return invalid_argument("a tensor has an empty name");
    if (Status s = parse_tensor(in, tensor); !s.ok())
      return s.with_context("tensor " + in_quotes(tensor.name));
  }
  TERN_TRY(place_tensors(in.offset()));
  std::ranges::sort(tensors_, {}, &GgufTensor::name);
  const auto same_name = std::ranges::adjacent_find(tensors_, {}, &GgufTensor::name);
  if (same_name != tensors_.end())
    return invalid_argument("tensor " + in_quotes(same_name->name) + " stands twice");
  return {};
}

Status GgufFile::place_tensors(uint64_t header_bytes) {
  TERN_ASSIGN(const auto given, get_optional<int64_t>("general.alignment"));
  const int64_t alignment = given.value_or(kDefaultAlignment);
  if (alignment < 1 || alignment > kMaxAlignment || !std::has_single_bit(uint64_t(alignment)))
    return invalid_argument("general.alignment " + std::to_string(alignment) +
                            " is not a power of two from 1 to " + std::to_string(kMaxAlignment));
  if (tensors_.empty()) return {};
  const uint64_t start = round_up(header_bytes, uint64_t(alignment)), size = file_.bytes().size();
  const uint64_t data_bytes = size > start ? size - start : 0;
  std::ranges::sort(tensors_, {}, &GgufTensor::offset);
  uint64_t end = 0;
  for (GgufTensor& t : tensors_) {
    const std::string where =
        "tensor " + in_quotes(t.name) + ": offset " + std::to_string(t.offset);
    if (t.offset % uint64_t(alignment) != 0)
      return invalid_argument(where + " is not a multiple of the alignment " +
                              std::to_string(alignment));
    if (t.offset > data_bytes || t.bytes > data_bytes - t.offset)
      return invalid_argument(where + " and " + std::to_string(t.bytes) +
                              " bytes leave the file's " + std::to_string(data_bytes) +
                              " data bytes");
    if (t.offset < end)
      return invalid_argument(where + " lies inside the tensor before it, which ends at " +
                              std::to_string(end));
    end = t.offset + t.bytes;
    t.data = file_.bytes().data() + start + t.offset;
  }
  return {};
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  const auto it = std::ranges::lower_bound(tensors_, name, {}, &GgufTensor::name);
  return it == tensors_.end() || it->name != name ? nullptr : &*it;
}

const GgufValue* GgufFile::find(std::string_view key) const {
  const auto it = std::ranges::lower_bound(metadata_, key, {}, &KeyValue::key);
  return it == metadata_.end() || it->key != key ? nullptr : &it->value;
}

}  // namespace tern
