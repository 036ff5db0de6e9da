"""A little internet for demo and tests: a search service, company sites and DNS, all made up from the names asked for.

The search speaks SearXNG's format (https://docs.searxng.org/dev/search_api.html). Only hosts under `.example`
exist, because nobody can own one of those.
"""

import re
from hashlib import sha256
from html import escape
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotFound

from leadagent.sandbox.gate import is_local, json_response

_TLD = ".example"
_PLACES = ("Leeds", "Rotterdam", "Lyon", "Gdańsk", "Porto", "Aarhus", "Bologna", "Cork")
_TRADES = ("freight forwarding", "dental care", "machine parts", "event catering", "accounting", "wind turbine service")
_SYSTEMS = (
    ("WordPress 6.8", '<script src="/wp-content/themes/site.js"></script>', "nginx"),
    ("Hugo 0.150", '<script src="https://plausible.io/js/script.js" defer></script>', "Caddy"),
    (
        "",
        '<script src="/_next/static/main.js"></script><script src="https://js.hs-scripts.com/1.js"></script>',
        "Vercel",
    ),
)


def search(request: HttpRequest) -> HttpResponse:
    """GET /search: three results about whatever is asked, in the shape of `format=json`."""
    if not is_local(request):
        return HttpResponseNotFound()
    if request.GET.get("format") != "json":
        return HttpResponse("The sandbox answers in JSON only.", status=403)
    query = request.GET.get("q", "")
    host = _host_for(query)
    name = _name_of(host)
    hits = [
        (f"https://{host}/", name, f"{name} is a company for {_trade(host)} in {_place(host)}."),
        (f"https://{host}/about", f"About {name}", f"Founded in {_year(host)}, {_people(host)} people."),
        (
            f"https://register{_TLD}/companies/{quote(host.removesuffix(_TLD))}",
            f"{name} in the trade register",
            f"{name} Ltd, registered in {_place(host)} since {_year(host)}.",
        ),
    ]
    results = [
        {"url": url, "title": title, "content": text, "engine": "sandbox", "score": 1.0 / rank, "category": "general"}
        for rank, (url, title, text) in enumerate(hits, start=1)
    ]
    found = results if query.strip() else []
    return json_response(
        {"query": query, "number_of_results": len(found), "results": found, "answers": [], "suggestions": []}
    )


def page(request: HttpRequest, host: str, path: str) -> HttpResponseBase:
    """One page of a made-up site; 404 for hosts that cannot be."""
    if not is_local(request) or not host.endswith(_TLD):
        return HttpResponseNotFound("<h1>Not found</h1>")
    generator, scripts, server = _SYSTEMS[_number(host) % len(_SYSTEMS)]
    about = host if host != f"register{_TLD}" else f"{path.rpartition('/')[2]}{_TLD}"
    name = escape(_name_of(about))
    tag = f'<meta name="generator" content="{generator}">' if generator else ""
    title, paragraphs = _text(about, name, path.strip("/"))
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    response = HttpResponse(
        f'<!doctype html><html lang="en"><head><title>{title}</title>{tag}{scripts}</head><body>'
        f'<nav><a href="/">Home</a> <a href="/about">About</a> <a href="/pricing">Prices</a></nav>'
        f"<main><h1>{title}</h1>{body}</main><footer>Made up by the sandbox</footer></body></html>"
    )
    response.headers["Server"] = server
    return response


def dns(request: HttpRequest, host: str) -> HttpResponse:
    """The records of a made-up domain, kind -> texts."""
    if not is_local(request) or not host.endswith(_TLD):
        return HttpResponseNotFound()
    mail = ("10 aspmx.l.google.com.", "10 mail.protection.outlook.com.")[_number(host) % 2]
    texts = ['"v=spf1 include:_spf.google.com include:spf.hubspot.com -all"', '"google-site-verification=sandbox"']
    return json_response({"MX": [mail], "TXT": texts, "NS": ["ada.ns.cloudflare.com."]})


def _text(host: str, name: str, path: str) -> tuple[str, list[str]]:
    if path == "about" or path.startswith("companies/"):
        return f"About {name}", [
            f"{name} was founded in {_year(host)} in {_place(host)} and works in {_trade(host)}.",
            f"{_people(host)} people work for us in three offices, and a third of them talk to customers every day.",
        ]
    if path == "pricing":
        return f"Prices of {name}", ["Every offer is made for one customer. Write to us and we answer within two days."]
    return name, [
        f"{name} is a company for {_trade(host)} in {_place(host)}, with {_people(host)} people since {_year(host)}.",
        "Customers ask us for quotes by our form, by email and by telephone, and we answer each of them by hand.",
        "We are looking for ways to answer faster, because those who answer first most often get the order.",
    ]


def _host_for(query: str) -> str:
    """The site that a search is about: a host that it names, or one made of its first words."""
    named = re.search(r"[\w\-]+(?:\.[\w\-]+)*\.example\b", query.lower())
    if named:
        return named.group(0).removeprefix("www.")
    words = [word for word in re.findall(r"[a-z0-9]+", query.lower()) if word not in {"ltd", "gmbh", "inc", "the"}]
    return f"{'-'.join(words[:2]) or 'nobody'}{_TLD}"


def _name_of(host: str) -> str:
    return host.removeprefix("www.").removesuffix(_TLD).rpartition(".")[2].replace("-", " ").title()


def _number(host: str) -> int:
    return sha256(host.removeprefix("www.").encode()).digest()[0]


def _place(host: str) -> str:
    return _PLACES[_number(host) % len(_PLACES)]


def _trade(host: str) -> str:
    return _TRADES[_number(host) % len(_TRADES)]


def _year(host: str) -> int:
    return 1960 + _number(host) % 60


def _people(host: str) -> int:
    return 12 + _number(host)
