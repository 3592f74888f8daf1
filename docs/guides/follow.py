"""follow.py [--write] [--shell COMMAND] GUIDE: does on this machine what a guide says, and compares what comes with what it prints.

For a fresh Debian 12, as root, in a folder with the .deb; it installs packages and changes /etc. First come the set-up lines of
README.md beside this file, then the guide, from its first to its last line, all in one bash:

- an indented block is commands, and so are the lines with `$ ` (and `> `, where they go on) of a block ```console;
- a block ```apache or ```nginx is the file that is named in the paragraph before it; a block ```text is only to be read;
- the other lines of a block ```console are what the command above has printed, on standard output and standard error.

A command that prints something else, or that fails, is a difference. What may differ is in MAY_DIFFER and CHANCE, and nothing
else. Ends with 1 if anything differs. COMMAND (default bash) is the shell, perhaps one in another system; --write puts into the
guide what came."""
import argparse
import json
import os
import re
import secrets
import selectors
import shlex
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 600                                  # seconds for one command; an installation may take some

# What is another in each run: times and dates, processes, the id of a copy. Each is a pattern, and what stands for it.
MAY_DIFFER = [
    (r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", "DATE"),
    (r"\[[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d\.\d{6} \d{4}\]", "[DATE]"),
    (r"\[\d\d/[A-Z][a-z]{2}/\d{4} \d\d:\d\d:\d\d\]", "[DATE]"),
    (r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"', '"DATE"'),
    (r"\[pid \d+:tid \d+\]", "[pid PID:tid TID]"),
    (r" (after|in) 0\.\d{6} s$", r" \1 less than a second"),
    (r'^\{"p50":-?[\d.]+,"p90":-?[\d.]+,"p99":-?[\d.]+\}$', '{"p50":MS,"p90":MS,"p99":MS}'),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID"),
    (r"^    X-Proxy-Mirror: [0-9a-f]{32}$", "    X-Proxy-Mirror: ID"),
]
# Where sample_ratio draws by chance: the guide, and its counters that may be others. They still have to add up.
CHANCE = {
    "from-apisix.md": ("mirrored", "sampled_out"),
    "outcomes.md": ("mirrored", "sampled_out", "filtered"),
}
# What a shell says of its jobs in the background is not printed in the guides.
JOBS = re.compile(r"^(\[\d+\][ +-].*|\S+: line \d+: +\d+ Terminated .*)$")


def masked(guide, line):
    """A line of output, with what may differ replaced by a word for it."""
    for pattern, word in MAY_DIFFER:
        line = re.sub(pattern, word, line)
    if line.startswith('{"seen":') and '"sampled_out":' in line and guide in CHANCE:
        counts = json.loads(line)
        outcomes, answers = counts["outcomes"], counts["responses"]
        if sum(outcomes.values()) == counts["seen"] and sum(answers.values()) == outcomes["mirrored"]:
            outcomes.update((name, "CHANCE") for name in CHANCE[guide] if name in outcomes)
            counts["responses"] = dict.fromkeys(answers, "CHANCE")
            line = json.dumps(counts)
    return line


class Shell:
    """A bash that runs one command after the other; jobs, functions and the folder stay from one to the next."""
    LOOP = ("exec 9<&0 < /dev/null 2>&1; while IFS= read -r -d '' -u 9 command; do "
            "eval \"$command\" 9<&-; printf '\\n%s %s\\n' {mark} $?; done")

    def __init__(self, command):
        self.mark = secrets.token_hex(16)
        self.process = subprocess.Popen([*shlex.split(command), "-c", self.LOOP.format(mark=self.mark)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)

    def run(self, command):
        """Lines of what a command printed, and how it ended."""
        # who installs by hand says yes
        typed = f"{command} <<< y" if command.startswith("apt-get ") else command
        self.process.stdin.write(typed.encode() + b"\0")
        self.process.stdin.flush()
        end, data, until = re.compile(rf"\n{self.mark} (\d+)\n$".encode()), b"", time.monotonic() + PATIENCE
        while not (m := end.search(data)):
            if not self.selector.select(max(0, until - time.monotonic())):
                sys.exit(f"follow: this has not ended within {PATIENCE} s: {command}\n{data.decode(errors='replace')}")
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            if not piece:
                sys.exit(f"follow: the shell is gone, with: {command}\n{data.decode(errors='replace')}")
            data += piece
        text = data[:m.start()].decode(errors="replace").replace("\r", "")
        lines = text.removesuffix("\n").split("\n") if text else []
        return [line for line in lines if not JOBS.match(line)], int(m.group(1))

    def until_listening(self, command):
        """Who types is slower than a server starts: waits for the port of one that was left to run in the background."""
        port = re.search(r"^python3 .*?\b(\d{4})\b.*&$", command)
        if port:
            self.run(f"until (exec 3<> /dev/tcp/127.0.0.1/{port.group(1)}) 2> /dev/null; do :; done")

    def write(self, path, text):
        word = secrets.token_hex(16)
        lines, ended = self.run(f"cat > {shlex.quote(path)} <<'{word}'\n{text}{word}")
        if lines or ended:
            sys.exit(f"follow: {path} could not be written: {lines}")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.wait()


def whole(command):
    """Whether nothing of a command is missing, as the rest of a loop, function or quotation."""
    return subprocess.run(["bash", "-n", "-c", command], stderr=subprocess.DEVNULL).returncode == 0


def steps(path):
    """What a guide says is to be done: (line number, "run", command, lines of output that are printed or None) and
    (line number, "write", path of the file, its text)."""
    lines, n, paragraph = open(path).read().split("\n"), 0, []
    while n < len(lines):
        line = lines[n]
        n += 1
        if line.startswith("```"):
            kind, first = line[3:], n
            while lines[n] != "```":
                n += 1
            block = lines[first:n]
            n += 1
            if kind == "console":
                yield from console(path, block, first)
            elif kind in ("apache", "nginx"):
                named = re.findall(r"`(/[^`]+)`[^`]*:$", " ".join(paragraph))
                if not named:
                    sys.exit(f"{path}:{first}: which file is this?")
                yield first, "write", named[-1], "".join(f"{line}\n" for line in block)
            elif kind != "text":
                sys.exit(f"{path}:{first}: a block of {kind or 'no kind'}: what is to be done with it?")
            paragraph = []
        elif line.startswith("    "):
            command = line[4:]
            first = n
            while not whole(command):
                command += "\n" + lines[n].removeprefix("    ")
                n += 1
            yield first, "run", command, None
        elif line:
            paragraph.append(line)
        elif lines[n:n + 1] and not lines[n].startswith("```"):
            paragraph = []


def console(path, block, first):
    """The commands of a block ```console that begins after line `first`, each with what is printed below it."""
    n = 0
    while n < len(block):
        start = n
        if not block[n].startswith("$ "):
            sys.exit(f"{path}:{first + n + 1}: output without a command")
        command = block[n][2:]
        n += 1
        while n < len(block) and block[n].startswith("> ") and not whole(command):
            command += "\n" + block[n][2:]
            n += 1
        output = n
        while n < len(block) and not block[n].startswith("$ "):
            n += 1
        yield first + start + 1, "run", command, block[output:n]


def follow(path, shell, write):
    """Follows one text; the number of differences."""
    guide, wrong, came = os.path.basename(path), 0, {}
    for line, what, name, expected in steps(path):
        if what == "write":
            shell.write(name, expected)
            continue
        lines, ended = shell.run(name)
        shell.until_listening(name)
        if expected is not None:
            came[line] = (name, expected, lines)
        differs = expected is not None and [masked(guide, x) for x in lines] != [masked(guide, x) for x in expected]
        if not differs and not ended:
            continue
        wrong += 1
        print(f"{guide}:{line}: $ {name}")
        if ended:
            print(f"  fails, with {ended}")
        if differs:
            print("".join(f"  printed: {x}\n" for x in expected), end="")
        print("".join(f"  came:    {x}\n" for x in lines), end="")
        sys.stdout.flush()
    if write:
        text = open(path).read().split("\n")
        for line, (name, expected, lines) in sorted(came.items(), reverse=True):
            first = line + name.count("\n")
            text[first:first + len(expected)] = lines
        open(path, "w").write("\n".join(text))
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--write", action="store_true", help="put into the guide what came")
    parser.add_argument("--shell", default="bash", metavar="COMMAND", help="the shell (default bash)")
    parser.add_argument("guide")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with Shell(arguments.shell) as shell:
        wrong = follow(f"{HERE}/README.md", shell, False)
        for name in ("listen.py", "items.py"):
            shell.write(name, open(f"{HERE}/{name}").read())
        wrong += follow(arguments.guide, shell, arguments.write)
    guide = os.path.basename(arguments.guide)
    print(f"follow: {guide}: " + (f"{wrong} differences" if wrong else "all came as it is printed"))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
