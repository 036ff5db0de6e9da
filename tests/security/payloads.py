"""Sixty texts that would run as script, were they ever put into a page unescaped.

Each calls `alert`, so that a browser shows a dialog; most fit into eighty characters, so that
short columns keep them whole. Written for the places of our own pages: text, attributes in
double quotes, links, JSON in attributes, htmx attributes, style sheets, templates.
"""

PAYLOADS = (
    "<script>alert(1)</script>",
    "<SCRIPT>alert(1)</SCRIPT>",
    "<script/x>alert(1)</script>",
    "<script src=data:,alert(1)></script>",
    "<script type=module>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    '"><script>alert(1)</script>',
    "'><script>alert(1)</script>",
    "`><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</option></select><script>alert(1)</script>",
    "--><script>alert(1)</script><!--",
    "]]><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src=x onerror=alert(1)//",
    "<img/src=x/onerror=alert(1)>",
    "<IMG SRC=x OnErRoR=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "<img src='x'onerror='alert(1)'>",
    "<svg onload=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><set onbegin=alert(1) attributeName=x>",
    "<svg><a href=javascript:alert(1)><text y=20>x</text></a></svg>",
    "<math><mtext><script>alert(1)</script></mtext></math>",
    "<math><mi//xlink:href=javascript:alert(1)>x",
    "<body onload=alert(1)>",
    "<body onpageshow=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    '" autofocus onfocus=alert(1) x="',
    "' autofocus onfocus=alert(1) x='",
    '" onmouseover=alert(1) style=position:fixed;inset:0 x="',
    "<details open ontoggle=alert(1)>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<video src=x onerror=alert(1)>",
    "<audio src=x onerror=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<object data=javascript:alert(1)>",
    "<embed src=javascript:alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'>",
    "<a href=javascript:alert(1) autofocus>x</a>",
    "javascript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "<meta http-equiv=refresh content=0;url=javascript:alert(1)>",
    "<base href=javascript:alert(1)//>",
    "<form action=javascript:alert(1)><button autofocus>x</form>",
    "<isindex type=image src=1 onerror=alert(1)>",
    "<style>@import'javascript:alert(1)';</style>",
    "<link rel=stylesheet href=javascript:alert(1)>",
    "<div hx-get=/ hx-trigger=load hx-on::before-request=alert(1)></div>",
    "<div hx-on:load=alert(1) hx-trigger=load hx-vals='js:{x:alert(1)}'></div>",
    "{{ x|safe }}{% autoescape off %}<script>alert(1)</script>",
    "<template><script>alert(1)</script></template><script>alert(1)</script>",
    "\u003cscript\u003ealert(1)\u003c/script\u003e&lt;script&gt;alert(1)&lt;/script&gt;",
)


def in_threes() -> list[tuple[str, str, str]]:
    """The scripts in groups of three, a long one with two short ones: together they fit into 200 characters."""
    by_length = sorted(PAYLOADS, key=len)
    short, long = by_length[:40], by_length[40:]
    return [(long[-1 - number], short[number], short[20 + number]) for number in range(20)]
