// Writes GGUF files, right and wrong ones, for tests.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace tern::test {

/// Little-endian bytes, one after the other.
class Bytes {
 public:
  template <class T>
  Bytes& number(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Bytes& raw(std::string_view bytes) {
    text_ += bytes;
    return *this;
  }
  Bytes& string(std::string_view text) { return number<uint64_t>(text.size()).raw(text); }

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// A GGUF file in the making. What no setter bends is right.
class GgufWriter {
 public:
  uint32_t version = 3;
  uint64_t alignment = 32;  ///< of the data; written as a key only by set()

  GgufWriter& set(std::string_view key, uint32_t value) { return key_value(key, 4, scalar(value)); }
  GgufWriter& set(std::string_view key, float value) { return key_value(key, 6, scalar(value)); }
  GgufWriter& set(std::string_view key, double value) { return key_value(key, 12, scalar(value)); }
  GgufWriter& set(std::string_view key, bool value) {
    return key_value(key, 7, scalar(uint8_t(value)));
  }
  GgufWriter& set(std::string_view key, std::string_view value) {
    return key_value(key, 8, Bytes().string(value).text());
  }
  GgufWriter& set(std::string_view key, const char* value) {
    return set(key, std::string_view(value));
  }
  GgufWriter& set(std::string_view key, const std::vector<std::string>& values) {
    Bytes bytes;
    bytes.number<uint32_t>(8).number<uint64_t>(values.size());
    for (const std::string& v : values) bytes.string(v);
    return key_value(key, 9, bytes.text());
  }
  GgufWriter& set(std::string_view key, const std::vector<int32_t>& values) {
    return array(key, 5, values);
  }
  GgufWriter& set(std::string_view key, const std::vector<float>& values) {
    return array(key, 6, values);
  }
  GgufWriter& set(std::string_view key, const std::vector<uint8_t>& booleans) {
    return array(key, 7, booleans);
  }

  /// A value of type `type` with these bytes.
  GgufWriter& key_value(std::string_view key, uint32_t type, const std::string& value) {
    keys_ += Bytes().string(key).number(type).raw(value).text();
    ++num_keys;
    return *this;
  }

  /// `shape` outermost first, as NumPy has it; the data goes to the next aligned place.
  GgufWriter& tensor(std::string_view name, const std::vector<uint64_t>& shape, uint32_t type,
                     std::string_view data) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment);
    entry(name, shape, type, data_.size());
    data_ += data;
    return *this;
  }
  GgufWriter& tensor(std::string_view name, const std::vector<uint64_t>& shape,
                     const std::vector<float>& values) {
    return tensor(name, shape, 0,
                  {reinterpret_cast<const char*>(values.data()), values.size() * 4});
  }

  /// A header's entry without data.
  GgufWriter& entry(std::string_view name, const std::vector<uint64_t>& shape, uint32_t type,
                    uint64_t offset) {
    Bytes bytes;
    bytes.string(name).number(uint32_t(shape.size()));
    for (auto size = shape.rbegin(); size != shape.rend(); ++size) bytes.number(*size);
    tensors_ += bytes.number(type).number(offset).text();
    ++num_tensors;
    return *this;
  }

  std::string file() const {
    Bytes bytes;
    bytes.raw("GGUF").number(version).number(num_tensors).number(num_keys);
    std::string text = bytes.raw(keys_).raw(tensors_).text();
    text.resize((text.size() + alignment - 1) / alignment * alignment);
    return text + data_;
  }

  uint64_t num_tensors = 0, num_keys = 0;  ///< as the header says them

 private:
  template <class T>
  static std::string scalar(T value) {
    return Bytes().number(value).text();
  }
  template <class T>
  GgufWriter& array(std::string_view key, uint32_t type, const std::vector<T>& values) {
    Bytes bytes;
    bytes.number(type).number<uint64_t>(values.size());
    for (const T& v : values) bytes.number(v);
    return key_value(key, 9, bytes.text());
  }

  std::string keys_, tensors_, data_;
};

}  // namespace tern::test
