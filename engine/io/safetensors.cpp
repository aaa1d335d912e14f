#include "engine/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/io/json_parse.h"

namespace tern {
namespace {

using nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr size_t kMaxRank = 8;
constexpr size_t kViewRank = 4;  // of a TensorView

/// A type of the format.
struct FileType {
  std::string_view name;
  int bits = 0;                ///< of an element
  std::optional<DType> dtype;  ///< none: nothing here computes with it
};

const FileType* find_type(std::string_view name) {
  static constexpr FileType kTypes[] = {{"F32", 32, DType::kF32}, {"BF16", 16, DType::kBf16},
                                        {"F16", 16, DType::kF16}, {"F64", 64, DType::kF64},
                                        {"I64", 64, DType::kI64}, {"I32", 32, DType::kI32},
                                        {"I16", 16, DType::kI16}, {"I8", 8, DType::kI8},
                                        {"U8", 8, DType::kU8},    {"BOOL", 8, DType::kBool},
                                        {"U16", 16, {}},          {"U32", 32, {}},
                                        {"U64", 64, {}},          {"C64", 64, {}},
                                        {"F8_E4M3", 8, {}},       {"F8_E5M2", 8, {}},
                                        {"F8_E8M0", 8, {}},       {"F8_E4M3FNUZ", 8, {}},
                                        {"F8_E5M2FNUZ", 8, {}},   {"F6_E2M3", 6, {}},
                                        {"F6_E3M2", 6, {}},       {"F4", 4, {}}};
  const auto* found = std::ranges::find(kTypes, name, &FileType::name);
  return found == std::end(kTypes) ? nullptr : found;
}

/// One tensor's header entry: its view without data yet, and its place in the data section.
struct Entry {
  std::string name;
  const FileType* type = nullptr;
  TensorView view;
  uint64_t begin = 0;
  uint64_t end = 0;
};

/// The value for a message.
std::string brief(const json& value) {
  constexpr size_t kMaxBytes = 100;
  const std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true);
  return text.size() <= kMaxBytes ? text : text.substr(0, kMaxBytes) + "...";
}

Status parse_shape(const json& shape, int element_bits, TensorView& view) {
  if (!shape.is_array()) return invalid_argument("\"shape\" is not an array");
  if (shape.size() > kMaxRank)
    return invalid_argument("rank " + std::to_string(shape.size()) + " exceeds the limit " +
                            std::to_string(kMaxRank));
  view.rank = int(std::min(shape.size(), kViewRank));
  // Those of more dimensions belong to parts of a model that see images, and are not read: their
  // first dimensions are taken as one.
  const size_t folded = shape.size() - size_t(view.rank);
  int64_t bytes = std::max(element_bits / 8, 1);
  for (size_t i = 0; i < shape.size(); ++i) {
    if (!shape[i].is_number_unsigned() || shape[i].get<uint64_t>() > uint64_t(INT64_MAX))
      return invalid_argument("shape " + brief(shape) + ": dimension " + brief(shape[i]) +
                              " is not an integer from 0 to 2^63 - 1");
    const auto size = shape[i].get<int64_t>();
    if (__builtin_mul_overflow(bytes, size, &bytes))
      return invalid_argument("shape " + brief(shape) + " overflows 2^63 - 1 bytes");
    view.shape[i < folded ? 0 : i - folded] *= size;
  }
  return {};
}

Status parse_offsets(const json& offsets, Entry& entry) {
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned())
    return invalid_argument("\"data_offsets\" is not a pair of non-negative integers");
  entry.begin = offsets[0].get<uint64_t>();
  entry.end = offsets[1].get<uint64_t>();
  if (entry.begin > entry.end)
    return invalid_argument("data_offsets " + brief(offsets) + " are not in order");
  return {};
}

Status parse_entry(const json& value, uint64_t data_bytes, Entry& entry) {
  if (!value.is_object()) return invalid_argument("its entry is not an object");
  for (const auto& [key, ignored] : value.items())
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      return invalid_argument("unknown key " + in_quotes(key));
  for (const char* key : {"dtype", "shape", "data_offsets"})
    if (!value.contains(key)) return invalid_argument(std::string("lacks \"") + key + "\"");

  if (!value["dtype"].is_string()) return invalid_argument("\"dtype\" is not a string");
  const std::string& dtype_text = value["dtype"].get_ref<const std::string&>();
  entry.type = find_type(dtype_text);
  if (!entry.type) return invalid_argument("unknown dtype " + in_quotes(dtype_text));
  entry.view.dtype = entry.type->dtype.value_or(DType::kU8);
  TERN_TRY(parse_shape(value["shape"], entry.type->bits, entry.view));
  TERN_TRY(parse_offsets(value["data_offsets"], entry));

  const std::string range = "data_offsets " + brief(value["data_offsets"]);
  if (entry.end > data_bytes)
    return invalid_argument(range + " end behind the file's " + std::to_string(data_bytes) +
                            " data bytes");
  // num_elements() cannot overflow: parse_shape checked the product, and a zero among the
  // dimensions only makes it smaller from there on.
  const auto elements = uint64_t(entry.view.num_elements());
  const auto bits = uint64_t(entry.type->bits);
  const uint64_t expected = elements / 8 * bits + (elements % 8 * bits + 7) / 8;
  if (entry.end - entry.begin != expected)
    return invalid_argument(range + " hold " + std::to_string(entry.end - entry.begin) +
                            " bytes, but " + dtype_text + " " + brief(value["shape"]) + " needs " +
                            std::to_string(expected));
  return {};
}

/// The tensors must tile the data section: neither overlaps nor gaps nor a rest.
Status check_layout(std::vector<Entry>& entries, uint64_t data_bytes) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t covered = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != covered)
      return invalid_argument("tensor " + in_quotes(entry.name) + ": begins at data offset " +
                              std::to_string(entry.begin) + ", but the tensors before it end at " +
                              std::to_string(covered) +
                              (entry.begin < covered ? " (overlap)" : " (gap)"));
    covered = entry.end;
  }
  if (covered != data_bytes)
    return invalid_argument("the tensors end at data offset " + std::to_string(covered) + " of " +
                            std::to_string(data_bytes) + " data bytes");
  return {};
}

Result<json> parse_header(std::span<const std::byte> file, uint64_t& header_bytes) {
  if (file.size() < kLengthBytes)
    return invalid_argument("has " + std::to_string(file.size()) +
                            " bytes, less than the header's length field of 8");
  header_bytes = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) header_bytes |= uint64_t(file[i]) << (8 * i);
  if (header_bytes > kMaxHeaderBytes)
    return invalid_argument("header length " + std::to_string(header_bytes) +
                            " exceeds the limit " + std::to_string(kMaxHeaderBytes));
  if (header_bytes > file.size() - kLengthBytes)
    return invalid_argument("header length " + std::to_string(header_bytes) + " exceeds the " +
                            std::to_string(file.size() - kLengthBytes) +
                            " bytes that follow in the file");
  const auto* text = reinterpret_cast<const char*>(file.data() + kLengthBytes);
  TERN_ASSIGN(json header, parse_json({text, size_t(header_bytes)}, "header"));
  if (!header.is_object()) return invalid_argument("the header is not a JSON object");
  return header;
}

Status parse_metadata(const json& value, std::map<std::string, std::string, std::less<>>& out) {
  if (!value.is_object()) return invalid_argument("\"__metadata__\" is not an object");
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string())
      return invalid_argument("\"__metadata__\": " + in_quotes(key) + " is not a string");
    out[key] = text.get<std::string>();
  }
  return {};
}

}  // namespace

Result<SafetensorsFile> SafetensorsFile::open(const std::string& path) {
  SafetensorsFile result;
  result.path_ = path;
  TERN_ASSIGN(result.file_, MappedFile::open(path));
  if (Status status = result.parse(); !status.ok()) return status.with_context(path);
  return result;
}

Status SafetensorsFile::parse() {
  uint64_t header_bytes = 0;
  TERN_ASSIGN(const json header, parse_header(file_.bytes(), header_bytes));
  const auto data = file_.bytes().subspan(kLengthBytes + size_t(header_bytes));

  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      TERN_TRY(parse_metadata(value, metadata_));
      continue;
    }
    if (name.empty()) return invalid_argument("a tensor has an empty name");
    Entry entry{.name = name, .view = {}};
    if (Status s = parse_entry(value, data.size(), entry); !s.ok())
      return s.with_context("tensor " + in_quotes(name));
    entries.push_back(std::move(entry));
  }
  TERN_TRY(check_layout(entries, data.size()));

  for (Entry& entry : entries) {
    entry.view.data = data.data() + entry.begin;
    if (!entry.type->dtype) {
      const TensorView& view = entry.view;
      foreign_[entry.name] = {std::string(entry.type->name), {view.shape, view.shape + view.rank}};
      entry.view = {.data = view.data, .dtype = DType::kU8, .rank = 1};
      entry.view.shape[0] = int64_t(entry.end - entry.begin);
    }
    tensors_.emplace(std::move(entry.name), entry.view);
  }
  return {};
}

const ForeignType* SafetensorsFile::foreign_type(std::string_view name) const {
  const auto it = foreign_.find(name);
  return it == foreign_.end() ? nullptr : &it->second;
}

const TensorView* SafetensorsFile::find(std::string_view name) const {
  const auto it = tensors_.find(name);
  return it == tensors_.end() ? nullptr : &it->second;
}

}  // namespace tern
