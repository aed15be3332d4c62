"""A store with a run that fills every section of a report, its page, and a browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from made_runs import made_run, request

from bench.reports.page import page
from bench.reports.report import Report, report
from bench.runs import Run
from bench.store import Store

ATTACKS = ("loss", "clid_th", "clid_th[m=1]")
CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
QUIET = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars "
    "--disable-background-networking --disable-component-update --disable-sync"
)


class Made(NamedTuple):
    """A finished run in its store."""

    store: Store
    run: Run


@pytest.fixture(scope="session")
def full(tmp_path_factory) -> Made:
    """Three defenses at three moments, under three attacks."""
    store = Store(tmp_path_factory.mktemp("stores") / "full")
    whole = request(["none", "reph", "del1"], ATTACKS, at=[0, 20, 80])
    return Made(store, made_run(store, whole))


@pytest.fixture(scope="session")
def reported(full) -> Report:
    return report(full.store, [full.run])


@pytest.fixture(scope="session")
def html(reported) -> str:
    return page(reported)


@pytest.fixture(scope="session")
def page_file(html, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "report.html"
    path.write_text(html, encoding="utf-8")
    return path


class Browser:
    """Chromium on one page at a time."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, path: Path, width: int = 1280, theme: str = "light") -> None:
        """From a clean start: nothing logged, nothing remembered."""
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.media(theme=theme)
        self.driver.get("about:blank")
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.driver.get(path.as_uri())
        if self.run("const n = localStorage.length; localStorage.clear(); return n"):
            self.driver.refresh()

    def media(self, kind: str = "", theme: str = "light") -> None:
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"media": kind, "features": features}
        )

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def complaints(self) -> list[str]:
        """What the console holds."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Addresses that were asked for, but for those that hold their content themselves."""
        told = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        urls = [m["params"]["request"]["url"] for m in told
                if m["method"] == "Network.requestWillBeSent"]  # fmt: skip
        return [url for url in urls if not url.startswith("data:")]


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Browser]:
    if not (CHROMIUM and DRIVER):
        pytest.skip("needs Debian's chromium and chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for word in [*QUIET.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
