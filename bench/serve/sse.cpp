#include "bench/serve/sse.h"

namespace tern::bench {
namespace {

constexpr size_t kMaxEventBytes = 16 << 20;

}  // namespace

Status SseParser::feed(std::string_view bytes, const OnEvent& on_event) {
  if (after_cr_ && !bytes.empty()) {
    after_cr_ = false;
    if (bytes.front() == '\n') bytes.remove_prefix(1);
  }
  while (!bytes.empty()) {
    const size_t end = bytes.find_first_of("\r\n");
    if (end == bytes.npos) {
      line_ += bytes;
      break;
    }
    line_ += bytes.substr(0, end);
    const bool is_cr = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    end_line(on_event);
    if (is_cr && bytes.empty()) after_cr_ = true;
    if (is_cr && bytes.starts_with('\n')) bytes.remove_prefix(1);
  }
  if (line_.size() + data_.size() > kMaxEventBytes)
    return Status(Code::kOutOfRange, "an event of the stream is over 16 MiB");
  return {};
}

void SseParser::end_line(const OnEvent& on_event) {
  if (line_.empty()) {
    if (has_data_) on_event(data_);
    data_.clear();
    has_data_ = false;
    return;
  }
  std::string_view line = line_;
  if (line.starts_with("data") && (line.size() == 4 || line[4] == ':')) {
    line.remove_prefix(std::min<size_t>(line.size(), 5));
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (has_data_) data_ += '\n';
    data_ += line;
    has_data_ = true;
  }
  line_.clear();
}

}  // namespace tern::bench
