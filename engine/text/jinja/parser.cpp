#include "engine/text/jinja/parser.h"

#include <algorithm>

#include "engine/text/jinja/expression_parser.h"

namespace tern::jinja {
namespace {

using Kind = Stmt::Kind;
using Type = Token::Type;
using StmtPtr = std::unique_ptr<Stmt>;

constexpr size_t kMaxSourceBytes = size_t(1) << 20;

class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Result<Body> run() {
    TERN_ASSIGN(Body body, parse_body({}));
    if (peek().type == Type::kEnd) return body;
    return error("unexpected tag " + string_repr(peek(1).text));
  }

 private:
  using Names = std::initializer_list<std::string_view>;

  StmtPtr make_stmt(Kind kind) const {
    auto stmt = std::make_unique<Stmt>();
    stmt->kind = kind;
    stmt->line = peek().line;
    return stmt;
  }

  Status expect_end_block() {
    if (peek().type != Type::kEndBlock) return unexpected().with_context("expected '%}'");
    take();
    return {};
  }

  /// Statements up to a tag whose name is one of `ends`, which is left unread, or up to the end.
  Result<Body> parse_body(Names ends) {
    if (++nesting_ > kMaxNesting) return error("the template is nested too deeply");
    Body body;
    while (peek().type != Type::kEnd && !at_tag(ends)) {
      TERN_ASSIGN(StmtPtr stmt, parse_statement());
      body.push_back(std::move(stmt));
    }
    --nesting_;
    return body;
  }

  bool at_tag(Names names) const {
    return peek().type == Type::kBeginBlock && peek(1).type == Type::kName &&
           std::find(names.begin(), names.end(), peek(1).text) != names.end();
  }

  /// The body up to {% `end` %}, and that tag.
  Result<Body> parse_body_and_end(std::string_view end) {
    const int line = peek().line;
    TERN_ASSIGN(Body body, parse_body({end}));
    TERN_TRY(accept_end_tag(end, line));
    return body;
  }

  Status accept_end_tag(std::string_view end, int begin_line) {
    if (!at_tag({end})) {
      if (peek().type == Type::kEnd)
        return invalid_argument(
            at_line(begin_line, "the tag has no {% " + std::string(end) + " %}"));
      return error("expected {% " + std::string(end) + " %}");
    }
    take();
    take();
    return expect_end_block();
  }

  Result<StmtPtr> parse_statement() {
    if (peek().type == Type::kText) {
      StmtPtr stmt = make_stmt(Kind::kText);
      stmt->text = take().text;
      return stmt;
    }
    if (peek().type == Type::kBeginPrint) return parse_print();
    take();  // {%
    return parse_tag();
  }

  Result<StmtPtr> parse_print() {
    take();
    StmtPtr stmt = make_stmt(Kind::kPrint);
    TERN_ASSIGN(stmt->expr, parse_tuple());
    if (peek().type != Type::kEndPrint) return unexpected().with_context("expected '}}'");
    take();
    return stmt;
  }

  Result<StmtPtr> parse_tag() {
    TERN_ASSIGN(const std::string name, expect_name());
    if (name == "if") return parse_if();
    if (name == "for") return parse_for();
    if (name == "set") return parse_set();
    if (name == "macro") return parse_macro();
    if (name == "break" || name == "continue") return parse_loop_control(name);
    if (name == "filter") return parse_filter_block();
    if (name == "generation") {
      StmtPtr stmt = make_stmt(Kind::kScope);
      TERN_TRY(expect_end_block());
      TERN_ASSIGN(stmt->body, parse_body_and_end("endgeneration"));
      return stmt;
    }
    if (name.starts_with("end") || name == "else" || name == "elif")
      return error("unexpected tag " + string_repr(name));
    return unknown("the tag " + string_repr(name));
  }

  Result<StmtPtr> parse_if() {
    ++ifs_;
    StmtPtr stmt = make_stmt(Kind::kIf);
    while (true) {
      Stmt::Branch& branch = stmt->branches.emplace_back();
      TERN_ASSIGN(branch.condition, parse_tuple());
      TERN_TRY(expect_end_block());
      TERN_ASSIGN(branch.body, parse_body({"elif", "else", "endif"}));
      if (!at_tag({"elif"})) break;
      take();
      take();
    }
    if (at_tag({"else"})) {
      take();
      take();
      TERN_TRY(expect_end_block());
      Stmt::Branch& branch = stmt->branches.emplace_back();
      TERN_ASSIGN(branch.body, parse_body({"endif"}));
    }
    TERN_TRY(accept_end_tag("endif", stmt->line));
    --ifs_;
    return stmt;
  }

  Result<StmtPtr> parse_for() {
    StmtPtr stmt = make_stmt(Kind::kFor);
    TERN_ASSIGN(stmt->target, parse_target(false));
    if (!accept_name("in")) return unexpected().with_context("expected 'in'");
    TERN_ASSIGN(stmt->expr, parse_tuple(false));
    if (accept_name("if")) {
      TERN_ASSIGN(stmt->condition, parse_expression());
    }
    if (at_name("recursive")) return unknown("recursive loops");
    TERN_TRY(expect_end_block());
    ++inner_scopes_;
    ++loops_;
    TERN_ASSIGN(stmt->body, parse_body({"else", "endfor"}));
    --loops_;
    if (at_tag({"else"})) {
      take();
      take();
      TERN_TRY(expect_end_block());
      TERN_ASSIGN(stmt->otherwise, parse_body({"endfor"}));
    }
    --inner_scopes_;
    TERN_TRY(accept_end_tag("endfor", stmt->line));
    return stmt;
  }

  Result<StmtPtr> parse_set() {
    StmtPtr stmt = make_stmt(Kind::kSet);
    TERN_ASSIGN(stmt->target, parse_target(true));
    if (accept_operator("=")) {
      TERN_ASSIGN(stmt->expr, parse_tuple());
      TERN_TRY(expect_end_block());
      return stmt;
    }
    stmt->kind = Kind::kSetBlock;
    if (accept_operator("|")) {
      TERN_ASSIGN(stmt->expr, parse_block_filters());
    }
    TERN_TRY(expect_end_block());
    ++inner_scopes_;
    TERN_ASSIGN(stmt->body, parse_body_and_end("endset"));
    --inner_scopes_;
    return stmt;
  }

  /// Filters on what a block prints: on the name "".
  Result<ExprPtr> parse_block_filters() {
    TERN_ASSIGN(ExprPtr printed, make(Expr::Kind::kName, "", {}));
    return parse_filters(std::move(printed));
  }

  Result<StmtPtr> parse_filter_block() {
    StmtPtr stmt = make_stmt(Kind::kFilterBlock);
    TERN_ASSIGN(stmt->expr, parse_block_filters());
    TERN_TRY(expect_end_block());
    ++inner_scopes_;
    TERN_ASSIGN(stmt->body, parse_body_and_end("endfilter"));
    --inner_scopes_;
    return stmt;
  }

  Result<StmtPtr> parse_loop_control(std::string_view name) {
    if (loops_ == 0) return error(std::string(name) + " outside of a loop");
    StmtPtr stmt = make_stmt(name == "break" ? Kind::kBreak : Kind::kContinue);
    TERN_TRY(expect_end_block());
    return stmt;
  }

  Result<StmtPtr> parse_macro() {
    // A macro would see the variables around it even after they are gone.
    if (inner_scopes_ > 0) return unknown("macros within loops, blocks or macros");
    StmtPtr stmt = make_stmt(Kind::kMacro);
    stmt->macro = std::make_unique<Macro>();
    TERN_ASSIGN(stmt->macro->name, expect_name());
    TERN_TRY(expect_operator("("));
    while (!at_operator(")")) {
      Macro::Parameter parameter;
      TERN_ASSIGN(parameter.name, expect_name());
      if (accept_operator("=")) {
        TERN_ASSIGN(parameter.otherwise, parse_expression());
      }
      stmt->macro->parameters.push_back(std::move(parameter));
      if (!accept_operator(",")) break;
    }
    TERN_TRY(expect_operator(")"));
    TERN_TRY(expect_end_block());
    ++inner_scopes_;
    const int loops = std::exchange(loops_, 0);
    TERN_ASSIGN(stmt->macro->body, parse_body_and_end("endmacro"));
    loops_ = loops;
    --inner_scopes_;
    return stmt;
  }

  int inner_scopes_ = 0;  // around this place that have variables of their own
  int loops_ = 0;
};

}  // namespace

Result<Body> parse(std::string_view source) {
  if (source.size() > kMaxSourceBytes)
    return invalid_argument("a chat template of " + std::to_string(source.size()) +
                            " bytes exceeds the limit " + std::to_string(kMaxSourceBytes));
  TERN_ASSIGN(std::vector<Token> tokens, tokenize(source));
  return Parser(std::move(tokens)).run();
}

}  // namespace tern::jinja
