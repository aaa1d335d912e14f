// The interpreter's expressions.
#include <algorithm>

#include "base/utf8_char.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/lexer.h"

namespace tern::jinja {
namespace {

using Kind = Expr::Kind;

/// A slice of [0, size) as Python computes it: `count` indices from `start` on, `step` apart.
struct SliceRange {
  int64_t start = 0;
  int64_t step = 1;
  int64_t count = 0;
};

Result<int64_t> slice_bound(const Value& bound, int64_t otherwise) {
  if (bound.is_none()) return otherwise;
  if (!bound.is_integer()) return invalid_argument("slice indices must be integers or None");
  return bound.integer();
}

Result<SliceRange> slice_range(const Value bounds[3], int64_t size) {
  SliceRange range;
  TERN_ASSIGN(range.step, slice_bound(bounds[2], 1));
  if (range.step == 0) return invalid_argument("slice step cannot be zero");
  range.step = std::clamp(range.step, -size - 1, size + 1);  // beyond that nothing changes
  const bool backwards = range.step < 0;
  const int64_t low = backwards ? -1 : 0, high = backwards ? size - 1 : size;
  const auto place = [&](int64_t i) {
    return std::clamp(i < 0 ? std::max(i, -size - 1) + size : i, low, high);
  };
  TERN_ASSIGN(const int64_t start, slice_bound(bounds[0], backwards ? INT64_MAX : 0));
  range.start = place(start);
  int64_t stop = backwards ? -1 : size;
  if (!bounds[1].is_none()) {
    TERN_ASSIGN(const int64_t given, slice_bound(bounds[1], 0));
    stop = place(given);
  }
  const int64_t distance = backwards ? range.start - stop : stop - range.start;
  const int64_t stride = backwards ? -range.step : range.step;
  range.count = distance > 0 ? (distance + stride - 1) / stride : 0;
  return range;
}

std::string slice_text(std::string_view text, const SliceRange& range) {
  if (range.step == 1) {
    const size_t begin = char_offset(text, size_t(range.start));
    const std::string_view rest = text.substr(begin);
    return std::string(rest.substr(0, char_offset(rest, size_t(range.count))));
  }
  std::vector<std::string_view> characters;
  for (; !text.empty(); text.remove_prefix(characters.back().size()))
    characters.push_back(text.substr(0, first_char(text).size));
  std::string out;
  for (int64_t i = 0; i < range.count; ++i) out += characters[size_t(range.start + i * range.step)];
  return out;
}

}  // namespace

Result<Value> Interpreter::evaluate(const Expr& expr) {
  if (const Status status = enter(); !status.ok()) return located(status, expr.line);
  Result<Value> value = evaluate_node(expr);
  leave();
  return value;
}

Result<Value> Interpreter::evaluate_node(const Expr& expr) {
  switch (expr.kind) {
    case Kind::kLiteral:
      return expr.literal;
    case Kind::kName:
      return evaluate_name(expr);
    case Kind::kList:
    case Kind::kTuple: {
      TERN_ASSIGN(std::vector<Value> items, evaluate_all(expr.children, 0));
      return list(std::move(items),
                  expr.kind == Kind::kList ? List::Kind::kList : List::Kind::kTuple);
    }
    case Kind::kDict:
      return evaluate_dict(expr);
    case Kind::kUnary:
      return evaluate_unary(expr);
    case Kind::kBinary:
      return evaluate_binary(expr);
    case Kind::kCompare:
      return evaluate_compare(expr);
    case Kind::kConditional:
      return evaluate_conditional(expr);
    default:
      break;
  }
  // Kinds whose first child is what the rest applies to.
  if (expr.kind == Kind::kSlice) return evaluate_slice(expr);
  TERN_ASSIGN(const Value value, evaluate(*expr.children[0]));
  TERN_ASSIGN(const CallArgs args, evaluate_arguments(expr));
  Result<Value> result = Value();
  if (expr.kind == Kind::kAttribute) {
    result = get_attribute(value, expr.name);
  } else if (expr.kind == Kind::kItem) {
    result = get_item(value, args.positional[0]);
  } else if (expr.kind == Kind::kFilter) {
    result = filter(expr.name, value, args);
  } else if (expr.kind == Kind::kTest) {
    const Result<bool> truth = test(expr.name, value, args);
    result = truth.ok() ? Result<Value>(Value(*truth)) : truth.status();
  } else {
    result = call(value, args);
  }
  return result.ok() ? result : located(result.status(), expr.line);
}

Result<Value> Interpreter::evaluate_name(const Expr& expr) const {
  if (expr.name.empty()) return Value(block_text_);
  if (const Value* value = find_variable(expr.name)) return *value;
  if (const Function* function = find_function(expr.name)) return Value(function);
  return Value::undefined("'" + expr.name + "' is undefined");
}

Result<std::vector<Value>> Interpreter::evaluate_all(const std::vector<ExprPtr>& exprs,
                                                     size_t first) {
  std::vector<Value> values;
  for (size_t i = first; i < exprs.size(); ++i) {
    TERN_ASSIGN(Value value, evaluate(*exprs[i]));
    values.push_back(std::move(value));
  }
  return values;
}

Result<CallArgs> Interpreter::evaluate_arguments(const Expr& expr) {
  CallArgs args;
  TERN_ASSIGN(args.positional, evaluate_all(expr.children, 1));
  for (const auto& [name, value_expr] : expr.named) {
    TERN_ASSIGN(Value value, evaluate(*value_expr));
    args.named.emplace_back(name, std::move(value));
  }
  return args;
}

Result<Value> Interpreter::evaluate_dict(const Expr& expr) {
  TERN_ASSIGN(const std::vector<Value> items, evaluate_all(expr.children, 0));
  TERN_TRY(charge(items.size() * sizeof(Value)));
  Dict dict;
  for (size_t i = 0; i < items.size(); i += 2) {
    if (!Dict::is_key(items[i]))
      return Status(Code::kUnimplemented,
                    at_line(expr.line, "tern knows only strings and integers as keys of dicts"));
    dict.set(items[i], items[i + 1]);
  }
  return make_dict(std::move(dict));
}

Result<Value> Interpreter::evaluate_slice(const Expr& expr) {
  TERN_ASSIGN(const Value value, evaluate(*expr.children[0]));
  Value bounds[3];
  for (int i = 0; i < 3; ++i)
    if (expr.children[size_t(i) + 1]) {
      TERN_ASSIGN(bounds[i], evaluate(*expr.children[size_t(i) + 1]));
    }
  if (!value.is_string() && !(value.is_list() && value.list().kind <= List::Kind::kTuple))
    return invalid_argument(at_line(expr.line, "cannot slice " + quoted_type(value)));
  const size_t size = value.is_string() ? num_chars(value.string()) : value.list().items.size();
  const auto range = slice_range(bounds, int64_t(size));
  if (!range.ok()) return located(range.status(), expr.line);
  if (value.is_string()) return string(slice_text(value.string(), *range));
  std::vector<Value> items;
  for (int64_t i = 0; i < range->count; ++i)
    items.push_back(value.list().items[size_t(range->start + i * range->step)]);
  return list(std::move(items), value.list().kind);
}

Result<Value> Interpreter::evaluate_unary(const Expr& expr) {
  TERN_ASSIGN(const Value value, evaluate(*expr.children[0]));
  if (expr.name == "not") return Value(!value.truthy());
  if (!value.is_number())
    return invalid_argument(
        at_line(expr.line, "bad operand for unary " + expr.name + ": " + quoted_type(value)));
  if (value.is(Value::Type::kFloat))
    return Value(expr.name == "-" ? -value.number() : value.number());
  if (expr.name == "+") return Value(value.integer());
  const auto negated = arithmetic(*this, "-", Value(int64_t(0)), value);
  return negated.ok() ? negated : located(negated.status(), expr.line);
}

Result<Value> Interpreter::evaluate_binary(const Expr& expr) {
  TERN_ASSIGN(Value left, evaluate(*expr.children[0]));
  if (expr.name == "and" || expr.name == "or") {
    const bool decided = left.truthy() == (expr.name == "or");
    return decided ? Result<Value>(std::move(left)) : evaluate(*expr.children[1]);
  }
  TERN_ASSIGN(const Value right, evaluate(*expr.children[1]));
  auto value = arithmetic(*this, expr.name, left, right);
  return value.ok() ? value : located(value.status(), expr.line);
}

Result<Value> Interpreter::evaluate_compare(const Expr& expr) {
  TERN_ASSIGN(Value left, evaluate(*expr.children[0]));
  for (size_t i = 0; i < expr.operators.size(); ++i) {
    const std::string& op = expr.operators[i];
    TERN_ASSIGN(Value right, evaluate(*expr.children[i + 1]));
    TERN_TRY(charge_walk(left));
    TERN_TRY(charge_walk(right));
    bool holds = false;
    if (op == "==" || op == "!=") {
      holds = equal(left, right) == (op == "==");
    } else if (op == "in" || op == "not in") {
      const auto found = contains(right, left);
      if (!found.ok()) return located(found.status(), expr.line);
      holds = *found == (op == "in");
    } else {
      const auto order = compare(left, right);
      if (!order.ok()) return located(order.status(), expr.line);
      holds = op == "<"    ? *order < 0
              : op == "<=" ? *order <= 0
              : op == ">"  ? *order > 0
                           : *order >= 0;
    }
    if (!holds) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Result<Value> Interpreter::evaluate_conditional(const Expr& expr) {
  TERN_ASSIGN(const Value condition, evaluate(*expr.children[0]));
  if (condition.truthy()) return evaluate(*expr.children[1]);
  if (expr.children[2]) return evaluate(*expr.children[2]);
  return Value::undefined("the inline if-expression on line " + std::to_string(expr.line) +
                          " evaluated to false and no else section was defined");
}

}  // namespace tern::jinja
