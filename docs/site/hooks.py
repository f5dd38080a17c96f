"""How the repository's pages become a site: a hook of MkDocs, named in mkdocs.yml.

The pages are written for GitHub: the README at the top, links from file to file. Here they get their places in the
site, links follow them there, the menu is read from docs/README.md, the API's pages are named, and a page that would
ask another host for anything stops the build.
"""

import posixpath
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
import layout

FETCHED = re.compile(r"""(?:\bsrc=|<link\b[^>]*\bhref=|url\(|@import )["']?(?:https?:)?//[^"'\s)>]+""")
LINKED = re.compile(r"""<a\b[^>]*\bhref="(https?://[^"]+)""")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Headings get GitHub's anchors, and the menu is the index in docs/README.md."""
    config.mdx_configs["toc"]["slugify"] = layout.github_anchor
    config.nav = layout.menu((layout.ROOT / "docs/README.md").read_text(encoding="utf-8"))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Pages from outside docs/, and those of the API."""
    files.remove(files.src_uris["README.md"])
    for source, place in layout.PLACES.items():
        files.append(File.generated(config, place, abs_src_path=str(layout.ROOT / source)))
    for place, content in [*layout.api_pages(), (layout.MESSAGES, layout.messages_page())]:
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links from file to file become links from page to page; other files of the repository come along."""
    source, folder = layout.source_of(page.file.src_uri), posixpath.dirname(page.file.src_uri) or "."

    def moved(link: re.Match) -> str:
        path, hash_sign, anchor = link[2].partition("#")
        place = layout.place_of(source, path)
        if place is None:
            return link[0]
        bring(place, source, config, files)
        return f"{link[1]}{posixpath.relpath(place, folder)}{hash_sign}{anchor}{link[3]}"

    return layout.LINK.sub(moved, layout.spaced_lists(markdown))


def bring(place: str, source: str, config: MkDocsConfig, files: Files) -> None:
    """Copy a file of the repository that is no page into the site. Raises PluginError for a page without a place."""
    path = place.removeprefix(f"{layout.FILES}/")
    if path == place or place in files.src_uris:
        return
    if path.endswith(".md"):
        raise PluginError(f"{source} links to {path}: give it a place in PLACES of docs/site/layout.py")
    files.append(File.generated(config, place, abs_src_path=str(layout.ROOT / path)))


def on_post_build(config: MkDocsConfig) -> None:
    """List the links to other hosts, which nobody follows here, in external-links.txt.

    Raises PluginError where a page or a style would fetch a script, a style, a font or a picture from another host.
    """
    site = Path(config.site_dir)
    texts = {path: path.read_text(encoding="utf-8") for ending in ("html", "css") for path in site.rglob(f"*.{ending}")}
    fetched = [f"{path.relative_to(site)}: {found}" for path, text in texts.items() for found in FETCHED.findall(text)]
    if fetched:
        raise PluginError("the site would ask another host:\n" + "\n".join(sorted(fetched)[:20]))
    links = {link for text in texts.values() for link in LINKED.findall(text)}
    (site / "external-links.txt").write_text("\n".join(sorted(links)) + "\n", encoding="utf-8")
