"""The HTML of strangers, made harmless: few tags and attributes, plain styles, links that leave, images where asked.

What is let through is listed; whatever is not listed does not exist.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from markupsafe import Markup


def _names(text: str) -> list[str]:
    return text.split()


# The parser walks the open elements at every tag, so its time may grow with their square: this many, built as badly as
# can be, take a second or two. A letter of people has some hundreds.
MOST_TAGS = 20_000
_TAG = re.compile(r"</?[A-Za-z]")

# It also compares each attribute of a tag with all before it.
MOST_ATTRIBUTES = 200
# as the parser reads them, each with what is between it and the next; a quote that nobody closes goes on to the end
_NAME = re.compile(r"[^\t\n\f\r />]*[\t\n\f\r /]*")
_ATTRIBUTE = re.compile(
    r"""[^\t\n\f\r />][^\t\n\f\r />=]*"""
    r"""(?:[\t\n\f\r ]*=[\t\n\f\r ]*(?:"[^"]*(?:"|\Z)|'[^']*(?:'|\Z)|[^\t\n\f\r >"'][^\t\n\f\r >]*)?)?"""
    r"""[\t\n\f\r /]*"""
)

# Left open, these are opened again by every paragraph that follows: 20 KB of letter would become 20 MB of page. Under
# a name that the parser does not know they are like any other element; they get their own back behind it.
_FORMATTING = _names("b big code em font i s small strike strong tt u")
_DISGUISE = re.compile(rf"(</?)({'|'.join(_FORMATTING)})(?=[\s/>])", re.IGNORECASE)
_DISGUISED = re.compile(rf"(</?)x-({'|'.join(_FORMATTING)})(?=[\s>])")

_TAGS = {
    *_names("a abbr address article aside bdi bdo blockquote br caption center cite col colgroup dd del dfn div dl dt"),
    *_names("figcaption figure footer h1 h2 h3 h4 h5 h6 header hgroup hr img ins kbd li main mark nav ol p pre q rp"),
    *_names("rt ruby samp section span sub sup table tbody td tfoot th thead time tr ul var wbr"),
    *(f"x-{name}" for name in _FORMATTING),
}
# the text in these is for programs, or for nobody who reads mail here
_WITH_CONTENT = {"script", "style", "title", "svg", "math", "template", "iframe", "noembed", "noframes", "object"}
_ATTRIBUTES = {
    "*": {"align", "bgcolor", "dir", "height", "lang", "style", "title", "valign", "width"},
    "a": {"href"},
    "img": {"alt", "src"},
    "ol": {"start", "type"},
    "table": {"border", "cellpadding", "cellspacing"},
    "td": {"colspan", "nowrap", "rowspan"},
    "th": {"colspan", "nowrap", "rowspan"},
    "x-font": {"color", "face", "size"},
}
# out of the frame
_LINKS = {"a": {"target": "_blank"}}
_PROPERTIES = {
    *_names("background background-color color direction display float clear height letter-spacing line-height"),
    *_names("list-style-type margin max-height max-width min-height min-width padding table-layout text-align"),
    *_names("text-decoration text-indent text-transform vertical-align white-space width word-break"),
    *(f"font{part}" for part in ("", "-family", "-size", "-style", "-variant", "-weight")),
    *(f"{box}-{side}" for box in ("margin", "padding", "border") for side in ("top", "right", "bottom", "left")),
    *(f"border{part}" for part in ("", "-collapse", "-color", "-radius", "-spacing", "-style", "-width")),
}
# numbers, names and colours: whole in themselves, and nothing that could load, compute or escape
_VALUE = re.compile(
    r"""(?:[\w\s.,%\#+-]|"[\w\s.-]*"|'[\w\s.-]*'|(?:rgb|hsl)a?\([\d\s.,%/]*\))*(?:!\s*important\s*)?""", re.IGNORECASE
)
_LONGEST_STYLE = 4000
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)
_SCHEMES = ("http://", "https://", "mailto:", "tel:")


@dataclass(frozen=True, kw_only=True)
class MailHtml:
    """What a browser may see of a letter, and how many of its images, which are elsewhere, it does not."""

    html: Markup
    hidden_images: int


def is_too_much(text: str) -> bool:
    """Tell whether HTML has more tags than any letter, or a tag more attributes, so that only its text should be shown.

    A tag may begin in a comment, or within what another one quotes. So each is read by itself, unless that takes long.
    """
    was_read = 0
    for number, tag in enumerate(_TAG.finditer(text), start=1):
        count, end = _attributes(text, tag.end())
        was_read += end - tag.start()
        if number > MOST_TAGS or count > MOST_ATTRIBUTES or was_read > 2 * len(text):
            return True
    return False


def _attributes(text: str, at: int) -> tuple[int, int]:
    """Return how many attributes a tag has, if not too many, and where they end."""
    count, name = 0, _NAME.match(text, at)
    at = name.end() if name else at
    while count <= MOST_ATTRIBUTES and (attribute := _ATTRIBUTE.match(text, at)):
        count, at = count + 1, attribute.end()
    return count, at


def text_of(text: str) -> str:
    """Return HTML without its tags; in a time that grows with its length, whatever it is."""
    return html.unescape(re.sub(r"<[^<>]*>", " ", text))


def harmless(text: str, *, inline_url: Callable[[str], str | None], shows_images: bool) -> MailHtml:
    """Return ``text`` made harmless.

    ``inline_url`` gives the address of an image that came with the message, by its content id. Images from elsewhere
    tell their server who reads, when and where: they are there only with ``shows_images``.
    """
    import nh3  # late: only a message that is open needs it

    images = _Images(inline_url=inline_url, shows_remote=shows_images)
    clean = nh3.clean(
        _DISGUISE.sub(r"\1x-\2", text),
        tags=_TAGS,
        clean_content_tags=_WITH_CONTENT,
        attributes=_ATTRIBUTES,
        attribute_filter=images.filtered,
        set_tag_attribute_values=_LINKS,
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
        link_rel="noopener noreferrer",
    )
    return MailHtml(html=Markup(_DISGUISED.sub(r"\1\2", clean)), hidden_images=images.hidden)


@dataclass(kw_only=True)
class _Images:
    """Looks at every attribute, and counts the images that it hid."""

    inline_url: Callable[[str], str | None]
    shows_remote: bool
    hidden: int = 0

    def filtered(self, tag: str, attribute: str, value: str) -> str | None:
        """Return what an attribute may say, or None."""
        if attribute == "style":
            return _plain_style(value)
        if attribute == "href":
            return value if value.strip().lower().startswith(_SCHEMES) else None
        return self._source(value.strip()) if attribute == "src" else value

    def _source(self, value: str) -> str | None:
        scheme, _, rest = (f"https:{value}" if value.startswith("//") else value).partition(":")
        if scheme.lower() == "cid":
            return self.inline_url(unquote(rest))
        if _IMAGE.fullmatch(value):
            return value
        if scheme.lower() not in {"http", "https"}:
            return None
        if self.shows_remote:
            return f"https:{rest}"
        self.hidden += 1
        return None


def _plain_style(style: str) -> str | None:
    """Return the declarations of a style attribute that are plain: each is whole, so they cannot add up to more."""
    declarations = (each.partition(":") for each in style[:_LONGEST_STYLE].split(";"))
    plain = [
        f"{name.strip().lower()}:{value.strip()}"
        for name, _, value in declarations
        if name.strip().lower() in _PROPERTIES and _VALUE.fullmatch(value)
    ]
    return ";".join(plain) or None
