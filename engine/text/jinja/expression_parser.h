// The parser of expressions; the parser of statements is built on it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/text/jinja/ast.h"
#include "engine/text/jinja/lexer.h"

namespace tern::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

 protected:
  // What recurses here, or over the program later, stays within the stack.
  static constexpr int kMaxNesting = 100;
  static constexpr int kMaxTreeDepth = 200;

  const Token& peek(size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  Token take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool at_name(std::string_view name) const { return peek().is(Token::Type::kName, name); }
  bool at_operator(std::string_view op) const { return peek().is(Token::Type::kOperator, op); }
  bool accept_name(std::string_view name) { return at_name(name) && (take(), true); }
  bool accept_operator(std::string_view op) { return at_operator(op) && (take(), true); }
  Status expect_operator(std::string_view op);
  Result<std::string> expect_name();
  Status error(std::string_view message) const;
  Status unexpected() const;  ///< names the token that stands here
  Status unknown(std::string_view what) const;

  /// An expression; with `with_conditional` false, one without `a if b else c` at its top.
  Result<ExprPtr> parse_expression(bool with_conditional = true);

  /// An expression, or several with commas between: a tuple.
  Result<ExprPtr> parse_tuple(bool with_conditional = true);

  /// What can be assigned to: names, tuples of them, and, `with_attribute`, namespace.name.
  Result<ExprPtr> parse_target(bool with_attribute);
  Result<std::string> parse_target_name();

  /// `name(args) | name …` on `value`.
  Result<ExprPtr> parse_filters(ExprPtr value);
  Result<ExprPtr> parse_filter(ExprPtr value);

  /// A node at this token's line over `children`.
  Result<ExprPtr> make(Expr::Kind kind, std::string name, std::vector<ExprPtr> children);

  /// The failure of the first filter or test since `known` that there is not.
  Status check_unknown(size_t known = 0) const {
    return unknown_.size() > known ? unknown_[known] : Status();
  }

  int nesting_ = 0;
  // Filters and tests that there are not. Within an `if` or a conditional expression they matter
  // only where they are reached, as in Jinja: these leave the list again.
  std::vector<Status> unknown_;
  // The macros around this place: names of theirs that a macro has only if its body reads them.
  std::vector<Macro*> macros_;
  std::vector<std::vector<std::string_view>>
      stored_;  // of each: those that the body assigned first

 private:
  using Parse = Result<ExprPtr> (ExpressionParser::*)();

  Result<ExprPtr> parse_or();
  Result<ExprPtr> parse_and();
  Result<ExprPtr> parse_not();
  Result<ExprPtr> parse_compare();
  Result<ExprPtr> parse_sum();
  Result<ExprPtr> parse_concat();
  Result<ExprPtr> parse_product();
  Result<ExprPtr> parse_power();
  Result<ExprPtr> parse_unary() { return parse_signed(true); }
  Result<ExprPtr> parse_signed(bool with_filters);
  Result<ExprPtr> parse_target_part(bool with_attribute);
  void note_load(std::string_view name);
  void note_store(std::string_view name);
  Result<ExprPtr> parse_primary();
  Result<ExprPtr> parse_name();
  Result<ExprPtr> parse_number();
  Result<std::string> parse_dotted_name();
  Result<ExprPtr> parse_strings();
  Result<ExprPtr> parse_parenthesis();
  Result<ExprPtr> parse_list();
  Result<ExprPtr> parse_dict();
  Result<ExprPtr> parse_postfix(ExprPtr value);
  Result<ExprPtr> parse_filters_and_tests(ExprPtr value);
  Result<ExprPtr> parse_attribute(ExprPtr value);
  Result<ExprPtr> parse_subscript(ExprPtr value);
  Result<ExprPtr> parse_subscript_tuple();
  Result<ExprPtr> parse_test(ExprPtr value);
  Status parse_arguments(Expr& call);
  Status parse_argument(Expr& call);
  Result<std::string> accept_comparison();  ///< empty where there is none
  Result<ExprPtr> parse_left_to_right(Parse operand, std::initializer_list<std::string_view> ops);

  std::vector<Token> tokens_;  // ends with kEnd
  size_t at_ = 0;
};

}  // namespace tern::jinja
