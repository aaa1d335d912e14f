#include "cli/support/output.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/whole_file.h"
#include "cli/support/exit_code.h"

namespace tern {
namespace {

namespace pb = google::protobuf;
using Json = nlohmann::json;
using Field = pb::FieldDescriptor;

std::string base64(const std::string& bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = i; j < i + 3; ++j)
      group = group << 8 | (j < bytes.size() ? static_cast<uint8_t>(bytes[j]) : 0);
    for (size_t j = 0; j < 4; ++j)
      out.push_back(i + j <= bytes.size() ? kDigits[group >> (18 - 6 * j) & 63] : '=');
  }
  return out;
}

// The value of a singular field, or of element `index` of a repeated one (-1: singular).
Json value_of(const pb::Message& message, const Field& field, int index) {
  const pb::Reflection& r = *message.GetReflection();
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case Field::CPPTYPE_INT32:
      return one ? r.GetInt32(message, &field) : r.GetRepeatedInt32(message, &field, index);
    case Field::CPPTYPE_INT64:
      return one ? r.GetInt64(message, &field) : r.GetRepeatedInt64(message, &field, index);
    case Field::CPPTYPE_UINT32:
      return one ? r.GetUInt32(message, &field) : r.GetRepeatedUInt32(message, &field, index);
    case Field::CPPTYPE_UINT64:
      return one ? r.GetUInt64(message, &field) : r.GetRepeatedUInt64(message, &field, index);
    case Field::CPPTYPE_DOUBLE:
      return one ? r.GetDouble(message, &field) : r.GetRepeatedDouble(message, &field, index);
    case Field::CPPTYPE_FLOAT:
      return one ? r.GetFloat(message, &field) : r.GetRepeatedFloat(message, &field, index);
    case Field::CPPTYPE_BOOL:
      return one ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, index);
    case Field::CPPTYPE_ENUM:
      return (one ? r.GetEnum(message, &field) : r.GetRepeatedEnum(message, &field, index))->name();
    case Field::CPPTYPE_MESSAGE:
      return to_json(one ? r.GetMessage(message, &field)
                         : r.GetRepeatedMessage(message, &field, index));
    case Field::CPPTYPE_STRING:
      break;
  }
  const std::string text =
      one ? r.GetString(message, &field) : r.GetRepeatedString(message, &field, index);
  return field.type() == Field::TYPE_BYTES ? base64(text) : text;
}

Json repeated_value(const pb::Message& message, const Field& field) {
  Json out = field.is_map() ? Json::object() : Json::array();
  const int size = message.GetReflection()->FieldSize(message, &field);
  for (int i = 0; i < size; ++i) {
    Json value = value_of(message, field, i);
    if (!field.is_map())
      out.push_back(std::move(value));
    else
      out[value["key"].is_string() ? value["key"].get<std::string>() : value["key"].dump()] =
          std::move(value["value"]);
  }
  return out;
}

}  // namespace

nlohmann::json to_json(const pb::Message& message) {
  Json out = Json::object();
  const pb::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const Field& field = *type.field(i);
    if (field.is_repeated())
      out[field.name()] = repeated_value(message, field);
    else if (!field.has_presence() || message.GetReflection()->HasField(message, &field))
      out[field.name()] = value_of(message, field, -1);
  }
  return out;
}

void print_json(const Json& document) {
  std::cout << document.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
}

int fail(const std::string& message) {
  std::cerr << "tern: " << message << std::endl;
  return kExitFailed;
}

int fail(const Status& status) {
  return fail(status.message());
}

Result<std::string> read_text(const std::string& path) {
  if (path != "-") return read_whole_file(path);
  std::ostringstream text;
  text << std::cin.rdbuf();
  return std::move(text).str();
}

ProgressBar::ProgressBar(std::string label)
    : label_(std::move(label)), visible_(isatty(STDERR_FILENO) != 0) {}

ProgressBar::~ProgressBar() {
  if (visible_ && percent_ >= 0) std::cerr << "\r\033[K" << std::flush;
}

void ProgressBar::update(double fraction) {
  constexpr int kWidth = 40;
  const int percent = static_cast<int>(fraction * 100);
  if (!visible_ || percent == percent_) return;
  percent_ = percent;
  const int filled = std::clamp(percent * kWidth / 100, 0, kWidth);
  std::cerr << '\r' << label_ << " [" << std::string(filled, '#')
            << std::string(kWidth - filled, '.') << "] " << percent << " %" << std::flush;
}

void Table::print() const {
  const size_t columns = rows_.front().size();
  std::vector<size_t> width(columns, 0);
  std::vector<bool> numbers(columns, true);
  for (size_t r = 0; r < rows_.size(); ++r)
    for (size_t c = 0; c < columns; ++c) {
      width[c] = std::max(width[c], rows_[r][c].size());
      if (r > 0 && rows_[r][c].find_first_not_of("0123456789.-") != std::string::npos)
        numbers[c] = false;
    }
  for (const auto& row : rows_) {
    std::string line;
    for (size_t c = 0; c < columns; ++c) {
      const std::string gap(width[c] - row[c].size(), ' ');
      line += numbers[c] ? gap + row[c] : row[c] + gap;
      line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::printf("%s\n", line.c_str());
  }
}

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

void print_machine(const Json& result) {
  std::printf("%s, %s, %d threads\n", result["cpu"].get<std::string>().c_str(),
              result["isa"].get<std::string>().c_str(), result["threads"].get<int>());
}

std::string format_bytes(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

}  // namespace tern
