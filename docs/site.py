#!/usr/bin/env python3
"""site.py FOLDER: build a static site of all pages of the source tree (`srcdir`) in FOLDER.

Pages keep their paths; README.md becomes index.html. Pictures and files that a page links to are
copied. The exit status is 1 if a link leads nowhere. Requires python3-markdown."""
from __future__ import annotations

import html
import os
import posixpath
import re
import shutil
import sys
from typing import NamedTuple

sys.dont_write_bytecode = True

import markdown                     # noqa: E402

from writers import slug            # noqa: E402

TOP = os.path.abspath(os.environ.get("srcdir") or os.path.join(os.path.dirname(__file__), ".."))
FOLDERS = {".": r"README\.md|SECURITY\.md|CONTRIBUTING\.md", "docs": r".*\.md",
           "docs/guides": r".*\.md", "bench": r"README\.md|results\.md",
           "modules": r"([a-z]+/)?README\.md", "packaging": r"README\.md"}
MANUAL = "docs/mod_proxy_mirror.html"
MENU = [("README.md", "mod_proxy_mirror"), ("docs/cheatsheet.md", "Cheat sheet"),
        ("docs/reference.md", "Reference"), ("docs/copies.md", "Copies"), ("docs/tls.md", "TLS"),
        ("docs/limits.md", "Limits"), ("docs/monitoring.md", "Monitoring"), ("docs/messages.md", "Messages"),
        ("docs/manager.md", "Manager"), ("docs/fleet.md", "Fleet"), ("docs/limitations.md", "Limitations"),
        ("docs/performance.md", "Performance"), ("docs/other-mirrors.md", "Other mirrors"),
        ("docs/guides/README.md", "Guides"), ("docs/install.md", "Installation"),
        ("SECURITY.md", "Security"), ("CONTRIBUTING.md", "Contributing")]
FRAME = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="stylesheet" href="{up}site.css">
</head>
<body>
<a class="skip" href="#main">Skip to the text</a>
<nav aria-label="Pages">
{menu}
</nav>
<main id="main">
{body}
</main>
</body>
</html>
"""
LINK = re.compile(r'\b(href|src|srcset)="([^"]*)"')


class Page(NamedTuple):
    path: str       # of the source
    text: str       # HTML, with the links of the source


def pages() -> list[str]:
    return sorted(posixpath.normpath(f"{folder}/{name}") for folder, pattern in FOLDERS.items()
                  for name in os.listdir(f"{TOP}/{folder}") if re.fullmatch(pattern, name))


def target_of(path: str) -> str:
    folder, name = posixpath.split(path)
    name = "index.html" if name == "README.md" else name.replace(".md", ".html")
    return posixpath.join(folder, name)


# ---- Markdown to HTML

def prepared(text: str) -> str:
    """Markdown of git hosts with a blank line before each list, which the converter requires."""
    out: list[str] = []
    fenced = False
    for line in text.split("\n"):
        fenced ^= line.startswith("```")
        item = re.match(r"(?:[-*]|\d+\.) ", line)
        before = out[-1] if out else ""
        if item and not fenced and before.strip() and not re.match(r"(?:[-*]|\d+\.) |\s", before):
            out.append("")
        out.append(line)
    return "\n".join(out)


def convert(text: str) -> str:
    out = markdown.markdown(
        prepared(text), extensions=["tables", "fenced_code", "toc", "sane_lists"], tab_length=2,
        extension_configs={"toc": {"slugify": lambda value, _: slug(value)}})
    # a bar in code in a table has a backslash, which stays there
    out = re.sub(r"(<td[^>]*>.*?</td>)", lambda m: m.group().replace("\\|", "|"), out, flags=re.S)
    out = out.replace("<pre>", '<pre tabindex="0">')
    return re.sub(r"(<table>.*?</table>)", r'<div class="wide" tabindex="0">\1</div>', out,
                  flags=re.S)


# ---- links

class Site:
    def __init__(self, folder: str) -> None:
        self.folder, self.problems = folder, []
        self.pages = {path: target_of(path) for path in pages()}
        self.pages[MANUAL] = MANUAL
        self.ids: dict[str, set[str]] = {}
        self.wanted: list[tuple[str, str, str]] = []

    def rewrite(self, path: str, text: str) -> str:
        """The links of a page, to where things are in the site."""
        def one(m: re.Match[str]) -> str:
            link = html.unescape(m.group(2))
            to, _, anchor = link.partition("#")
            if re.match(r"\w+:", link):
                return m.group()
            source = posixpath.normpath(posixpath.join(posixpath.dirname(path), to)) if to else path
            target = self.pages.get(source, source)
            if source not in self.pages:
                self.copy(path, source)
            elif anchor:
                self.wanted.append((path, target, anchor))
            if not to:
                return m.group()
            here = posixpath.dirname(self.pages[path])
            out = posixpath.relpath(target, here or ".") + (f"#{anchor}" if anchor else "")
            return f'{m.group(1)}="{html.escape(out)}"'
        return LINK.sub(one, text)

    def copy(self, path: str, source: str) -> None:
        if not os.path.isfile(f"{TOP}/{source}"):
            self.problems.append(f"{path}: a link to {source} leads nowhere")
            return
        os.makedirs(os.path.dirname(f"{self.folder}/{source}"), exist_ok=True)
        shutil.copyfile(f"{TOP}/{source}", f"{self.folder}/{source}")

    def put(self, path: str, text: str) -> None:
        target = self.pages[path]
        os.makedirs(os.path.dirname(f"{self.folder}/{target}"), exist_ok=True)
        self.ids[target] = set(re.findall(r'\bid="([^"]+)"', text))
        with open(f"{self.folder}/{target}", "w", encoding="utf-8") as f:
            f.write(text)

    def build(self) -> None:
        for path in self.pages:
            if path == MANUAL:
                with open(path, encoding="utf-8") as f:      # built, so it is in the build tree
                    self.put(path, self.rewrite(path, f.read()))
                continue
            with open(f"{TOP}/{path}", encoding="utf-8") as f:
                body = convert(f.read())
            title = re.search(r"<h1[^>]*>(.*?)</h1>", body).group(1)
            title = html.unescape(re.sub(r"<[^>]+>", "", title))
            up = posixpath.relpath(".", posixpath.dirname(self.pages[path]) or ".") + "/"
            self.put(path, FRAME.format(title=html.escape(title), up=up, menu=self.menu(path),
                                        body=self.rewrite(path, body)))
        shutil.copyfile(f"{TOP}/docs/site.css", f"{self.folder}/site.css")
        self.problems += [f"{path}: a link to {target}#{anchor} leads nowhere"
                          for path, target, anchor in self.wanted if anchor not in self.ids[target]]

    def menu(self, path: str) -> str:
        here = posixpath.dirname(self.pages[path]) or "."
        links = [(posixpath.relpath(self.pages[to], here),
                  ' aria-current="page"' if to == path else "", name) for to, name in MENU]
        return "\n".join(f'<a href="{to}"{current}>{name}</a>' for to, current, name in links)


def main() -> int:
    site = Site(sys.argv[1])
    shutil.rmtree(site.folder, ignore_errors=True)
    site.build()
    more = len(site.pages) - 1
    print("\n".join(site.problems) or f"{site.folder}/index.html and {more} more pages")
    return 1 if site.problems else 0


if __name__ == "__main__":
    sys.exit(main())
