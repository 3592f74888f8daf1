"""The page of the manager, read as a browser without JavaScript would: elements, texts, forms."""
from __future__ import annotations

from html.parser import HTMLParser
from typing import Iterator
from urllib.parse import urlencode

VOID = {"meta", "link", "input", "br", "hr", "img"}


class Element:
    """A node of the tree; texts are strings among its children."""

    def __init__(self, tag: str, attributes: dict[str, str | None]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Element | str] = []

    def __iter__(self) -> Iterator[Element]:
        """It and all below it."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child

    def get(self, name: str) -> str | None:
        return self.attributes.get(name)

    def all(self, tag: str | None = None, **attributes: str) -> list[Element]:
        """Those below with this tag and these attributes; `_` in a name stands for `-`, at its end for nothing."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [one for one in self if tag in (None, one.tag) and all(one.get(n) == v for n, v in wanted.items())]

    def one(self, tag: str | None = None, **attributes: str) -> Element:
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of {tag} {attributes}"
        return found[0]

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    @property
    def shown(self) -> str:
        """Its text less what is hidden."""
        return "" if "hidden" in self.attributes else "".join(
            child if isinstance(child, str) else child.shown for child in self.children)


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"<{tag}> has an attribute twice: {attrs}"
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> ends <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(body: bytes) -> Element:
    """The tree; every element has to be closed."""
    builder = _Builder()
    builder.feed(body.decode())
    builder.close()
    assert builder.open == [builder.root], f"<{builder.open[-1].tag}> is not closed"
    return builder.root


def forms(page: Element, name: str) -> list[Element]:
    """Those of a mirror that are shown."""
    return [form for form in page.one("article", id=f"m-{name}").all("form") if "hidden" not in form.attributes]


def form_with(page: Element, name: str, button: str) -> Element:
    """The one of a mirror whose button says so."""
    (found,) = [form for form in forms(page, name) if form.one("button").text == button]
    return found


def posted(form: Element, **typed: str) -> bytes:
    """What a browser would post."""
    fields = {field.get("name"): field.get("value") or "" for field in (*form.all("input"), form.one("button"))
              if field.get("name")}
    return urlencode({**fields, **typed}).encode()


def manager(path: str = "/manage") -> str:
    return f'<Location "{path}">\nSetHandler proxy-mirror-manager\n</Location>\n'
