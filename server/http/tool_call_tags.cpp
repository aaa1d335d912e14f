#include "server/http/tool_call_tags.h"

#include <algorithm>

namespace tern::http {
namespace {

struct FoundTag {
  size_t at;
  std::string_view tag;
};

// The first of the two; at npos where there is none.
FoundTag find_tag(std::string_view text) {
  const size_t open = text.find(kToolCallOpen), close = text.find(kToolCallClose);
  return open < close ? FoundTag{open, kToolCallOpen} : FoundTag{close, kToolCallClose};
}

size_t partial_tags(std::string_view text) {
  return std::max(partial_tag(text, kToolCallOpen), partial_tag(text, kToolCallClose));
}

}  // namespace

size_t partial_tag(std::string_view text, std::string_view tag) {
  for (size_t n = std::min(text.size(), tag.size() - 1); n > 0; --n)
    if (text.ends_with(tag.substr(0, n))) return n;
  return 0;
}

void TagMarker::add_token(std::string_view bytes) {
  spelled_ += bytes;
  for (FoundTag found; (found = find_tag(spelled_)).at != std::string::npos;) {
    is_special_.push_back(false);
    spelled_.erase(0, found.at + found.tag.size());
  }
  spelled_.erase(0, spelled_.size() - partial_tags(spelled_));
}

void TagMarker::add_tag() {
  is_special_.push_back(true);
  spelled_.clear();
}

std::string TagMarker::push(std::string_view text) {
  held_ += text;
  std::string out;
  for (FoundTag found; (found = find_tag(held_)).at != std::string::npos;) {
    out.append(held_, 0, found.at);
    held_.erase(0, found.at + found.tag.size());
    const bool is_special = !is_special_.empty() && is_special_.front();
    if (!is_special_.empty()) is_special_.pop_front();
    if (is_special)
      out += found.tag == kToolCallOpen ? kHiddenOpen : kHiddenClose;
    else
      out += found.tag;
  }
  const size_t certain = held_.size() - partial_tags(held_);
  out.append(held_, 0, certain);
  held_.erase(0, certain);
  return out;
}

}  // namespace tern::http
