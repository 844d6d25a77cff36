"""The pages of the attention explorer: one file with data and script in it, and its place in a notebook's output."""

import html
import json
from functools import cache
from importlib import resources
from typing import Any

HEIGHT = 900  # pixels of the frame until the page inside says how high it is

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0; background: Canvas; color: CanvasText; }}
main {{ box-sizing: border-box; max-width: 1360px; margin: 0 auto; padding: 12px; }}
</style>
</head>
<body>
<main id="explorer"><noscript>The attention explorer needs JavaScript.</noscript></main>
<script type="application/json" id="payload">{payload}</script>
<script type="module">
{script}
{host}
</script>
</body>
</html>
"""

# What stands in for the model of a live view: it holds the payload and hears nothing.
HOST = """
const payload = JSON.parse(document.getElementById("payload").textContent);
const nothing = () => {};
const model = { get: (key) => ({ payload, live: false })[key], on: nothing, off: nothing, send: nothing };
const el = document.getElementById("explorer");
try {
  const theme = parent !== window && parent.document.body.dataset.jpThemeLight;
  if (theme) document.documentElement.style.colorScheme = theme === "true" ? "light" : "dark";
} catch { /* a page of another origin keeps its theme to itself */ }
explorer.render({ model, el });
try {
  const frame = window.frameElement;
  if (frame) new ResizeObserver(() => { frame.style.height = `${el.getBoundingClientRect().bottom + scrollY + 4}px`; })
    .observe(el);
} catch { /* the frame keeps its height, and scrolls */ }
"""

# The picture is an output of its own below: it stays where frames and scripts are taken away, and else steps aside.
HIDE_PICTURE = """
.jp-OutputArea-child:has(.minillama-explorer) + .jp-OutputArea-child:has(.jp-RenderedImage) { display: none; }
"""

NOTEBOOK = """<style>{style}</style>
<iframe class="minillama-explorer" title="Attention explorer" srcdoc='{srcdoc}'
 style="width:100%;height:{height}px;border:0;display:block" allow="fullscreen"></iframe>"""

LARGE = (
    "<p>Too many weights to keep in a notebook: write them to a page of their own with <code>to_html(path)</code>.</p>"
)


@cache
def script() -> str:
    """The explorer's module."""
    return (resources.files("minillama") / "viz" / "static" / "explorer.js").read_text(encoding="utf-8")


def page(payload: dict[str, Any], title: str) -> str:
    """One page with everything in it.

    Args:
        payload: of `minillama.viz.explorer_payload.explorer_payload`.
        title: of the page.
    """
    data = json.dumps(payload, allow_nan=False, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    module, _, exported = script().rpartition("export default ")
    body = f"{module}const explorer = {exported}"
    return PAGE.format(title=html.escape(title), payload=data, script=body, host=HOST)


def notebook_html(content: str | None) -> str:
    """A page inside a notebook's output.

    Args:
        content: the page, None where it is too large.
    """
    if content is None:
        return LARGE
    srcdoc = content.replace("&", "&amp;").replace("'", "&#39;")  # quotes of JSON stay as short as they are
    return NOTEBOOK.format(srcdoc=srcdoc, height=HEIGHT, style=HIDE_PICTURE)
