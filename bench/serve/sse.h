// Server-sent events, as they come in pieces.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tern::bench {

/// Takes a text/event-stream apart (WHATWG HTML, section 9.2). Lines end with LF, CR LF or CR;
/// comments and the fields event, id and retry are passed over.
class SseParser {
 public:
  /// The data of one event: its data lines, joined by LF. Valid during the call only.
  using OnEvent = std::function<void(std::string_view data)>;

  /// The next bytes. kOutOfRange: an event is larger than 16 MiB.
  Status feed(std::string_view bytes, const OnEvent& on_event);

 private:
  void end_line(const OnEvent& on_event);

  std::string line_, data_;
  bool has_data_ = false;
  bool after_cr_ = false;  // an LF that follows belongs to the line that has ended
};

}  // namespace tern::bench
