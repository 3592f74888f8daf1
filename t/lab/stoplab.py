"""A change of all mirrors at once: PATCH and DELETE of /mirrors, and the forms of the page for it."""
from __future__ import annotations

import json

import pagelab
from managerlab import FORM, JSON

HTML = "Accept: text/html,*/*;q=0.8"



def call(h, method: str, data=None, headers=(JSON,)):
    body = data if data is None or isinstance(data, bytes) else json.dumps(data).encode()
    return h.request(method, "/manager/mirrors", list(headers), body)


def enabled(h) -> dict[str, bool]:
    return {name: one["attributes"]["enabled"] for name, one in h.mirrors().items()}


def page_of(h, answer=None) -> pagelab.Element:
    return pagelab.parse((answer or h.get("/manager", ["Host: localhost"])).body)


def form_of(page: pagelab.Element, button: str) -> pagelab.Element:
    (found,) = [form for form in page.one("body").all("form") if "hidden" not in form.attributes
                and [one.text for one in form.all("button")] == [button]]
    assert found.get("action") == "/manager/mirrors" and found.get("method") == "post"
    return found


def post(h, form: pagelab.Element, headers=(FORM, HTML), **typed: str):
    return h.request("POST", form.get("action"), list(headers), pagelab.posted(form, **typed))
