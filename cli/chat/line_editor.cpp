#include "cli/chat/line_editor.h"

#include <histedit.h>
#include <langinfo.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cwchar>
#include <initializer_list>
#include <iostream>
#include <string_view>

#include "cli/chat/history_file.h"
#include "cli/support/terminal.h"

namespace tern {
namespace {

// What terminals send around pasted text once they are asked to (xterm's "bracketed paste").
constexpr std::wstring_view kPasteEnd = L"\033[201~";
constexpr std::string_view kPasteOn = "\033[?2004h", kPasteOff = "\033[?2004l";

volatile std::sig_atomic_t resized = 0, continued = 0;

void note_signal(int signal) {
  (signal == SIGWINCH ? resized : continued) = 1;
}

sigset_t signal_set(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

// libedit asks the locale what a character is and how wide.
void use_utf8_locale() {
  if (std::setlocale(LC_CTYPE, "") && std::string_view(nl_langinfo(CODESET)) == "UTF-8") return;
  (void)std::setlocale(LC_CTYPE, "C.UTF-8");
}

std::wstring to_wide(const std::string& text) {
  std::wstring out;
  std::mbstate_t state{};
  for (size_t at = 0; at < text.size();) {
    wchar_t c;
    const size_t size = std::mbrtowc(&c, text.data() + at, text.size() - at, &state);
    if (size == 0 || size > text.size() - at) {  // a NUL, or no UTF-8
      state = {};
      ++at;
      continue;
    }
    out += c;
    at += size;
  }
  return out;
}

std::string to_utf8(std::wstring_view text) {
  std::string out;
  std::mbstate_t state{};
  char bytes[MB_LEN_MAX];
  for (const wchar_t c : text) {
    const size_t size = std::wcrtomb(bytes, c, &state);
    if (size <= sizeof bytes) out.append(bytes, size);
  }
  return out;
}

// A paste as if it had been typed: line feeds for the carriage returns of terminals, no other
// control characters, and no line feed at its end.
std::wstring as_typed(std::wstring_view paste) {
  std::wstring out;
  for (size_t i = 0; i < paste.size(); ++i) {
    wchar_t c = paste[i];
    if (c == L'\r' && i + 1 < paste.size() && paste[i + 1] == L'\n') continue;
    if (c == L'\r') c = L'\n';
    const bool is_control = c < 0x20 || (c >= 0x7f && c < 0xa0);
    if (!is_control || c == L'\n' || c == L'\t') out += c;
  }
  while (out.ends_with(L'\n')) out.pop_back();
  return out;
}

using KeyFunction = unsigned char (*)(EditLine*, wint_t);

}  // namespace

struct LineEditor::Impl {
  EditLine* editor = nullptr;
  HistoryW* history = nullptr;
  termios found{};     // as the terminal was
  int screen_fd = -1;  // that shows the prompt
  bool is_screen = false;
  bool interrupted = false;
  std::vector<std::string> words;
  std::string pending;  // bytes read ahead
  size_t taken = 0;     // of them

  static Impl& of(EditLine* el) {
    void* data = nullptr;
    el_wget(el, EL_CLIENTDATA, &data);
    return *static_cast<Impl*>(data);
  }

  void write_screen(std::string_view bytes) const {
    if (is_screen) (void)!::write(screen_fd, bytes.data(), bytes.size());
  }

  // While an answer comes: nothing is echoed into it, and what is typed stays for the next line,
  // whatever its length.
  void listen_quietly() const {
    termios quiet = found;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    quiet.c_iflag &= ~static_cast<tcflag_t>(ICRNL);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet);
  }

  void restore() const {
    write_screen(kPasteOff);
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &found);
  }

  // Waits for bytes; false at the end. Only here the signals of the window come through.
  bool fill() {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    sigdelset(&mask, SIGWINCH);
    sigdelset(&mask, SIGCONT);
    for (;;) {
      pollfd key{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
      const int ready = ppoll(&key, 1, nullptr, &mask);
      if (ready < 0 && errno != EINTR) return false;
      if (ready < 0) redraw_after_signals();
      if (ready <= 0) continue;
      char bytes[4096];
      const ssize_t size = ::read(STDIN_FILENO, bytes, sizeof bytes);
      if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (size <= 0) return false;
      pending.assign(bytes, static_cast<size_t>(size));
      taken = 0;
      return true;
    }
  }

  void redraw_after_signals() {
    if (!resized && !continued) return;
    if (continued) enter_terminal();
    if (resized) el_resize(editor);
    resized = 0;
    continued = 0;
    write_screen("\r\033[J");
    el_wset(editor, EL_REFRESH);
  }

  void enter_terminal() {
    write_screen(kPasteOn);
    el_wset(editor, EL_PREP_TERM, 1);
  }

  // One character, decoded; 0 at the end.
  int next(wchar_t* c) {
    std::mbstate_t state{};
    for (;;) {
      if (taken == pending.size() && !fill()) return 0;
      const size_t size = std::mbrtowc(c, &pending[taken++], 1, &state);
      if (size == static_cast<size_t>(-2)) continue;  // more bytes belong to it
      if (size != static_cast<size_t>(-1)) return 1;
      state = {};  // no UTF-8: forgotten
    }
  }

  std::wstring line() const {
    const LineInfoW* info = el_wline(editor);
    return {info->buffer, info->lastchar};
  }

  static int get_key(EditLine* el, wchar_t* c) { return of(el).next(c); }
  static wchar_t* prompt(EditLine*) {
    static wchar_t text[] = L"> ";
    return text;
  }

  // Functions that keys are bound to: they return what libedit does next.

  static unsigned char on_interrupt(EditLine* el, wint_t) {
    of(el).interrupted = true;
    el_wpush(el, L"\n");  // ends the line with the cursor below all of it
    return CC_NORM;
  }

  static unsigned char on_suspend(EditLine* el, wint_t) {
    Impl& self = of(el);
    el_wset(el, EL_PREP_TERM, 0);
    self.restore();
    kill(0, SIGTSTP);
    self.enter_terminal();
    self.write_screen("\r\033[J");
    return CC_REDISPLAY;
  }

  static unsigned char on_line_feed(EditLine* el, wint_t) {
    return el_winsertstr(el, L"\n") == 0 ? CC_REFRESH : CC_ERROR;
  }

  // All of a paste is text, line feeds too.
  static unsigned char on_paste(EditLine* el, wint_t) {
    std::wstring text;
    while (!text.ends_with(kPasteEnd)) {
      wchar_t c = 0;
      if (el_wgetc(el, &c) != 1) return CC_EOF;
      text += c;
    }
    text.resize(text.size() - kPasteEnd.size());
    const std::wstring kept = as_typed(text);
    if (kept.empty()) return CC_REFRESH;
    return el_winsertstr(el, kept.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
  }

  static unsigned char on_tab(EditLine* el, wint_t) {
    const Impl& self = of(el);
    const std::string typed = to_utf8(self.line());
    const std::string* found = nullptr;
    for (const std::string& word : self.words) {
      if (!word.starts_with(typed)) continue;
      if (found) return CC_ERROR;
      found = &word;
    }
    if (typed.empty() || !found) return CC_ERROR;
    return el_winsertstr(el, to_wide(found->substr(typed.size())).c_str()) == 0 ? CC_REFRESH
                                                                                : CC_ERROR;
  }

  void bind(const wchar_t* name, KeyFunction function, const wchar_t* key) const {
    el_wset(editor, EL_ADDFN, name, name, function);
    el_wset(editor, EL_BIND, key, name, nullptr);
  }

  void bind_keys() const {
    bind(L"tern-interrupt", on_interrupt, L"^C");
    bind(L"tern-suspend", on_suspend, L"^Z");
    bind(L"tern-paste", on_paste, L"\\e[200~");
    bind(L"tern-complete", on_tab, L"^I");
    bind(L"tern-line-feed", on_line_feed, L"\\e^M");
    el_wset(editor, EL_BIND, L"\\e^J", L"tern-line-feed", nullptr);
    el_wset(editor, EL_BIND, L"^R", L"em-inc-search-prev", nullptr);
    // While one types, ^C and ^Z are keys, and a paste's CR LF stays one line's end.
    el_wset(editor, EL_SETTY, L"-d", L"-isig", L"-icrnl", L"-inlcr", nullptr);
  }
};

LineEditor::LineEditor(const std::vector<std::string>& history, std::vector<std::string> words)
    : impl_(std::make_unique<Impl>()) {
  use_utf8_locale();
  // This counts for threads to come; read() lets this one be stopped again.
  const sigset_t blocked = signal_set({SIGWINCH, SIGCONT, SIGTSTP});
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  struct sigaction action {};
  action.sa_handler = note_signal;
  sigaction(SIGWINCH, &action, nullptr);
  sigaction(SIGCONT, &action, nullptr);

  Impl& self = *impl_;
  self.words = std::move(words);
  FILE* const screen = isatty(STDERR_FILENO) ? stderr : stdout;
  self.screen_fd = fileno(screen);
  self.is_screen = is_screen(self.screen_fd);
  (void)tcgetattr(STDIN_FILENO, &self.found);
  self.editor = el_init("tern", stdin, screen, stderr);
  self.history = history_winit();
  HistEventW event;
  history_w(self.history, &event, H_SETSIZE, static_cast<int>(HistoryFile::kMostMessages));
  history_w(self.history, &event, H_SETUNIQUE, 1);
  for (const std::string& message : history) remember(message);
  el_wset(self.editor, EL_CLIENTDATA, &self);
  el_wset(self.editor, EL_PROMPT, Impl::prompt);
  el_wset(self.editor, EL_GETCFN, Impl::get_key);
  el_wset(self.editor, EL_EDITOR, L"emacs");
  el_wset(self.editor, EL_HIST, history_w, self.history);
  el_source(self.editor, nullptr);  // ~/.editrc
  self.bind_keys();
  self.listen_quietly();
  self.write_screen(kPasteOn);
}

LineEditor::~LineEditor() {
  el_end(impl_->editor);
  history_wend(impl_->history);
  impl_->restore();
}

void LineEditor::restore_terminal() const {
  impl_->restore();
}

void LineEditor::remember(const std::string& message) {
  HistEventW event;
  if (!message.empty()) history_w(impl_->history, &event, H_ENTER, to_wide(message).c_str());
}

MessageReader::Outcome LineEditor::read(std::string* message) {
  Impl& self = *impl_;
  self.interrupted = false;
  const sigset_t stop = signal_set({SIGTSTP});
  pthread_sigmask(SIG_UNBLOCK, &stop, nullptr);
  int size = 0;
  const wchar_t* line = el_wgets(self.editor, &size);
  self.listen_quietly();
  if (self.interrupted) return Outcome::kInterrupted;
  if (!line || size <= 0) return Outcome::kEnd;
  *message = to_utf8({line, static_cast<size_t>(size)});
  if (message->ends_with('\n')) message->pop_back();
  return Outcome::kMessage;
}

MessageReader::Outcome PlainReader::read(std::string* message) {
  if (!std::getline(std::cin, *message)) return Outcome::kEnd;
  if (message->ends_with('\r')) message->pop_back();  // the line of a Windows file
  return Outcome::kMessage;
}

}  // namespace tern
