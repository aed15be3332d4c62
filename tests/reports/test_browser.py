"""The page as a person meets it, in a real browser."""

from __future__ import annotations

import re

import pytest

from bench.reports.page import page
from bench.reports.report import Report
from bench.reports.section import Figure, Key, Part, Section, Table, Thumb

HOSTILE = """<script>window.pwned=1</script>"'><img src=x onerror="window.pwned=1">&amp;{{7*7}}"""


@pytest.fixture
def opened(browser, page_file):
    browser.open(page_file)
    return browser


def test_every_plot_is_drawn_and_told_and_nothing_is_asked_of_anybody(opened, page_file):
    drawn = opened.run("""return [...document.querySelectorAll('figure')].map(f => {
        const plot = f.querySelector('svg.plot'), box = plot.getBoundingClientRect();
        return {width: box.width, height: box.height, paths: plot.querySelectorAll('path').length,
                title: f.querySelector('figcaption').textContent,
                told: plot.parentElement.getAttribute('aria-label'),
                role: plot.parentElement.getAttribute('role'),
                rows: f.querySelectorAll('tbody tr').length,
                inside: [...plot.querySelectorAll('path.line, path.mark')].every(p => {
                    const b = p.getBoundingClientRect();
                    return b.left >= box.left - 6 && b.right <= box.right + 6; })};
    })""")
    titles = {one["title"].partition(" (")[0] for one in drawn}
    for wanted in ("ROC under clid_th", "Leak against KID", "AUC along the training",
                   "KID along the training", "AUC against queries",
                   "none at epoch 80 under loss"):  # fmt: skip
        assert wanted in titles
    for one in drawn:
        assert one["width"] > 300
        assert one["height"] > 200
        assert one["paths"] >= 4
        assert one["inside"], one["title"]
        assert one["role"] == "img"
        assert one["told"].startswith(one["title"])
        assert len(one["told"]) > len(one["title"]) + 40
        assert one["rows"] >= 2
    assert opened.complaints() == []
    assert opened.requests() == [page_file.as_uri()]


def test_pictures_are_there_with_words(opened):
    pictures = opened.run("""return [...document.images].map(
        i => [i.complete && i.naturalWidth > 0, i.alt])""")
    assert len(pictures) > 30
    assert all(loaded and alt for loaded, alt in pictures)


def test_a_click_sorts_and_says_so(opened):
    head = opened.find("#rows table th:nth-child(5)")
    assert head.text.startswith("AUC")
    column = """return [...document.querySelectorAll('#rows-table-1 tbody tr')].map(
        r => r.cells[4].textContent)"""
    for state in ("ascending", "descending"):
        head.find_element("css selector", "button").click()
        values = [float(text.split()[0]) for text in opened.run(column)]
        assert values == sorted(values, reverse=state == "descending")
        assert head.get_attribute("aria-sort") == state
    opened.find("#rows table th:nth-child(1) button").click()
    assert head.get_attribute("aria-sort") == "none"
    names = opened.run(column.replace("cells[4]", "cells[0]"))
    assert names == sorted(names)


def test_typing_filters_and_says_how_many_are_left(opened):
    field = opened.find("#exposed input")
    assert opened.find(f"label[for='{field.get_attribute('id')}']").text
    rows = """return [...document.querySelectorAll('#exposed tbody tr')].filter(
        r => !r.hidden).map(r => r.textContent)"""
    before = opened.run(rows)
    field.send_keys("DEL1 loss")
    after = opened.run(rows)
    assert 0 < len(after) < len(before)
    assert all("del1" in row and "loss" in row for row in after)
    said = opened.find("#exposed output")
    assert said.text == f"{len(after)} of {len(before)} rows"
    assert said.get_attribute("aria-live") == "polite"
    field.clear()
    field.send_keys("nobody is called so")
    assert opened.run(rows) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_follows_the_system_until_it_is_switched(browser, page_file, theme):
    browser.open(page_file, theme=theme)
    ground = "return getComputedStyle(document.body).backgroundColor"
    bright = f"{ground}.match(/\\d+/g).every(x => x > 127)"
    assert browser.run(bright) == (theme == "light")
    before, button = browser.run(ground), browser.find("#theme")
    assert button.text == {"light": "Dark theme", "dark": "Light theme"}[theme]
    button.click()
    assert browser.run(ground) != before
    assert browser.run(bright) == (theme == "dark")
    browser.driver.refresh()
    assert browser.run(bright) == (theme == "dark"), "what was chosen is remembered"
    browser.find("#theme").click()
    assert browser.run(ground) == before


def test_the_keyboard_reaches_everything_and_is_seen(opened):
    from selenium.webdriver.common.keys import Keys

    seen = []
    for _ in range(40):
        opened.driver.switch_to.active_element.send_keys(Keys.TAB)
        seen.append(
            opened.run("""const e = document.activeElement, s = getComputedStyle(e);
            return [e.tagName, e.id || e.textContent.trim(), s.outlineStyle,
                    parseFloat(s.outlineWidth)]""")
        )
    assert seen[0][:2] == ["A", "Skip to the findings"]
    assert seen[1][1] == "theme"
    tags = [tag for tag, *_ in seen]
    assert {"A", "BUTTON", "INPUT", "DIV"} <= set(tags)
    assert all(style == "solid" and width >= 2 for _, _, style, width in seen)
    # The same by the keyboard as by the pointer.
    head = opened.find("#rows table th:nth-child(5)")
    head.find_element("css selector", "button").send_keys(Keys.ENTER)
    assert head.get_attribute("aria-sort") == "ascending"


def test_a_narrow_screen_is_never_scrolled_sideways(browser, page_file):
    browser.open(page_file, width=390)
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.run("return document.documentElement.scrollWidth") <= 390
    text = browser.run("""return Math.min(...[...document.querySelectorAll('svg.plot text')].map(
        t => parseFloat(getComputedStyle(t).fontSize)
             * t.ownerSVGElement.getBoundingClientRect().width / 460))""")
    assert text >= 9.5


def test_values_are_told_where_the_pointer_rests(opened):
    from selenium.webdriver import ActionChains

    mark = opened.driver.find_elements("css selector", "#tradeoff .plot .mark")[-1]
    opened.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", mark)
    opened.driver.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => setTimeout(done, 50))"
    )
    ActionChains(opened.driver).move_to_element(mark).perform()
    assert opened.find("#tip").text == mark.get_attribute("data-tip")
    assert "KID" in opened.find("#tip").text


def test_print_leaves_out_what_paper_cannot_do(opened):
    opened.media("print", "dark")
    shown = "return getComputedStyle(document.querySelector(arguments[0])).display !== 'none'"
    assert not any(opened.run(shown, part) for part in ("nav", "#theme", ".filter"))
    assert (
        opened.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    )
    opened.run("dispatchEvent(new Event('beforeprint'))")
    assert opened.run("return [...document.querySelectorAll('details')].every(d => d.open)")
    opened.run("dispatchEvent(new Event('afterprint'))")
    assert opened.run("return [...document.querySelectorAll('details')].every(d => !d.open)")
    opened.media()


def test_hostile_names_and_captions_are_text(browser, tmp_path):
    from bench.reports.axes import Axis
    from bench.reports.chart import Chart

    chart = Chart(Axis(HOSTILE, 0, 1), Axis(HOSTILE, 0, 1))
    chart.mark((0.5, 0.5), 0, HOSTILE)
    chart.upright(0.5, HOSTILE)
    thumb = Thumb("data:image/png;base64,iVBORw0KGgo=", HOSTILE, 32)
    table = Table(HOSTILE, [{HOSTILE: HOSTILE, "picture": thumb}] * 12)
    figure = Figure(HOSTILE, HOSTILE, chart.svg(), table, [Key(0, HOSTILE)])
    section = Section(
        "rows", HOSTILE, [HOSTILE], [figure], [table], [HOSTILE], [HOSTILE], [HOSTILE]
    )
    part = Part(HOSTILE, [section])
    path = tmp_path / "hostile.html"
    path.write_text(page(Report([HOSTILE, "b"], [part, part], [section])), encoding="utf-8")
    browser.open(path)
    assert browser.run("return window.pwned === undefined")
    assert browser.run("return document.querySelectorAll('img[src=x], main script').length") == 0
    for selector in ("h2", "h3", "figcaption", "td", "li", "code", ".alarm", "svg text.label"):
        assert HOSTILE in browser.find(selector).get_attribute("textContent"), selector
    assert browser.find("td img").get_attribute("alt") == HOSTILE
    assert browser.find(".mark").get_attribute("data-tip") == HOSTILE
    assert browser.complaints() == []
    assert browser.requests() == [path.as_uri()]


def test_only_the_page_s_own_script_may_run(opened):
    opened.run("""const s = document.createElement('script');
        s.textContent = 'window.pwned = 1'; document.body.append(s);""")
    assert opened.run("return window.pwned === undefined")
    assert any(re.search("Content Security Policy", said) for said in opened.complaints())
