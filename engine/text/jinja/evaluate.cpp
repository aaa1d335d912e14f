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
  int64_t stop = 0;
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
  range.stop = backwards ? -1 : size;
  if (!bounds[1].is_none()) {
    TERN_ASSIGN(const int64_t given, slice_bound(bounds[1], 0));
    range.stop = place(given);
  }
  const int64_t distance = backwards ? range.start - range.stop : range.stop - range.start;
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
  if (expr.kind == Kind::kCall) return evaluate_call(expr, nullptr);
  TERN_ASSIGN(const Value value, evaluate(*expr.children[0]));
  TERN_ASSIGN(const CallArgs args, evaluate_arguments(expr));
  Result<Value> result = Value();
  if (expr.kind == Kind::kAttribute) {
    result = get_attribute(value, expr.name);
  } else if (expr.kind == Kind::kItem) {
    if (value.is_string()) TERN_TRY(charge_walk(value));  // its characters are counted
    result = get_item(value, args.positional[0]);
  } else if (expr.kind == Kind::kFilter) {
    result = filter(expr.name, value, args);
  } else {
    const Result<bool> truth = test(expr.name, value, args);
    result = truth.ok() ? Result<Value>(Value(*truth)) : truth.status();
  }
  return result.ok() ? result : located(result.status(), expr.line);
}

/// A call, with `caller` among its arguments where it is that of a {% call %}.
Result<Value> Interpreter::evaluate_call(const Expr& expr, const Value* caller) {
  TERN_ASSIGN(const Value callee, evaluate(*expr.children[0]));
  TERN_ASSIGN(CallArgs args, evaluate_arguments(expr));
  if (caller) args.named.emplace_back("caller", *caller);
  auto result = call(callee, args);
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
  if (expr.star || expr.double_star) {
    const Status status = evaluate_stars(expr, args);
    if (!status.ok()) return located(status, expr.line);
  }
  return args;
}

Status Interpreter::evaluate_stars(const Expr& expr, CallArgs& args) {
  if (expr.star) {
    TERN_ASSIGN(const Value value, evaluate(*expr.star));
    TERN_ASSIGN(const auto more, iterate(value));
    TERN_TRY(charge(more->items.size() * sizeof(Value)));
    args.positional.insert(args.positional.end(), more->items.begin(), more->items.end());
  }
  if (!expr.double_star) return {};
  TERN_ASSIGN(const Value value, evaluate(*expr.double_star));
  if (!value.is_dict()) return type_error(value, "argument after ** must be a mapping");
  TERN_TRY(charge(value.dict().items.size() * sizeof(Value)));
  Dict names;
  for (const auto& [name, member] : args.named) names.set(name, Value());
  for (const auto& [key, member] : value.dict().items) {
    if (!key.is_string()) return invalid_argument("keywords must be strings");
    if (names.find(key.string()))
      return invalid_argument("got two values for " + string_repr(key.string()));
    args.named.emplace_back(key.string(), member);
  }
  return {};
}

Result<Value> Interpreter::evaluate_dict(const Expr& expr) {
  TERN_ASSIGN(const std::vector<Value> items, evaluate_all(expr.children, 0));
  TERN_TRY(charge(items.size() * sizeof(Value)));
  Dict dict;
  for (size_t i = 0; i < items.size(); i += 2) {
    const Status status = dict.set(items[i], items[i + 1]);
    if (!status.ok()) return located(status, expr.line);
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
  const bool is_sequence = value.is_string() || (value.is_list() && !value.list().is_view());
  if (!is_sequence)
    return located(type_error(value, "cannot slice " + quoted_type(value)), expr.line);
  const size_t size = value.is_string() ? num_chars(value.string()) : value.list().items.size();
  const auto range = slice_range(bounds, int64_t(size));
  if (!range.ok()) return located(range.status(), expr.line);
  if (value.is_string()) {
    TERN_TRY(charge(value.string().size(), 0));
    return string(String{slice_text(value.string(), *range), value.is_markup()});
  }
  const List& whole = value.list();
  List part;
  part.kind = whole.kind;
  part.start = whole.start + range->start * whole.range_step;
  part.stop = whole.start + range->stop * whole.range_step;
  part.range_step = whole.range_step * range->step;
  TERN_TRY(charge(size_t(range->count) * sizeof(Value), range->count));
  for (int64_t i = 0; i < range->count; ++i)
    part.items.push_back(whole.items[size_t(range->start + i * range->step)]);
  return make_list(std::move(part));
}

Result<Value> Interpreter::evaluate_unary(const Expr& expr) {
  TERN_ASSIGN(const Value value, evaluate(*expr.children[0]));
  if (expr.name == "not") return Value(!value.truthy());
  if (!value.is_number())
    return located(
        type_error(value, "bad operand for unary " + expr.name + ": " + quoted_type(value)),
        expr.line);
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
      const auto ordered = is_ordered(op, left, right);
      if (!ordered.ok()) return located(ordered.status(), expr.line);
      holds = *ordered;
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
