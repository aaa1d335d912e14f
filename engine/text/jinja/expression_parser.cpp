#include "engine/text/jinja/expression_parser.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/tests.h"

namespace tern::jinja {
namespace {

using Kind = Expr::Kind;
using Type = Token::Type;

std::vector<ExprPtr> nodes(ExprPtr a, ExprPtr b = nullptr) {
  std::vector<ExprPtr> list;
  list.push_back(std::move(a));
  if (b) list.push_back(std::move(b));
  return list;
}

bool is_constant(std::string_view name) {
  return name == "true" || name == "True" || name == "false" || name == "False" || name == "none" ||
         name == "None";
}

/// The flag that tells whether a macro takes the special argument `name`; null for other names.
bool* special_argument(Macro& macro, std::string_view name) {
  return name == "caller"    ? &macro.takes_caller
         : name == "kwargs"  ? &macro.takes_kwargs
         : name == "varargs" ? &macro.takes_varargs
                             : nullptr;
}

}  // namespace

Status ExpressionParser::error(std::string_view message) const {
  return invalid_argument(at_line(peek().line, message));
}

Status ExpressionParser::unknown(std::string_view what) const {
  return {Code::kUnimplemented, at_line(peek().line, "tern does not know " + std::string(what))};
}

Status ExpressionParser::unexpected() const {
  switch (peek().type) {
    case Type::kEnd:
      return error("unexpected end of the template");
    case Type::kEndBlock:
      return error("unexpected '%}'");
    case Type::kEndPrint:
      return error("unexpected '}}'");
    default:
      return error("unexpected " + string_repr(peek().text));
  }
}

Status ExpressionParser::expect_operator(std::string_view op) {
  return accept_operator(op) ? Status()
                             : unexpected().with_context("expected '" + std::string(op) + "'");
}

Result<std::string> ExpressionParser::expect_name() {
  if (peek().type != Type::kName) return unexpected().with_context("expected a name");
  return take().text;
}

Result<ExprPtr> ExpressionParser::make(Kind kind, std::string name, std::vector<ExprPtr> children) {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->line = peek().line;
  expr->name = std::move(name);
  expr->children = std::move(children);
  for (const ExprPtr& child : expr->children)
    if (child) expr->depth = std::max(expr->depth, child->depth + 1);
  if (expr->depth > kMaxTreeDepth)
    return error("an expression is nested deeper than " + std::to_string(kMaxTreeDepth));
  return expr;
}

Result<ExprPtr> ExpressionParser::parse_tuple(bool with_conditional) {
  TERN_ASSIGN(ExprPtr first, parse_expression(with_conditional));
  if (!at_operator(",")) return first;
  std::vector<ExprPtr> items = nodes(std::move(first));
  while (accept_operator(",")) {
    const bool ends =
        at_operator(")") || peek().type == Type::kEndBlock || peek().type == Type::kEndPrint;
    if (ends) break;
    TERN_ASSIGN(ExprPtr item, parse_expression(with_conditional));
    items.push_back(std::move(item));
  }
  return make(Kind::kTuple, "", std::move(items));
}

void ExpressionParser::note_load(std::string_view name) {
  for (size_t i = 0; i < macros_.size(); ++i) {
    bool* flag = special_argument(*macros_[i], name);
    const auto& stored = stored_[i];
    if (flag && std::find(stored.begin(), stored.end(), name) == stored.end()) *flag = true;
  }
}

void ExpressionParser::note_store(std::string_view name) {
  for (size_t i = 0; i < macros_.size(); ++i)
    for (const std::string_view special : {"caller", "kwargs", "varargs"})
      if (name == special) stored_[i].push_back(special);
}

Result<std::string> ExpressionParser::parse_target_name() {
  TERN_ASSIGN(std::string name, expect_name());
  if (is_constant(name)) return error("cannot assign to " + string_repr(name));
  note_store(name);
  return name;
}

Result<ExprPtr> ExpressionParser::parse_target_part(bool with_attribute) {
  if (accept_operator("(")) {
    if (++nesting_ > kMaxNesting) return error("the template is nested too deeply");
    std::vector<ExprPtr> parts;
    bool is_tuple = at_operator(")");
    while (!at_operator(")")) {
      TERN_ASSIGN(ExprPtr part, parse_target_part(with_attribute));
      parts.push_back(std::move(part));
      if (!accept_operator(",")) break;
      is_tuple = true;
    }
    TERN_TRY(expect_operator(")"));
    --nesting_;
    if (!is_tuple) return std::move(parts[0]);
    return make(Kind::kTuple, "", std::move(parts));
  }
  const bool is_attribute = with_attribute && peek(1).is(Type::kOperator, ".");
  TERN_ASSIGN(std::string name, is_attribute ? expect_name() : parse_target_name());
  TERN_ASSIGN(ExprPtr target, make(Kind::kName, std::move(name), {}));
  if (!is_attribute) return target;
  take();
  TERN_ASSIGN(std::string attribute, expect_name());
  return make(Kind::kAttribute, std::move(attribute), nodes(std::move(target)));
}

Result<ExprPtr> ExpressionParser::parse_target(bool with_attribute) {
  TERN_ASSIGN(ExprPtr first, parse_target_part(with_attribute));
  if (!at_operator(",")) return first;
  std::vector<ExprPtr> targets = nodes(std::move(first));
  while (accept_operator(",")) {
    if (peek().type == Type::kEndBlock) break;
    TERN_ASSIGN(ExprPtr target, parse_target_part(with_attribute));
    targets.push_back(std::move(target));
  }
  return make(Kind::kTuple, "", std::move(targets));
}

Result<ExprPtr> ExpressionParser::parse_expression(bool with_conditional) {
  if (++nesting_ > kMaxNesting) return error("the template is nested too deeply");
  const size_t known = unknown_.size();
  TERN_ASSIGN(ExprPtr value, parse_or());
  while (with_conditional && accept_name("if")) {
    std::vector<ExprPtr> parts;
    TERN_ASSIGN(ExprPtr condition, parse_or());
    parts.push_back(std::move(condition));
    parts.push_back(std::move(value));
    parts.emplace_back();
    if (accept_name("else")) {
      TERN_ASSIGN(parts[2], parse_expression());
    }
    TERN_ASSIGN(value, make(Kind::kConditional, "", std::move(parts)));
    unknown_.resize(known);
  }
  --nesting_;
  return value;
}

Result<ExprPtr> ExpressionParser::parse_or() {
  TERN_ASSIGN(ExprPtr left, parse_and());
  while (accept_name("or")) {
    TERN_ASSIGN(ExprPtr right, parse_and());
    TERN_ASSIGN(left, make(Kind::kBinary, "or", nodes(std::move(left), std::move(right))));
  }
  return left;
}

Result<ExprPtr> ExpressionParser::parse_and() {
  TERN_ASSIGN(ExprPtr left, parse_not());
  while (accept_name("and")) {
    TERN_ASSIGN(ExprPtr right, parse_not());
    TERN_ASSIGN(left, make(Kind::kBinary, "and", nodes(std::move(left), std::move(right))));
  }
  return left;
}

Result<ExprPtr> ExpressionParser::parse_not() {
  size_t count = 0;
  while (accept_name("not")) ++count;
  TERN_ASSIGN(ExprPtr value, parse_compare());
  for (; count > 0; --count) {
    TERN_ASSIGN(value, make(Kind::kUnary, "not", nodes(std::move(value))));
  }
  return value;
}

Result<std::string> ExpressionParser::accept_comparison() {
  for (const char* op : {"==", "!=", "<=", ">=", "<", ">"})
    if (accept_operator(op)) return std::string(op);
  if (accept_name("in")) return std::string("in");
  if (at_name("not") && peek(1).is(Type::kName, "in")) {
    take();
    take();
    return std::string("not in");
  }
  return std::string();
}

Result<ExprPtr> ExpressionParser::parse_compare() {
  TERN_ASSIGN(ExprPtr first, parse_sum());
  std::vector<ExprPtr> operands = nodes(std::move(first));
  std::vector<std::string> operators;
  while (true) {
    TERN_ASSIGN(std::string op, accept_comparison());
    if (op.empty()) break;
    operators.push_back(std::move(op));
    TERN_ASSIGN(ExprPtr operand, parse_sum());
    operands.push_back(std::move(operand));
  }
  if (operators.empty()) return std::move(operands[0]);
  TERN_ASSIGN(ExprPtr expr, make(Kind::kCompare, "", std::move(operands)));
  expr->operators = std::move(operators);
  return expr;
}

Result<ExprPtr> ExpressionParser::parse_left_to_right(Parse operand,
                                                      std::initializer_list<std::string_view> ops) {
  TERN_ASSIGN(ExprPtr left, (this->*operand)());
  while (true) {
    const auto* op = std::find_if(ops.begin(), ops.end(),
                                  [&](std::string_view o) { return accept_operator(o); });
    if (op == ops.end()) return left;
    TERN_ASSIGN(ExprPtr right, (this->*operand)());
    TERN_ASSIGN(left,
                make(Kind::kBinary, std::string(*op), nodes(std::move(left), std::move(right))));
  }
}

Result<ExprPtr> ExpressionParser::parse_sum() {
  return parse_left_to_right(&ExpressionParser::parse_concat, {"+", "-"});
}

Result<ExprPtr> ExpressionParser::parse_concat() {
  return parse_left_to_right(&ExpressionParser::parse_product, {"~"});
}

Result<ExprPtr> ExpressionParser::parse_product() {
  return parse_left_to_right(&ExpressionParser::parse_power, {"*", "/", "//", "%"});
}

Result<ExprPtr> ExpressionParser::parse_power() {
  return parse_left_to_right(&ExpressionParser::parse_unary, {"**"});
}

Result<ExprPtr> ExpressionParser::parse_signed(bool with_filters) {
  ExprPtr value;
  if (at_operator("-") || at_operator("+")) {
    if (++nesting_ > kMaxNesting) return error("the template is nested too deeply");
    std::string sign = take().text;
    TERN_ASSIGN(ExprPtr operand, parse_signed(false));
    TERN_ASSIGN(value, make(Kind::kUnary, std::move(sign), nodes(std::move(operand))));
    --nesting_;
  } else {
    TERN_ASSIGN(value, parse_primary());
  }
  TERN_ASSIGN(value, parse_postfix(std::move(value)));
  return with_filters ? parse_filters_and_tests(std::move(value))
                      : Result<ExprPtr>(std::move(value));
}

Result<ExprPtr> ExpressionParser::parse_primary() {
  if (peek().type == Type::kName) return parse_name();
  if (peek().type == Type::kInteger || peek().type == Type::kFloat) return parse_number();
  if (peek().type == Type::kString) return parse_strings();
  if (at_operator("(")) return parse_parenthesis();
  if (at_operator("[")) return parse_list();
  if (at_operator("{")) return parse_dict();
  return unexpected();
}

Result<ExprPtr> ExpressionParser::parse_name() {
  std::string name = take().text;
  note_load(name);
  if (!is_constant(name)) return make(Kind::kName, std::move(name), {});
  TERN_ASSIGN(ExprPtr literal, make(Kind::kLiteral, "", {}));
  const char first = char(name[0] | 0x20);
  if (first != 'n') literal->literal = Value(first == 't');
  return literal;
}

Result<ExprPtr> ExpressionParser::parse_number() {
  const Token token = take();
  const char *begin = token.text.data(), *end = begin + token.text.size();
  TERN_ASSIGN(ExprPtr literal, make(Kind::kLiteral, "", {}));
  if (token.type == Type::kInteger) {
    const char letter = token.text.size() > 1 ? char(token.text[1] | 0x20) : ' ';
    const int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
    int64_t value = 0;
    const auto failure = std::from_chars(base == 10 ? begin : begin + 2, end, value, base).ec;
    if (failure != std::errc()) return error("number " + token.text + " exceeds 64 bits");
    literal->literal = Value(value);
  } else {
    literal->literal = Value(std::strtod(token.text.c_str(), nullptr));  // beyond a double: inf
  }
  return literal;
}

Result<ExprPtr> ExpressionParser::parse_strings() {
  std::string text;
  while (peek().type == Type::kString) text += take().text;
  TERN_ASSIGN(ExprPtr literal, make(Kind::kLiteral, "", {}));
  literal->literal = Value(std::move(text));
  return literal;
}

Result<ExprPtr> ExpressionParser::parse_parenthesis() {
  take();
  if (accept_operator(")")) return make(Kind::kTuple, "", {});
  TERN_ASSIGN(ExprPtr value, parse_tuple());
  TERN_TRY(expect_operator(")"));
  return value;
}

Result<ExprPtr> ExpressionParser::parse_list() {
  take();
  std::vector<ExprPtr> items;
  while (!at_operator("]")) {
    TERN_ASSIGN(ExprPtr item, parse_expression());
    items.push_back(std::move(item));
    if (!accept_operator(",")) break;
  }
  TERN_TRY(expect_operator("]"));
  return make(Kind::kList, "", std::move(items));
}

Result<ExprPtr> ExpressionParser::parse_dict() {
  take();
  std::vector<ExprPtr> items;
  while (!at_operator("}")) {
    TERN_ASSIGN(ExprPtr key, parse_expression());
    TERN_TRY(expect_operator(":"));
    TERN_ASSIGN(ExprPtr value, parse_expression());
    items.push_back(std::move(key));
    items.push_back(std::move(value));
    if (!accept_operator(",")) break;
  }
  TERN_TRY(expect_operator("}"));
  return make(Kind::kDict, "", std::move(items));
}

Result<ExprPtr> ExpressionParser::parse_postfix(ExprPtr value) {
  while (true) {
    if (accept_operator(".")) {
      TERN_ASSIGN(value, parse_attribute(std::move(value)));
    } else if (accept_operator("[")) {
      TERN_ASSIGN(value, parse_subscript(std::move(value)));
    } else if (at_operator("(")) {
      TERN_ASSIGN(value, make(Kind::kCall, "", nodes(std::move(value))));
      TERN_TRY(parse_arguments(*value));
    } else {
      return value;
    }
  }
}

Result<ExprPtr> ExpressionParser::parse_attribute(ExprPtr value) {
  if (peek().type == Type::kInteger) {  // x.0 is x[0]
    TERN_ASSIGN(ExprPtr index, parse_number());
    return make(Kind::kItem, "", nodes(std::move(value), std::move(index)));
  }
  TERN_ASSIGN(std::string name, expect_name());
  return make(Kind::kAttribute, std::move(name), nodes(std::move(value)));
}

Result<ExprPtr> ExpressionParser::parse_subscript(ExprPtr value) {
  std::vector<ExprPtr> parts = nodes(std::move(value));
  bool is_slice = false;
  if (at_operator("]")) {  // the empty tuple
    TERN_ASSIGN(ExprPtr key, make(Kind::kTuple, "", {}));
    parts.push_back(std::move(key));
  }
  while (!at_operator("]")) {
    parts.emplace_back();
    if (!at_operator(":")) {
      TERN_ASSIGN(parts.back(), is_slice ? parse_expression() : parse_subscript_tuple());
    }
    if (parts.size() == 4 || !accept_operator(":")) break;
    is_slice = true;
  }
  TERN_TRY(expect_operator("]"));
  if (!is_slice) return make(Kind::kItem, "", std::move(parts));
  parts.resize(4);
  return make(Kind::kSlice, "", std::move(parts));
}

/// What stands in brackets: a key, or several with commas between, a tuple.
Result<ExprPtr> ExpressionParser::parse_subscript_tuple() {
  TERN_ASSIGN(ExprPtr first, parse_expression());
  if (!at_operator(",")) return first;
  std::vector<ExprPtr> items = nodes(std::move(first));
  while (accept_operator(",")) {
    if (at_operator("]")) break;
    TERN_ASSIGN(ExprPtr item, parse_expression());
    items.push_back(std::move(item));
  }
  return make(Kind::kTuple, "", std::move(items));
}

Status ExpressionParser::parse_argument(Expr& call) {
  const auto take_value = [&](ExprPtr& slot) -> Status {
    TERN_ASSIGN(slot, parse_expression());
    call.depth = std::max(call.depth, slot->depth + 1);
    return {};
  };
  if (call.double_star) return error("an argument follows **");
  if (accept_operator("**")) return take_value(call.double_star);
  if (at_operator("*")) {
    if (call.star) return error("a call has two * arguments");
    take();
    return take_value(call.star);
  }
  if (peek().type == Type::kName && peek(1).is(Type::kOperator, "=")) {
    std::string name = take().text;
    take();
    for (const auto& [other, value] : call.named)
      if (other == name) return error("the argument " + string_repr(name) + " is given twice");
    call.named.emplace_back(std::move(name), nullptr);
    return take_value(call.named.back().second);
  }
  if (call.star || !call.named.empty())
    return error("an argument without a name follows one with a name");
  ExprPtr value;
  TERN_TRY(take_value(value));
  call.children.push_back(std::move(value));
  return {};
}

Status ExpressionParser::parse_arguments(Expr& call) {
  TERN_TRY(expect_operator("("));
  while (!at_operator(")")) {
    TERN_TRY(parse_argument(call));
    if (!accept_operator(",")) break;
  }
  return expect_operator(")");
}

Result<ExprPtr> ExpressionParser::parse_filters_and_tests(ExprPtr value) {
  while (true) {
    if (accept_operator("|")) {
      TERN_ASSIGN(value, parse_filter(std::move(value)));
    } else if (accept_name("is")) {
      TERN_ASSIGN(value, parse_test(std::move(value)));
    } else if (at_operator("(")) {
      TERN_ASSIGN(value, make(Kind::kCall, "", nodes(std::move(value))));
      TERN_TRY(parse_arguments(*value));
    } else {
      return value;
    }
  }
}

Result<ExprPtr> ExpressionParser::parse_filters(ExprPtr value) {
  do {
    TERN_ASSIGN(value, parse_filter(std::move(value)));
  } while (accept_operator("|"));
  return value;
}

Result<std::string> ExpressionParser::parse_dotted_name() {
  TERN_ASSIGN(std::string name, expect_name());
  while (accept_operator(".")) {
    TERN_ASSIGN(const std::string part, expect_name());
    name += "." + part;
  }
  return name;
}

Result<ExprPtr> ExpressionParser::parse_filter(ExprPtr value) {
  TERN_ASSIGN(std::string name, parse_dotted_name());
  if (!find_filter(name)) unknown_.push_back(unknown("the filter " + string_repr(name)));
  TERN_ASSIGN(ExprPtr filter, make(Kind::kFilter, std::move(name), nodes(std::move(value))));
  if (at_operator("(")) TERN_TRY(parse_arguments(*filter));
  return filter;
}

Result<ExprPtr> ExpressionParser::parse_test(ExprPtr value) {
  const bool negated = accept_name("not");
  TERN_ASSIGN(std::string name, parse_dotted_name());
  if (!find_test(name)) unknown_.push_back(unknown("the test " + string_repr(name)));
  TERN_ASSIGN(ExprPtr test, make(Kind::kTest, std::move(name), nodes(std::move(value))));
  const Type next = peek().type;
  const bool ends = at_name("else") || at_name("or") || at_name("and");
  const bool has_operand = next == Type::kString || next == Type::kInteger ||
                           next == Type::kFloat || (next == Type::kName && !ends) ||
                           at_operator("[") || at_operator("{");
  if (at_operator("(")) {
    TERN_TRY(parse_arguments(*test));
  } else if (has_operand) {
    if (at_name("is")) return error("tests cannot be chained with 'is'");
    TERN_ASSIGN(ExprPtr operand, parse_primary());
    TERN_ASSIGN(operand, parse_postfix(std::move(operand)));
    test->depth = std::max(test->depth, operand->depth + 1);
    test->children.push_back(std::move(operand));
  }
  return negated ? make(Kind::kUnary, "not", nodes(std::move(test)))
                 : Result<ExprPtr>(std::move(test));
}

}  // namespace tern::jinja
