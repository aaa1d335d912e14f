// What a command prints: results on stdout, everything else on stderr.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/status.h"

namespace google::protobuf {
class Message;
}

namespace tern {

/// One JSON document on stdout, on one line.
void print_json(const nlohmann::json& document);

/// "tern: `message`" on stderr. Returns kExitFailed.
int fail(const std::string& message);
int fail(const Status& status);

/// Every field of `message` under its proto name, unset ones with their defaults (unset `optional`
/// ones and messages are left out). 64-bit integers are numbers, enums their names, bytes base64.
nlohmann::json to_json(const google::protobuf::Message& message);

/// The whole file; "-" is stdin. Errors as read_whole_file().
Result<std::string> read_text(const std::string& path);

/// A bar on stderr, where that is a terminal; nothing elsewhere. Not thread-safe.
class ProgressBar {
 public:
  explicit ProgressBar(std::string label);
  ~ProgressBar();  ///< takes the bar away
  ProgressBar(const ProgressBar&) = delete;

  /// `fraction` in [0, 1].
  void update(double fraction);

 private:
  const std::string label_;
  const bool visible_;
  int percent_ = -1;
};

/// Rows of text on stdout, columns aligned: numbers to the right, words to the left.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}

  /// Adds a row, which has as many cells as the header.
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void print() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// "12.5"
std::string fixed(double value, int digits);

/// "CPU, isa, N threads" on stdout, from a measurement's keys `cpu`, `isa` and `threads`.
void print_machine(const nlohmann::json& result);

/// "1.5 GiB", "12.0 MiB", "7 B".
std::string format_bytes(uint64_t bytes);

}  // namespace tern
