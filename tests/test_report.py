import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import docutils.core
import jinja2
import pytest

from entropy_sums import figures, report
from entropy_sums.study import pictures
from entropy_sums.tables import TABLES, words
from example import example_tree, streaming

CAPTIONS = Path(__file__).parents[1] / "workflow" / "report"


class Page(HTMLParser):
    """Collects identifiers, links, sources of images, and checks that tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.images, self.cells, self._open = [], [], [], 0, []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes["href"]] if tag == "a" else []
        self.images += [attributes["src"]] if tag == "img" else []
        self.cells += tag == "td"
        if tag not in ("img", "meta"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    tree = example_tree({"dataset": ["pca"], "latent_dim": [2, 4], "seed": range(4)}, ["linearvae", "vae1"])
    stems = [folder / name for name in pictures.names(["latent_entropies", "gap_by_model"], {"dataset": ["pca"]})]
    for stem in stems:
        figures.render(stem.name, tree, stem)
    report.write(tree, stems, folder / "report.html")
    return SimpleNamespace(folder=folder, tree=tree, stems=stems)


@pytest.fixture(scope="module")
def text(study):
    return (study.folder / "report.html").read_text(encoding="utf-8")


def test_every_figure_is_inside_with_its_caption(study, text):
    page = Page(text)
    assert len(page.images) == 2
    for stem, source in zip(study.stems, page.images, strict=True):
        assert stem.name in page.ids
        assert base64.b64decode(source.partition("base64,")[2]) == Path(f"{stem}.svg").read_bytes()
        caption = Path(f"{stem}.txt").read_text(encoding="utf-8").strip()
        assert f"<figcaption>{caption}</figcaption>" in text


def test_needs_no_network_and_no_other_file(text):
    page = Page(text)
    assert all(source.startswith("data:") for source in page.images)
    assert all(link.startswith("#") for link in page.links)
    assert not re.search(r"(?:src|href)=\"(?!data:|#)|<script|<link|@import|url\(", text)


def test_links_lead_somewhere(text):
    page = Page(text)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)


def test_table_and_provenance(study, text):
    shown = [words.display(table, table.frame(study.tree)) for table in TABLES.values()]
    assert Page(text).cells == sum(table.size for table in shown)
    assert "linear VAE" in text
    configuration = json.loads(study.tree.attrs["configuration"])
    assert json.dumps(configuration, indent=2).replace('"', "&#34;") in text
    assert "entropy_sums&#34;: &#34;0.1.0" in text


def test_further_tables_are_there_where_they_have_rows(study, text):
    assert ("Estimates from few held-out points" in text, "Model selection in a stream" in text) == (True, False)
    tree = streaming()
    report.write(tree, [], study.folder / "streaming.html")
    page = (study.folder / "streaming.html").read_text(encoding="utf-8")
    assert {"subsets", "model_selection"} <= set(Page(page).ids)
    assert "<dt>std_ratio</dt>" in page


def test_names_are_escaped(study):
    tree = study.tree.copy()
    tree.attrs["study"] = "<b>bold</b>"
    report.write(tree, [], study.folder / "escaped.html")
    assert "<b>" not in (study.folder / "escaped.html").read_text(encoding="utf-8")


def test_a_missing_figure_is_named(study):
    with pytest.raises(FileNotFoundError, match=r"nothing\.svg is missing: draw the figure nothing"):
        report.write(study.tree, [study.folder / "nothing"], study.folder / "report.html")


def rendered(template, **params):
    """A caption as the report of Snakemake shows it; what is no valid reStructuredText is an error."""
    text = (CAPTIONS / f"{template}.rst").read_text(encoding="utf-8")
    source = jinja2.Template(text).render(snakemake=SimpleNamespace(params=SimpleNamespace(**params)))
    settings = {"halt_level": 2, "report_level": 2}
    return docutils.core.publish_parts(source, writer="html", settings_overrides=settings)["body"]


def test_captions_of_figures_are_valid_in_the_report_of_snakemake(study):
    for stem in study.stems:
        caption = Path(f"{stem}.txt").read_text(encoding="utf-8").strip()
        assert caption.split(".")[0] in rendered("figure", path=str(stem))


@pytest.mark.parametrize("name", TABLES)
def test_captions_of_tables_are_valid_in_the_report_of_snakemake(name):
    caption = TABLES[name].caption
    assert caption in " ".join(rendered("table", caption=caption).split())


def test_the_other_captions_are_valid_in_the_report_of_snakemake():
    assert {template.stem for template in CAPTIONS.glob("*.rst")} == {"figure", "table", "certificates"}
    assert "runs" in rendered("certificates")
