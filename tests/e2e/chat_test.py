"""tern chat as people use it, on a pseudo-terminal: editing, history, paste, interrupts, commands, a server that comes and goes."""
import contextlib
import fcntl
import json
import os
import pathlib
import pty
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

from harness import Daemon

STORY = "Tell me a story about a fox."
LEGS = "How many legs does a spider have?"
CTRL_A, CTRL_C, CTRL_D, END = "\x01", "\x03", "\x04", "\x05"
UP, LEFT, BACKSPACE = "\033[A", "\033[D", "\x7f"
PASTE_ON = "\033[?2004h"


class Terminal:
    """A command on a pseudo-terminal of 24 lines of 200 columns."""

    def __init__(self, command, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
        self.modes = termios.tcgetattr(self.fd)
        self.seen = ""

    def type(self, text):
        data = text.encode()
        while data:
            self.read(0)
            data = data[os.write(self.fd, data[:1024]):]

    def enter(self, text):
        self.type(text + "\r")

    def paste(self, text):
        self.type(f"\033[200~{text}\033[201~")

    def read(self, seconds):
        while select.select([self.fd], [], [], seconds)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return False
            if not data:
                return False
            self.seen += data.decode(errors="replace")
            seconds = 0
        return True

    def wait_for(self, word, seconds=60):
        """What came before `word`."""
        deadline = time.time() + seconds
        while word not in self.seen:
            assert time.time() < deadline, f"{word!r} is not in {self.seen!r}"
            if not self.read(0.1):
                break
        at = self.seen.find(word)
        assert at >= 0, f"{word!r} is not in {self.seen!r}"
        before, self.seen = self.seen[:at], self.seen[at + len(word):]
        return before

    def prompt(self):
        """What came before the next prompt."""
        return self.wait_for("\n> ")

    def say(self, text):
        self.enter(text)
        return self.prompt()

    def exit_code(self):
        while self.read(0.1):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Chat(Terminal):
    """tern chat with a state folder of its own, once it waits for a message."""

    def __init__(self, daemon, *args, state=None):
        self.folder = tempfile.mkdtemp(dir=daemon.dir)
        self.state = state or f"{self.folder}/state"
        env = {key: value for key, value in os.environ.items() if key not in ("LC_ALL", "LC_CTYPE", "TERN_CHAT_HISTORY")}
        super().__init__(daemon.command("chat", *args), {**env, "TERM": "xterm", "LANG": "C", "XDG_STATE_HOME": self.state})
        self.wait_for(PASTE_ON)
        self.prompt()

    def messages(self):
        """The conversation, through /save."""
        path = f"{self.folder}/saved-{time.monotonic_ns()}.json"
        self.say(f"/save {path}")
        return [(m["role"], m["content"]) for m in json.loads(pathlib.Path(path).read_text())]

    def leave(self):
        self.type(CTRL_D)
        assert self.exit_code() == 0

    def history(self):
        return pathlib.Path(self.state) / "tern/chat_history"


SHORT = ("--temperature", "0", "--max-tokens", "8")


def lines_are_edited_and_kept(daemon):
    chat = Chat(daemon, *SHORT)
    chat.say("Tell mx" + BACKSPACE + "e a sotry" + LEFT * 3 + BACKSPACE + CTRL_A + "Please. " + END + " now.")
    first = chat.messages()[0][1]
    assert first == "Please. Tell me a stry now.", first
    chat.say("/reset")
    chat.say("日本語だ" + BACKSPACE + LEFT + "x")  # wide characters are one character each, whatever LANG says
    assert chat.messages()[0] == ("user", "日本x語"), chat.messages()
    assert chat.history().stat().st_mode & 0o777 == 0o600 and chat.history().parent.stat().st_mode & 0o777 == 0o700
    chat.leave()
    again = Chat(daemon, *SHORT, state=chat.state)
    again.type(UP + UP)  # past the last /save
    again.say("")
    assert again.messages()[0][1] == "日本x語"
    again.leave()
    secret = Chat(daemon, *SHORT, "--no-history")
    secret.say("nobody shall know")
    secret.leave()
    assert not secret.history().exists()


def a_paste_is_one_message(daemon):
    chat = Chat(daemon, *SHORT)
    chat.paste("first line\r  second 語\r\nthird\t\x07line\r")
    chat.say(" and typed")
    pasted = chat.messages()[0][1]
    assert pasted == "first line\n  second 語\nthird\tline and typed", pasted
    chat.say("/reset")
    tall = "\n".join(f"line {i}" for i in range(100))  # taller than the screen
    chat.paste(tall.replace("\n", "\r"))
    chat.say("")
    assert chat.messages()[0][1] == tall
    chat.leave()
    again = Chat(daemon, *SHORT, state=chat.state)
    again.type(UP + UP)
    again.say("")
    assert again.messages()[0][1] == tall  # the history keeps lines too
    again.leave()


def long_lines_are_whole(daemon):
    chat = Chat(daemon, *SHORT)
    line = "".join(chr(ord("a") + i % 26) for i in range(20000))  # a terminal's own line ends at 4,095 bytes
    refused = chat.say(line)
    assert "CONTEXT_EXCEEDED" in refused and "/drop" in refused, refused
    assert chat.messages() == [("user", line)]
    chat.leave()


def ctrl_c_stops_the_answer_alone(daemon):
    chat = Chat(daemon, "--temperature", "0", "--ignore-eos", "--max-tokens", "900")
    chat.enter(STORY)
    chat.wait_for("morning")  # it streams
    chat.type(CTRL_C)
    chat.prompt()
    daemon.wait_idle()
    chat.type("forgotten" + CTRL_C)
    chat.prompt()
    (_, asked), (role, answer) = chat.messages()
    assert asked == STORY and role == "assistant" and "morning" in answer and len(answer) < 4000
    chat.say("And then?")  # the conversation goes on, to its context's end if that is near
    assert [role for role, _ in chat.messages()][:3] == ["user", "assistant", "user"]
    chat.leave()


def what_is_typed_during_an_answer_comes_next(daemon):
    chat = Chat(daemon, "--temperature", "0", "--ignore-eos", "--max-tokens", "60")
    chat.enter(STORY)
    chat.wait_for("morning")
    chat.type("/system\r")
    answer = chat.prompt()
    assert "/system" not in answer.split("tern: the answer was cut")[0], answer  # it is not echoed into the answer
    assert "there is no system message" in chat.prompt()
    chat.leave()


def commands_do_what_help_says(daemon):
    chat = Chat(daemon, *SHORT, "--system", "Be brief.")
    listed = chat.say("/help")
    for name in ("/help", "/reset", "/system TEXT", "/retry", "/drop", "/save FILE", "/exit"):
        assert name in listed, (name, listed)
    assert "no such command: /rety; did you mean /retry?" in chat.say("/rety")
    assert "no such command: /nonsense" in chat.say("/nonsense")
    assert "no message yet" in chat.say("/retry")
    assert "Be brief." in chat.say("/system")
    cut = chat.say(STORY)
    assert "cut at max_tokens (8)" in cut, cut
    system, (_, asked), (_, answer) = chat.messages()
    assert system == ("system", "Be brief.") and asked == STORY
    chat.say("/retry")
    assert chat.messages() == [system, ("user", asked), ("assistant", answer)]  # greedy: the same again
    chat.say("//etc is a path")
    assert chat.messages()[3] == ("user", "/etc is a path")
    assert "1 exchange dropped" in chat.say("/drop")
    assert chat.messages()[:2] == [system, ("user", "/etc is a path")]
    chat.type("/sys\t")  # completed
    chat.say(" Speak of foxes.")
    assert chat.messages() == [("system", "Speak of foxes.")]
    text = f"{chat.folder}/talk.txt"
    chat.say(f"/save {text}")
    assert pathlib.Path(text).read_text() == "[system]\nSpeak of foxes.\n"
    other = f"{chat.folder}/other.txt"
    pathlib.Path(other).write_text("mine")
    assert "exists already" in chat.say(f"/save {other}") and pathlib.Path(other).read_text() == "mine"
    assert "/save needs a file" in chat.say("/save")
    assert "cannot write" in chat.say("/save /nowhere/at/all.txt")
    chat.say("/reset")
    assert chat.messages() == [("system", "Speak of foxes.")]
    chat.enter("/exit")
    assert chat.exit_code() == 0


def the_end_of_the_context_is_told(daemon):
    chat = Chat(daemon, "--temperature", "0", "--ignore-eos")
    full = chat.say(STORY)
    assert "the context is full (1024 of 1024 tokens)" in full and "/drop" in full, full[-500:]
    refused = chat.say("And then? " * 300)
    assert "CONTEXT_EXCEEDED" in refused and "/retry" in refused, refused
    assert "1 exchange dropped; /retry" in chat.say("/drop")
    chat.say("/retry")  # answered to the context's end
    assert chat.messages()[0] == ("user", "And then? " * 300)
    chat.leave()
    near = Chat(daemon, "--temperature", "0", "--ignore-eos", "--max-tokens", "900")
    assert "the context is nearly full: 9" in near.say(STORY)
    near.leave()


def a_wait_shows_a_sign_of_life(daemon):
    chat = Chat(daemon, *SHORT)
    daemon.process.send_signal(signal.SIGSTOP)
    chat.enter(LEGS)
    chat.wait_for("waiting for the answer 1 s")
    daemon.process.send_signal(signal.SIGCONT)
    assert "\033[K" in chat.prompt()  # and takes it back
    chat.leave()


def the_terminal_is_left_as_it_was(daemon):
    for end in ("exit", "term", "unreachable"):
        chat = Chat(daemon, *SHORT)
        if end == "exit":
            chat.leave()
        elif end == "term":
            os.kill(chat.pid, signal.SIGTERM)
            assert chat.exit_code() == 130
        else:
            chat.leave()
            failed = Terminal([*daemon.command("chat")[:2], "--server", "127.0.0.1:1"], {**os.environ, "TERM": "xterm"})
            failed.wait_for("connection refused")
            assert failed.exit_code() == 3
            chat = failed
        assert chat.seen.count("\033[?2004l") == 1 or end == "unreachable", chat.seen
        # The line discipline outlives the program as long as this side is open.
        assert termios.tcgetattr(chat.fd)[:4] == chat.modes[:4], end


def a_server_comes_back(path):
    address = f"unix:{path}/ternd.sock"
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(Daemon(listen=address))
        chat = Chat(daemon, "--temperature", "0", "--max-tokens", "30")
        first = chat.say(LEGS)
        assert "eight legs" in first
        stack.pop_all().close()
    with Daemon(listen=address):  # back before anybody noticed
        assert "eight legs" in chat.say(LEGS)
        assert [role for role, _ in chat.messages()] == ["user", "assistant"] * 2
    chat.enter(LEGS)
    chat.wait_for("the conversation is kept; waiting for the server")
    with Daemon(listen=address):  # back while it waits
        chat.wait_for("the server serves tern-stories")
        assert "eight legs" in chat.prompt()
    chat.enter(LEGS)
    chat.wait_for("there is no socket")
    chat.wait_for("waiting for the server")
    chat.type(CTRL_C)  # somebody has no patience
    stopped = chat.prompt()
    assert "/retry sends the message again" in stopped and "broke" not in stopped and "cannot reach" not in stopped, stopped
    assert [role for role, _ in chat.messages()] == ["user", "assistant"] * 3 + ["user"]
    chat.enter(LEGS)  # and now waits until the program gives up
    chat.wait_for("waiting for the server (Ctrl-C gives up)")
    given_up = chat.prompt()
    assert "/retry sends the message again" in given_up and "there is no socket" not in given_up, given_up
    assert [role for role, _ in chat.messages()] == ["user", "assistant"] * 3 + ["user"]
    with Daemon(listen=address):
        assert "eight legs" in chat.say("/retry")
    assert [role for role, _ in chat.messages()] == ["user", "assistant"] * 4
    with Daemon("--name", "other", "--set", "model.max_model_len=300", listen=address):  # nobody noticed
        said = chat.say(LEGS)
        assert "the server serves other" in said and "its context is of 300 tokens, no longer of 1024" in said, said
        said = chat.say(LEGS)
        assert "serves" not in said and "its context" not in said, said
    chat.leave()


def scripts_get_plain_lines(daemon):
    chat = daemon.command("chat", "--temperature", "0", "--max-tokens", "30")
    done = subprocess.run(chat, input=f"{LEGS}\n\n/reset\n{LEGS}\n", capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == 2 and lines[0] == lines[1], done
    assert "\033" not in done.stdout + done.stderr, done
    alone = daemon.tern("generate", LEGS, "--temperature", "0", "--max-tokens", "30")
    assert alone.stdout.strip() == lines[0]
    failed = subprocess.run(chat, input="x " * 3000 + "\nhello\n", capture_output=True, text=True, timeout=60)
    assert failed.returncode == 1 and "context" in failed.stderr and not failed.stdout, failed

    windows = subprocess.run(chat, input=f"{LEGS}\r\n\r\n/reset\r\n{LEGS}\r\n".encode(), capture_output=True, timeout=60)
    assert windows.returncode == 0 and windows.stdout.decode().splitlines() == lines and windows.stderr.decode() == done.stderr, windows

    for refused in ("/rety", "/reset now", "/retry", "/drop x", "/drop", "/save", "/save /nowhere/at/all.txt"):
        done = subprocess.run(chat, input=f"{refused}\n{LEGS}\n", capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and done.stderr.count("\n") == 1 and not done.stdout, (refused, done)

    script = subprocess.Popen(daemon.command("chat", "--ignore-eos"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    script.stdin.write(b"Tell me a story.\n")
    script.stdin.flush()
    script.stdout.read(1)
    script.send_signal(signal.SIGINT)
    assert script.wait(20) == 130


def a_save_is_whole_or_nothing(daemon):
    """Where the disk is full, here a limit of 100 bytes a file, what was saved before stays."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    with tempfile.TemporaryDirectory() as folder:
        saved = pathlib.Path(folder) / "talk.txt"
        script = f"/system Brief.\n/save {saved}\n/system {'x' * 200}\n/save {saved}\n"
        done = subprocess.run(daemon.command("chat"), input=script, capture_output=True, text=True, timeout=60,
                              restore_signals=False, preexec_fn=limit)
        assert done.returncode == 1 and f"cannot write {saved}: File too large" in done.stderr, done
        assert saved.read_text() == "[system]\nBrief.\n" and list(saved.parent.iterdir()) == [saved]
        script = f"/system Brief.\n/save {saved}2\n/system Be kind.\n/save {saved}2\n"
        done = subprocess.run(daemon.command("chat"), input=script, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and pathlib.Path(f"{saved}2").read_text() == "[system]\nBe kind.\n", done
        assert len(list(saved.parent.iterdir())) == 2


def has_terminals():
    """A container may come without /dev/pts."""
    try:
        for fd in pty.openpty():
            os.close(fd)
        return True
    except OSError as error:
        print(f"skipped, this machine has no pseudo-terminals ({error})")
        return False


def main():
    with Daemon() as daemon:
        tests = [scripts_get_plain_lines, a_save_is_whole_or_nothing]
        if has_terminals():
            tests += [lines_are_edited_and_kept, a_paste_is_one_message, long_lines_are_whole, ctrl_c_stops_the_answer_alone,
                      what_is_typed_during_an_answer_comes_next, commands_do_what_help_says, the_end_of_the_context_is_told,
                      a_wait_shows_a_sign_of_life, the_terminal_is_left_as_it_was]
        for test in tests:
            if sys.argv[1:] and test.__name__ not in sys.argv[1:]:
                continue
            test(daemon)
            print(f"{test.__name__}: ok", flush=True)
    if has_terminals() and (not sys.argv[1:] or "a_server_comes_back" in sys.argv[1:]):
        with tempfile.TemporaryDirectory() as path:
            a_server_comes_back(path)
        print("a_server_comes_back: ok")


if __name__ == "__main__":
    sys.exit(main())
