#include "engine/text/jinja/expression_parser.h"

#include <algorithm>
#include <charconv>

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

/// Words that end an operand, so that `is defined and …` does not take `and` as the test's
/// argument.
bool is_keyword(std::string_view name) {
  constexpr std::string_view kKeywords[] = {"else", "or", "and", "is", "if", "in", "not"};
  return std::find(std::begin(kKeywords), std::end(kKeywords), name) != std::end(kKeywords);
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
    const bool ends = at_operator(")") || at_operator("=") || peek().type == Type::kEndBlock ||
                      peek().type == Type::kEndPrint;
    if (ends) break;
    TERN_ASSIGN(ExprPtr item, parse_expression(with_conditional));
    items.push_back(std::move(item));
  }
  return make(Kind::kTuple, "", std::move(items));
}

Result<ExprPtr> ExpressionParser::parse_target(bool with_attribute) {
  std::vector<ExprPtr> targets;
  const bool parenthesised = accept_operator("(");
  do {
    TERN_ASSIGN(std::string name, expect_name());
    if (is_keyword(name)) return error("cannot assign to " + string_repr(name));
    TERN_ASSIGN(ExprPtr target, make(Kind::kName, std::move(name), {}));
    if (with_attribute && accept_operator(".")) {
      TERN_ASSIGN(std::string attribute, expect_name());
      TERN_ASSIGN(target, make(Kind::kAttribute, std::move(attribute), nodes(std::move(target))));
    }
    targets.push_back(std::move(target));
  } while (accept_operator(","));
  if (parenthesised) TERN_TRY(expect_operator(")"));
  if (targets.size() == 1) return std::move(targets[0]);
  return make(Kind::kTuple, "", std::move(targets));
}

Result<ExprPtr> ExpressionParser::parse_expression(bool with_conditional) {
  if (++nesting_ > kMaxNesting) return error("the template is nested too deeply");
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
  if (is_keyword(peek().text)) return unexpected();
  std::string name = take().text;
  const bool is_true = name == "true" || name == "True",
             is_false = name == "false" || name == "False";
  if (!is_true && !is_false && name != "none" && name != "None")
    return make(Kind::kName, std::move(name), {});
  TERN_ASSIGN(ExprPtr literal, make(Kind::kLiteral, "", {}));
  if (is_true || is_false) literal->literal = Value(is_true);
  return literal;
}

Result<ExprPtr> ExpressionParser::parse_number() {
  const Token token = take();
  const char *begin = token.text.data(), *end = begin + token.text.size();
  TERN_ASSIGN(ExprPtr literal, make(Kind::kLiteral, "", {}));
  std::errc failure{};
  if (token.type == Type::kInteger) {
    int64_t value = 0;
    failure = std::from_chars(begin, end, value).ec;
    literal->literal = Value(value);
  } else {
    double value = 0;
    failure = std::from_chars(begin, end, value).ec;
    literal->literal = Value(value);
  }
  if (failure != std::errc()) return error("number " + token.text + " is out of range");
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
  if (peek().type == Type::kInteger) {
    TERN_ASSIGN(ExprPtr index, parse_number());
    return make(Kind::kItem, "", nodes(std::move(value), std::move(index)));
  }
  TERN_ASSIGN(std::string name, expect_name());
  return make(Kind::kAttribute, std::move(name), nodes(std::move(value)));
}

Result<ExprPtr> ExpressionParser::parse_subscript(ExprPtr value) {
  std::vector<ExprPtr> parts = nodes(std::move(value));
  bool is_slice = false;
  while (true) {
    parts.emplace_back();
    if (!at_operator(":") && !at_operator("]")) {
      TERN_ASSIGN(parts.back(), parse_expression());
    }
    if (parts.size() == 4 || !accept_operator(":")) break;
    is_slice = true;
  }
  TERN_TRY(expect_operator("]"));
  if (!is_slice && !parts[1]) return error("a subscript is empty");
  if (!is_slice) return make(Kind::kItem, "", std::move(parts));
  parts.resize(4);
  return make(Kind::kSlice, "", std::move(parts));
}

Status ExpressionParser::parse_arguments(Expr& call) {
  TERN_TRY(expect_operator("("));
  while (!at_operator(")")) {
    if (at_operator("*") || at_operator("**")) return unknown("'*' before an argument");
    const bool is_named = peek().type == Type::kName && peek(1).is(Type::kOperator, "=");
    std::string name;
    if (is_named) {
      name = take().text;
      take();
    } else if (!call.named.empty()) {
      return error("an argument without a name follows one with a name");
    }
    TERN_ASSIGN(ExprPtr value, parse_expression());
    call.depth = std::max(call.depth, value->depth + 1);
    if (is_named)
      call.named.emplace_back(std::move(name), std::move(value));
    else
      call.children.push_back(std::move(value));
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

Result<ExprPtr> ExpressionParser::parse_filter(ExprPtr value) {
  TERN_ASSIGN(std::string name, expect_name());
  if (ifs_ == 0 && !find_filter(name)) return unknown("the filter " + string_repr(name));
  TERN_ASSIGN(ExprPtr filter, make(Kind::kFilter, std::move(name), nodes(std::move(value))));
  if (at_operator("(")) TERN_TRY(parse_arguments(*filter));
  return filter;
}

Result<ExprPtr> ExpressionParser::parse_test(ExprPtr value) {
  const bool negated = accept_name("not");
  TERN_ASSIGN(std::string name, expect_name());
  if (ifs_ == 0 && !find_test(name)) return unknown("the test " + string_repr(name));
  TERN_ASSIGN(ExprPtr test, make(Kind::kTest, std::move(name), nodes(std::move(value))));
  const Type next = peek().type;
  const bool has_operand =
      next == Type::kString || next == Type::kInteger || next == Type::kFloat ||
      (next == Type::kName && !is_keyword(peek().text)) || at_operator("[") || at_operator("{");
  if (at_operator("(")) {
    TERN_TRY(parse_arguments(*test));
  } else if (has_operand) {
    TERN_ASSIGN(ExprPtr operand, parse_primary());
    TERN_ASSIGN(operand, parse_postfix(std::move(operand)));
    test->depth = std::max(test->depth, operand->depth + 1);
    test->children.push_back(std::move(operand));
  }
  return negated ? make(Kind::kUnary, "not", nodes(std::move(test)))
                 : Result<ExprPtr>(std::move(test));
}

}  // namespace tern::jinja
