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
    TERN_TRY(check_unknown());
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
    accept_operator(":");  // as Python has it: {% if x: %}
    return expect_end_of_tag();
  }

  Status expect_end_of_tag() {
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

  /// The body of something with variables of its own, up to {% `end` %}, and that tag.
  Result<Body> parse_scope(std::string_view end) {
    const int line = peek().line;
    TERN_TRY(expect_end_block());
    const size_t known = unknown_.size();
    TERN_ASSIGN(Body body, parse_body({end}));
    TERN_TRY(check_unknown(known));
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
    return expect_end_of_tag();
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
    using Parse = Result<StmtPtr> (Parser::*)();
    constexpr std::pair<std::string_view, Parse> kTags[] = {
        {"if", &Parser::parse_if},           {"for", &Parser::parse_for},
        {"set", &Parser::parse_set},         {"macro", &Parser::parse_macro},
        {"call", &Parser::parse_call},       {"with", &Parser::parse_with},
        {"print", &Parser::parse_print_tag}, {"filter", &Parser::parse_filter_block},
        {"block", &Parser::parse_block},     {"autoescape", &Parser::parse_autoescape},
    };
    TERN_ASSIGN(const std::string name, expect_name());
    for (const auto& [tag, parse] : kTags)
      if (name == tag) return (this->*parse)();
    if (name == "break" || name == "continue") return parse_loop_control(name);
    if (name == "include" || name == "import" || name == "from" || name == "extends")
      return parse_other_template(name);
    if (name == "generation") {
      StmtPtr stmt = make_stmt(Kind::kScope);
      const int loops = std::exchange(loops_, 0);
      TERN_ASSIGN(stmt->body, parse_scope("endgeneration"));
      loops_ = loops;
      return stmt;
    }
    if (name.starts_with("end") || name == "else" || name == "elif")
      return error("unexpected tag " + string_repr(name));
    return unknown("the tag " + string_repr(name));
  }

  Result<StmtPtr> parse_if() {
    const size_t known = unknown_.size();
    StmtPtr stmt = make_stmt(Kind::kIf);
    while (true) {
      Stmt::Branch& branch = stmt->branches.emplace_back();
      TERN_ASSIGN(branch.condition, parse_tuple(false));
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
    unknown_.resize(known);
    return stmt;
  }

  Result<StmtPtr> parse_for() {
    StmtPtr stmt = make_stmt(Kind::kFor);
    TERN_ASSIGN(stmt->target, parse_target(false));
    if (assigns(*stmt->target, "loop")) return error("cannot assign to 'loop' in a loop");
    if (!accept_name("in")) return unexpected().with_context("expected 'in'");
    TERN_ASSIGN(stmt->expr, parse_tuple(false));
    const size_t known = unknown_.size();
    if (accept_name("if")) {
      TERN_ASSIGN(stmt->condition, parse_expression());
    }
    stmt->recursive = accept_name("recursive");
    TERN_TRY(expect_end_block());
    ++loops_;
    TERN_ASSIGN(stmt->body, parse_body({"else", "endfor"}));
    --loops_;
    if (at_tag({"else"})) {
      take();
      take();
      TERN_TRY(expect_end_block());
      TERN_ASSIGN(stmt->otherwise, parse_body({"endfor"}));
    }
    TERN_TRY(check_unknown(known));
    TERN_TRY(accept_end_tag("endfor", stmt->line));
    return stmt;
  }

  static bool assigns(const Expr& target, std::string_view name) {
    if (target.kind == Expr::Kind::kName) return target.name == name;
    return target.kind == Expr::Kind::kTuple &&
           std::any_of(target.children.begin(), target.children.end(),
                       [&](const ExprPtr& part) { return assigns(*part, name); });
  }

  Result<StmtPtr> parse_set() {
    StmtPtr stmt = make_stmt(Kind::kSet);
    TERN_ASSIGN(stmt->target, parse_target(true));
    if (loops_ > 0 && assigns(*stmt->target, "loop"))
      return error("cannot assign to 'loop' in a loop");
    if (accept_operator("=")) {
      TERN_ASSIGN(stmt->expr, parse_tuple());
      TERN_TRY(expect_end_of_tag());
      return stmt;
    }
    stmt->kind = Kind::kSetBlock;
    if (accept_operator("|")) {
      TERN_ASSIGN(stmt->expr, parse_block_filters());
    }
    TERN_ASSIGN(stmt->body, parse_scope("endset"));
    return stmt;
  }

  Result<StmtPtr> parse_with() {
    StmtPtr stmt = make_stmt(Kind::kWith);
    while (peek().type != Type::kEndBlock && !at_operator(":")) {
      if (!stmt->assignments.empty()) TERN_TRY(expect_operator(","));
      auto& [target, value] = stmt->assignments.emplace_back();
      TERN_ASSIGN(target, parse_target(false));
      TERN_TRY(expect_operator("="));
      TERN_ASSIGN(value, parse_expression());
    }
    TERN_ASSIGN(stmt->body, parse_scope("endwith"));
    return stmt;
  }

  /// {% print a, b %}
  Result<StmtPtr> parse_print_tag() {
    StmtPtr all = make_stmt(Kind::kIf);  // a branch that is always taken
    Body& body = all->branches.emplace_back().body;
    while (peek().type != Type::kEndBlock) {
      if (!body.empty()) TERN_TRY(expect_operator(","));
      StmtPtr stmt = make_stmt(Kind::kPrint);
      TERN_ASSIGN(stmt->expr, parse_expression());
      body.push_back(std::move(stmt));
    }
    TERN_TRY(expect_end_of_tag());
    return all;
  }

  /// Filters on what a block prints: on the name "".
  Result<ExprPtr> parse_block_filters() {
    TERN_ASSIGN(ExprPtr printed, make(Expr::Kind::kName, "", {}));
    return parse_filters(std::move(printed));
  }

  Result<StmtPtr> parse_filter_block() {
    StmtPtr stmt = make_stmt(Kind::kFilterBlock);
    TERN_ASSIGN(stmt->expr, parse_block_filters());
    TERN_ASSIGN(stmt->body, parse_scope("endfilter"));
    return stmt;
  }

  Result<StmtPtr> parse_loop_control(std::string_view name) {
    if (loops_ == 0) return error(std::string(name) + " outside of a loop");
    StmtPtr stmt = make_stmt(name == "break" ? Kind::kBreak : Kind::kContinue);
    TERN_TRY(expect_end_of_tag());
    return stmt;
  }

  Result<StmtPtr> parse_macro() {
    StmtPtr stmt = make_stmt(Kind::kMacro);
    stmt->macro = std::make_unique<Macro>();
    TERN_ASSIGN(stmt->macro->name, parse_target_name());
    TERN_TRY(parse_signature(*stmt->macro));
    TERN_TRY(parse_macro_body(*stmt->macro, "endmacro"));
    return stmt;
  }

  Result<StmtPtr> parse_call() {
    StmtPtr stmt = make_stmt(Kind::kCall);
    stmt->macro = std::make_unique<Macro>();
    if (at_operator("(")) TERN_TRY(parse_signature(*stmt->macro));
    TERN_ASSIGN(stmt->expr, parse_expression());
    if (stmt->expr->kind != Expr::Kind::kCall) return error("{% call %} needs a call");
    TERN_TRY(parse_macro_body(*stmt->macro, "endcall"));
    return stmt;
  }

  Status parse_signature(Macro& macro) {
    TERN_TRY(expect_operator("("));
    while (!at_operator(")")) {
      if (!macro.parameters.empty()) TERN_TRY(expect_operator(","));
      Macro::Parameter parameter;
      TERN_ASSIGN(parameter.name, parse_target_name());
      const auto& others = macro.parameters;
      if (std::any_of(others.begin(), others.end(),
                      [&](const auto& other) { return other.name == parameter.name; }))
        return error("the parameter " + string_repr(parameter.name) + " is there twice");
      if (accept_operator("=")) {
        TERN_ASSIGN(parameter.otherwise, parse_expression());
      } else if (!others.empty() && others.back().otherwise) {
        return error("a parameter without a default follows one with a default");
      }
      macro.parameters.push_back(std::move(parameter));
    }
    return expect_operator(")");
  }

  Status parse_macro_body(Macro& macro, std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    macros_.push_back(&macro);
    stored_.emplace_back();
    TERN_ASSIGN(macro.body, parse_scope(end));
    macros_.pop_back();
    stored_.pop_back();
    loops_ = loops;
    for (const Macro::Parameter& parameter : macro.parameters) {
      if (parameter.name == "caller" && macro.takes_caller && !parameter.otherwise)
        return error("the parameter 'caller' of a macro needs a default");
      if (parameter.name == "caller") macro.takes_caller = false;
      if (parameter.name == "kwargs") macro.takes_kwargs = false;
      if (parameter.name == "varargs") macro.takes_varargs = false;
    }
    return {};
  }

  /// {% block name %}: there is no template that could replace it, so that it stands for its body.
  Result<StmtPtr> parse_block() {
    StmtPtr stmt = make_stmt(Kind::kBlock);
    TERN_ASSIGN(stmt->text, expect_name());
    if (std::find(blocks_.begin(), blocks_.end(), stmt->text) != blocks_.end())
      return error("the block " + string_repr(stmt->text) + " is there twice");
    blocks_.push_back(stmt->text);
    if (accept_name("scoped")) stmt->kind = Kind::kScope;
    if (at_name("required")) return unknown("required blocks");
    TERN_TRY(expect_end_block());
    const size_t known = unknown_.size();
    const int loops = std::exchange(loops_, 0);
    TERN_ASSIGN(stmt->body, parse_body({"endblock"}));
    loops_ = loops;
    TERN_TRY(check_unknown(known));
    if (!at_tag({"endblock"})) return error("{% block %} has no {% endblock %}");
    take();
    take();
    accept_name(stmt->text);
    TERN_TRY(expect_end_of_tag());
    return stmt;
  }

  /// Nothing that a chat template prints is HTML: `false` is how it is anyway.
  Result<StmtPtr> parse_autoescape() {
    StmtPtr stmt = make_stmt(Kind::kScope);
    TERN_ASSIGN(const ExprPtr value, parse_expression());
    if (value->kind != Expr::Kind::kLiteral || value->literal.truthy())
      return unknown("the tag 'autoescape' but with false");
    TERN_ASSIGN(stmt->body, parse_scope("endautoescape"));
    return stmt;
  }

  /// Tags that ask for other templates, which a chat template has none of. They fail only where
  /// they are reached.
  Result<StmtPtr> parse_other_template(const std::string& name) {
    StmtPtr stmt = make_stmt(Kind::kRefused);
    stmt->text = "{% " + name + " %} needs another template, and a chat template stands alone";
    TERN_TRY(parse_expression().status());
    while (peek().type == Type::kName || at_operator(",")) take();
    TERN_TRY(expect_end_of_tag());
    return stmt;
  }

  std::vector<std::string> blocks_;
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
