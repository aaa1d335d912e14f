// Chat templates as tokens: text, and what stands between {{ }} and {% %}.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tern::jinja {

struct Token {
  enum class Type {
    kText,        ///< outside of tags
    kBeginPrint,  ///< {{
    kEndPrint,    ///< }}
    kBeginBlock,  ///< {%
    kEndBlock,    ///< %}
    kName,
    kString,   ///< `text` is unescaped
    kInteger,  ///< `text` has no underscores
    kFloat,
    kOperator,
    kEnd,  ///< of the template
  };
  Type type = Type::kEnd;
  std::string text;
  int line = 1;

  bool is(Type t, std::string_view value) const { return type == t && text == value; }
};

/// The tokens of `source`, ending with kEnd. Comments and the white space that tags swallow are
/// gone: trim_blocks and lstrip_blocks are on, as in Hugging Face's environment. kInvalidArgument
/// with the line of the mistake.
Result<std::vector<Token>> tokenize(std::string_view source);

/// "line 7: `message`".
std::string at_line(int line, std::string_view message);

}  // namespace tern::jinja
